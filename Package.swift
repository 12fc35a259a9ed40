// swift-tools-version: 6.2
import Foundation
import PackageDescription

/// Settings of every target of ours: Swift 6 language mode comes with the tools version, warnings are errors.
let house: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// Targets that call C say `unsafe` at each call, which is the point there.
let driver: [SwiftSetting] = house + [.strictMemorySafety()]

func library(_ name: String, _ dependencies: [Target.Dependency] = [], settings: [SwiftSetting] = house) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies + ["TestSupport"], swiftSettings: house)
}

func system(_ name: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([apt])])
}

var targets: [Target] = [
    // Debian's C libraries, each imported by exactly one target.
    system("CSodium", pkgConfig: "libsodium", apt: "libsodium-dev"),
    system("COpenSSL", pkgConfig: "libcrypto", apt: "libssl-dev"),
    system("CRocksDB", pkgConfig: "rocksdb", apt: "librocksdb-dev"),
    system("CSQLite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),
    system("CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
    system("CMicroHTTPD", pkgConfig: "libmicrohttpd", apt: "libmicrohttpd-dev"),
    system("CZlib", pkgConfig: "zlib", apt: "zlib1g-dev"),
    .systemLibrary(name: "CEpoll"),

    // The core: pure, no Foundation.
    library("Canonical"),
    library("JSON"),
    library("Crypto", ["Canonical", "CSodium", "COpenSSL"], settings: driver),
    library("Ledger", ["Canonical", "Crypto"]),
    library("Chain", ["Canonical", "Crypto", "Ledger"]),

    // Seams and their drivers.
    library("Concurrency"),
    library("Storage", ["Canonical", "Concurrency"]),
    library("StorageRocksDB", ["Storage", "CRocksDB"], settings: driver),
    library("Ordering", ["Concurrency"]),
    library("OrderingEtcd", ["Concurrency", "Crypto", "JSON", "Ordering", "HTTPClient"]),
    library("SQLite", ["CSQLite"], settings: driver),
    library("HTTPClient", ["Concurrency", "CCurl"], settings: driver),
    library("HTTPServer", ["Concurrency", "CMicroHTTPD", "CZlib"], settings: driver),

    // The node and what stands around it.
    library("Node", ["Canonical", "Concurrency", "Crypto", "Ledger", "Chain", "Storage", "Ordering"]),
    library("Wire", ["Canonical", "Crypto", "JSON", "Ledger", "Chain"]),
    library("Wallet", ["Canonical", "Concurrency", "Crypto", "JSON", "Ledger", "Chain", "Wire", "HTTPClient"]),
    library(
        "Gateway",
        [
            "Canonical", "Concurrency", "Crypto", "JSON", "Ledger", "Chain", "Storage", "SQLite", "Ordering", "Node",
            "Wire", "HTTPServer",
        ]),
    library("Peers", ["Concurrency", "Crypto", "Ledger", "Chain", "Node", "Wire", "Wallet"]),
    library(
        "Backup",
        [
            "Canonical", "Concurrency", "Crypto", "Ledger", "Chain", "Storage", "Node", "Ordering", "HTTPClient",
        ]),
    library("Registrar", ["SQLite"]),
    library("Intake", ["JSON"]),
    library("Simulation", ["Canonical", "Crypto", "Ledger", "Chain", "Storage", "Ordering", "Node"]),

    // The pages of Web/, inside the program.
    .target(name: "CWebFiles"),
    library("WebFiles", ["CWebFiles"], settings: driver),

    // What is measured, and how.
    .target(
        name: "Bench",
        dependencies: [
            "Canonical", "Concurrency", "Crypto", "JSON", "Ledger", "Chain", "Storage", "StorageRocksDB", "Node",
            "HTTPServer", "Gateway", "Wallet", "Wire", "CEpoll",
        ],
        path: "Benchmarks/Bench", swiftSettings: house),

    .executableTarget(
        name: "Counts",
        dependencies: [
            "Bench", "Canonical", "Chain", "Crypto", "JSON", "Ledger", "Node", "Storage", "Terminal", "Wallet", "Wire",
        ],
        path: "Benchmarks/Counts", swiftSettings: house),
    .executableTarget(
        name: "Soak",
        dependencies: ["Bench", "Canonical", "Concurrency", "Crypto", "Ledger", "Terminal", "Wallet", "Wire"],
        path: "Benchmarks/Soak", swiftSettings: house),

    // The command line.
    library("Terminal", ["Concurrency", "JSON"]),
    library(
        "Commands",
        [
            "Canonical", "Concurrency", "Crypto", "Ledger", "Chain", "Storage", "StorageRocksDB", "Node", "Wallet",
            "Registrar", "SQLite", "Intake", "JSON", "Wire", "Terminal", "HTTPServer", "Gateway", "WebFiles",
            "Bench", "HTTPClient", "Ordering", "OrderingEtcd", "Peers", "Backup",
        ]),
    // jemalloc takes the place of the C library's allocator: what one thread allocates another releases all the time.
    // Nothing of it is called, so nothing imports it. Sanitizers have an allocator of their own: only release builds
    // link it.
    .executableTarget(
        name: "lianfen", dependencies: ["Commands"], swiftSettings: house,
        linkerSettings: [.linkedLibrary("jemalloc", .when(configuration: .release))]),

    // Tests.
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: house),
    tests("CanonicalTests", ["Canonical"]),
    tests("CryptoTests", ["Canonical", "Crypto"]),
    tests("LedgerTests", ["Canonical", "Crypto", "Ledger"]),
    tests("ChainTests", ["Canonical", "Crypto", "Ledger", "Chain"]),
    tests("WireTests", ["Canonical", "Crypto", "JSON", "Ledger", "Chain", "Wire"]),
    tests("StorageTests", ["Concurrency", "Storage", "StorageRocksDB"]),
    tests(
        "NodeTests",
        [
            "Canonical", "Concurrency", "Crypto", "Ledger", "Chain", "Storage", "Ordering", "Node", "Simulation",
            "Wallet",
        ]),
    .target(name: "EtcdKit", dependencies: ["TestSupport"], path: "Tests/EtcdKit", swiftSettings: house),
    .target(
        name: "FleetKit",
        dependencies: [
            "Canonical", "Chain", "Concurrency", "Crypto", "Ledger", "Storage", "StorageRocksDB", "Ordering",
            "OrderingEtcd", "Node", "HTTPClient", "JSON", "Wallet", "Wire", "EtcdKit", "ServerKit", "TestSupport",
        ],
        path: "Tests/FleetKit", swiftSettings: house),
    // Loaded before the C library by the processes of a campaign, so that their clocks can jump.
    .target(name: "ClockShim", path: "Tests/ClockShim"),
    tests(
        "OrderingTests",
        [
            "Canonical", "Chain", "Concurrency", "Crypto", "Ledger", "Storage", "StorageRocksDB", "Ordering",
            "OrderingEtcd", "Node", "Simulation", "HTTPClient", "JSON", "Wallet", "Wire", "EtcdKit", "FleetKit",
            "ServerKit", "lianfen",
        ]),
    tests(
        "PeersTests",
        [
            "Canonical", "Chain", "Concurrency", "Crypto", "HTTPServer", "Ledger", "Node", "Peers", "ServerKit",
            "Simulation", "Storage",
        ]),
    tests(
        "BackupTests",
        [
            "Backup", "Canonical", "Chain", "Concurrency", "Crypto", "Ledger", "Node", "ServerKit", "Simulation",
            "Storage",
        ]),
    tests("RegistrarTests", ["SQLite", "Registrar", "Ledger"]),
    tests("JSONTests", ["JSON"]),
    tests(
        "GatewayTests",
        [
            "Canonical", "Concurrency", "Crypto", "JSON", "Ledger", "Chain", "Storage", "StorageRocksDB", "Node",
            "Wire", "HTTPServer", "HTTPClient", "Gateway", "Ordering", "Wallet",
        ]),
    tests("IntakeTests", ["Intake", "JSON"]),
    .target(
        name: "ServerKit",
        dependencies: [
            "Concurrency", "JSON", "Ledger", "Node", "Gateway", "HTTPClient", "HTTPServer", "TestSupport",
        ],
        path: "Tests/ServerKit", swiftSettings: house),
    tests("HTTPClientTests", ["Concurrency", "HTTPClient", "ServerKit"]),
    tests(
        "WalletTests",
        [
            "Canonical", "Concurrency", "Crypto", "JSON", "Ledger", "Chain", "Wire", "Storage", "Node", "HTTPClient",
            "Wallet", "ServerKit",
        ]),
    tests("TerminalTests", ["Concurrency", "JSON", "Terminal"]),
    tests("HTTPServerTests", ["Concurrency", "HTTPServer"]),
    tests("WebFilesTests", ["WebFiles"]),
    tests(
        "CommandsTests",
        [
            "Canonical", "Concurrency", "Crypto", "Ledger", "Chain", "Node", "Commands", "EtcdKit", "Wallet",
            "StorageRocksDB", "HTTPClient", "JSON", "OrderingEtcd", "Peers", "ServerKit", "Storage", "Terminal", "Wire",
        ]),
    .executableTarget(
        name: "GuideSteps", dependencies: ["Canonical", "Chain", "Crypto", "Ledger", "Wallet", "Wire"],
        path: "Tests/GuideSteps", swiftSettings: house),
    tests("GuideTests", ["ServerKit", "GuideSteps", "lianfen"]),
    .target(
        name: "CrashKit",
        dependencies: [
            "Canonical", "Concurrency", "Crypto", "Ledger", "Chain", "Storage", "StorageRocksDB", "Node", "Wallet",
            "TestSupport",
        ],
        path: "Tests/CrashKit", swiftSettings: house),
    .executableTarget(
        name: "CrashLoad", dependencies: ["CrashKit"], path: "Tests/CrashLoad", swiftSettings: house),
    tests(
        "CrashTests",
        [
            "Canonical", "Concurrency", "Crypto", "Ledger", "Chain", "Storage", "StorageRocksDB", "Ordering", "Node",
            "CrashKit", "CrashLoad", "lianfen",
        ]),
    tests("ConcurrencyTests", ["Concurrency"]),
    tests("BenchTests", ["Bench", "JSON", "Ledger", "ServerKit", "Storage", "StorageRocksDB", "lianfen"]),
    tests("CountsTests", ["Counts"]),
    tests("SoakTests", ["Soak"]),
    tests("ProjectTests", []),
]

// The fuzz targets need `-sanitize=fuzzer`, so an ordinary build leaves them out (`make fuzz` sets the variable).
if ProcessInfo.processInfo.environment["LIANFEN_FUZZ"] != nil {
    let fuzz: [(String, [Target.Dependency])] = [
        ("FuzzCanonical", ["Canonical", "Crypto", "Ledger", "Chain"]),
        ("FuzzCSV", ["Intake"]),
        ("FuzzMapping", ["Intake", "JSON"]),
        ("FuzzProof", ["Canonical", "Crypto", "Ledger", "Chain", "Wallet"]),
        ("FuzzWire", ["Canonical", "Crypto", "JSON", "Ledger", "Wire"]),
    ]
    targets += fuzz.map { name, dependencies in
        .executableTarget(
            name: name, dependencies: dependencies, path: "Fuzz/\(name)", swiftSettings: house,
            linkerSettings: [.unsafeFlags(["-use-ld=lld"])])
    }
}

var products: [Product] = [
    .executable(name: "lianfen", targets: ["lianfen"]),
    .library(name: "ClockShim", type: .dynamic, targets: ["ClockShim"]),
    // With the modules whose types its calls take and give.
    .library(name: "Wallet", targets: ["Wallet", "Wire", "Chain", "Ledger", "Crypto", "Canonical"]),
]

// Tests are built all together. Where only some are wanted, as under a sanitizer, this builds them and what they need.
if let only = ProcessInfo.processInfo.environment["LIANFEN_ONLY"] {
    var needed: Set<String> = []
    func need(_ name: String) {
        guard needed.insert(name).inserted, let target = targets.first(where: { $0.name == name }) else { return }
        for case .byNameItem(let dependency, _) in target.dependencies { need(dependency) }
    }
    for name in only.split(separator: " ") { need(String(name)) }
    targets.removeAll { !needed.contains($0.name) }
    products = []
}

let package = Package(name: "lianfen", products: products, targets: targets)
