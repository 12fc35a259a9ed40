import Canonical
import Crypto
import Glibc
import Ledger

extension Benchmark {
    /// What it takes to keep a ledger and to have it back.
    static let backups: [Benchmark] = [
        Benchmark("backup-1m", "seconds to keep a million accounts with points, sealed and read back; and to restore") {
            setting in
            let accounts = 1_000_000
            let chain = try BenchChain.prepared("backup", in: setting.directory, accounts: accounts, kept: false)
            try chain.running { running in try running.give(to: accounts) }
            let place = try BackedDirectory(chain, setting)
            var (making, restoring): ([Double], [Double]) = ([], [])
            for run in 0...setting.runs {
                let (made, restored) = (try place.back(), try place.restore())
                guard run > 0 else { continue }
                making.append(made)
                restoring.append(restored)
            }
            let bytes = Machine.bytes(under: place.store) / 1e6
            setting.directory.remove("backup")
            setting.directory.remove("backed")
            return [
                Figure("backup-1m", unit: "s", runs: making),
                Figure("backup-1m-restore", unit: "s", runs: restoring),
                Figure("backup-1m-bytes", unit: "MB", runs: [bytes]),
            ]
        }
    ]
}

extension BenchChain.Running {
    /// Points for each of so many accounts, by one line.
    fileprivate func give(to accounts: Int) throws {
        let size = ListBounds.linesMax
        try submit(count: (accounts + size - 1) / size, window: Benchmark.batchesUnderWay) { batch in
            let lines = (batch * size..<min((batch + 1) * size, accounts)).map { index in
                AccrualLine(account: BenchChain.account(index), key: .opening(index), amount: UInt64(index % 1000 + 1))
            }
            return chain.encoded([.accrue(AccrueList(unit: BenchChain.unit, lines: lines))], by: chain.issuer)
        }
    }
}

/// A ledger as the tool finds it, with a store beside it; the tool itself is measured, as it is used.
private struct BackedDirectory {
    private let path: String
    private let tool: String
    private let recipient: String
    var store: String { path + "/store" }
    private var restored: String { path + "/restored" }

    init(_ chain: BenchChain, _ setting: Benchmark.Setting) throws {
        path = try setting.directory.remake("backed")
        tool = setting.tool
        let first = OrganisationID(1)
        for directory in ["/chain", "/chain/nodes", "/chain/nodes/1"] { mkdir(path + directory, 0o750) }
        try BenchChain.write(chain.genesis.canonicalBytes, to: path + "/chain/genesis")
        try BenchChain.write(
            KeyFile(clear: BenchChain.votingKey(first)).canonicalBytes, to: path + "/chain/nodes/1/voting.key")
        guard rename(chain.storePath(first), path + "/chain/nodes/1/db") == 0 else {
            throw BenchError("directory", "cannot move the ledger: \(String(cString: strerror(errno)))")
        }
        let key = SecretKey()
        try BenchChain.write(KeyFile(clear: key).canonicalBytes, to: path + "/recipient.key")
        recipient = key.publicKey.description
    }

    /// Makes a backup in an empty store.
    func back() throws -> Double {
        BenchDirectory.remove(tree: store)
        return try seconds(["create", "--dir", path + "/chain", "--store", store, "--recipient", recipient])
    }

    /// Restores it on an empty host.
    func restore() throws -> Double {
        BenchDirectory.remove(tree: restored)
        defer { BenchDirectory.remove(tree: restored) }
        return try seconds([
            "restore", "--store", store, "--genesis", path + "/chain/genesis", "--key", path + "/recipient.key",
            "--dir",
            restored,
        ])
    }

    /// From the start of the tool to its end.
    private func seconds(_ words: [String]) throws -> Double {
        let start = Machine.now()
        let (lines, code) = try Child(tool, ["backup"] + words, errors: path + "/errors").finish()
        guard code == 0 else {
            let said = (try? BenchChain.read(path + "/errors")).map { String(decoding: $0, as: UTF8.self) } ?? ""
            throw BenchError("backup", "`lianfen backup \(words[0])` failed: \(lines.joined()) \(said)")
        }
        return Machine.seconds(since: start)
    }
}
