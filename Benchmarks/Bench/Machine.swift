import Concurrency
package import Glibc

/// Time and room, as the system counts them.
public enum Machine {
    /// Nanoseconds of a clock that never jumps.
    package static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    package static func seconds(since start: UInt64) -> Double { Double(now() - start) / 1e9 }

    /// Memory of this process in bytes: what is resident now, and the most that ever was.
    static var memory: (resident: Double, most: Double) {
        let status = text("/proc/self/status")
        return (number("VmRSS:", in: status) * 1024, number("VmHWM:", in: status) * 1024)
    }

    /// What is resident of a process, in bytes; 0 where it has ended.
    package static func resident(of process: pid_t) -> Double {
        number("VmRSS:", in: text("/proc/\(process)/status")) * 1024
    }

    /// Processor time that this process has used, on all cores.
    static var processorSeconds: Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    /// Processor time of another process and of all that it started, those that are gone included.
    static func processorSeconds(ofFamily process: pid_t) -> Double {
        var ticks = 0.0
        for name in names(in: "/proc") where name.first?.isNumber == true {
            // What stands behind the program's name in brackets: state, parent, …; the name may hold anything.
            let fields = text("/proc/\(name)/stat").split(separator: ")").last?.split(separator: " ") ?? []
            guard fields.count > 14, name == "\(process)" || fields[1] == "\(process)" else { continue }
            // In user mode and in the system, itself; then the same of those whose end it has seen.
            ticks += fields[11...14].reduce(0) { $0 + (Double($1) ?? 0) }
        }
        return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Bytes that this process has had written to disks; those that are still in the system's cache included.
    static var bytesWritten: Double { number("write_bytes:", in: text("/proc/self/io")) }

    /// Bytes that a directory takes up on its disk.
    package static func bytes(under directory: String) -> Double {
        var total = 0.0
        for name in names(in: directory) {
            let path = "\(directory)/\(name)"
            var status = stat()
            // A file may go while one looks: compaction does that.
            guard lstat(path, &status) == 0 else { continue }
            total += status.st_mode & S_IFMT == S_IFDIR ? bytes(under: path) : Double(status.st_blocks) * 512
        }
        return total
    }

    /// Bytes that an ordinary user may still write on the disk of a path.
    static func bytesFree(at path: String) -> Double {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return 0 }
        return Double(status.f_bavail) * Double(status.f_frsize)
    }

    /// Ports of loopback that nobody has now.
    static func freePorts(_ count: Int) throws(BenchError) -> [Int] {
        var sockets: [Int32] = []
        defer { for socket in sockets { close(socket) } }
        return try (0..<count).map { _ throws(BenchError) in
            let made = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            sockets.append(made)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isBound = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(made, $0, length) == 0 && getsockname(made, $0, &length) == 0
                }
            }
            guard isBound else { throw BenchError("load", "there is no free port") }
            return Int(UInt16(bigEndian: address.sin_port))
        }
    }

    package static func names(in directory: String) -> [String] {
        guard let handle = opendir(directory) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// The processor's name, the number of its cores that may be used, and the memory, for the head of a table.
    public static var description: String {
        let model = line("model name", in: text("/proc/cpuinfo"))
        let gigabytes = number("MemTotal:", in: text("/proc/meminfo")) / 1e6
        return "\(model), \(processorCount()) cores, \(Int(gigabytes.rounded())) GB"
    }

    private static func number(_ name: String, in text: String) -> Double {
        Double(line(name, in: text).split(separator: " ").first ?? "0") ?? 0
    }

    /// What stands behind a name, and a colon where it has one, in the first line that begins with it.
    private static func line(_ name: String, in text: String) -> String {
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return "" }
        return String(line.dropFirst(name.count).drop { " \t:".contains($0) })
    }

    /// What is in a file; empty where there is none.
    static func text(_ path: String) -> String { String(decoding: bytes(of: path) ?? [], as: UTF8.self) }

    /// All of a file; nil where it cannot be read.
    package static func bytes(of path: String) -> [UInt8]? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&piece, 1, piece.count, file)
            if count == 0 { return ferror(file) == 0 ? bytes : nil }
            bytes += piece.prefix(count)
        }
    }

    /// Writes a file, whole or anew; false where that is not possible.
    package static func write(_ bytes: [UInt8], to path: String) -> Bool {
        guard let file = fopen(path, "w") else { return false }
        let count = fwrite(bytes, 1, bytes.count, file)
        return fclose(file) == 0 && count == bytes.count
    }
}
