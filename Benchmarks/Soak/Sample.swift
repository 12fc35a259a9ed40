import Bench
import Glibc

/// What a node's process holds at one moment, while nobody is connected to it but the standing streams.
struct Sample: Equatable {
    var seconds: Double
    var residentBytes: Double
    /// Files of the store's tables, of which it holds as many open as there are, up to a bound of its own.
    var tables: Int
    /// Sockets and all other files.
    var descriptors: Int
    var threads: Int
    /// Bytes on disk of the chain.
    var diskBytes: Double
    /// Requests that were answered until now.
    var requests: Int

    static let everySeconds = 10
    static let aMinute = 60 / everySeconds

    init(
        seconds: Double, residentBytes: Double, tables: Int, descriptors: Int, threads: Int, diskBytes: Double = 0,
        requests: Int = 0
    ) {
        self.seconds = seconds
        self.residentBytes = residentBytes
        self.tables = tables
        self.descriptors = descriptors
        self.threads = threads
        self.diskBytes = diskBytes
        self.requests = requests
    }

    /// - Throws: ``BenchError`` where the process has ended.
    init(of node: SoakNode, seconds: Double, requests: Int) throws {
        let files = Machine.names(in: "/proc/\(node.process)/fd").map { Self.target("/proc/\(node.process)/fd/\($0)") }
        let tables = files.count { $0.hasSuffix(".sst") }
        self.init(
            seconds: seconds, residentBytes: Machine.resident(of: node.process), tables: tables,
            descriptors: files.count - tables, threads: Machine.names(in: "/proc/\(node.process)/task").count,
            diskBytes: Machine.bytes(under: node.directory), requests: requests)
        guard residentBytes > 0, threads > 0 else { throw BenchError("soak", "the node has ended under its load") }
    }

    private static func target(_ link: String) -> String {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(link, &path, path.count)
        return String(decoding: path.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static let head = "  minute  resident MB  descriptors  table files  threads  disk MB   requests"

    /// With one decimal.
    static func megabytes(_ bytes: Double) -> String {
        let tenths = Int((bytes / 1e5).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    var row: String {
        func right(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(1, width - text.count)) + text
        }
        return right("\(Int((seconds / 60).rounded()))", 8) + right(Self.megabytes(residentBytes), 13)
            + right("\(descriptors)", 13) + right("\(tables)", 13) + right("\(threads)", 9)
            + right("\(Int(diskBytes / 1e6))", 9) + right("\(requests)", 11)
    }
}
