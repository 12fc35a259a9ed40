public import Foundation
import TestSupport

/// Lets one process wait for each write to its disk, and so for each sync: a few writes a second, by the kernel's own
/// limits on groups of processes (blkio of cgroup v1).
public final class SlowDisk {
    private let group: String
    private let device: String

    private static let controller = "/sys/fs/cgroup/blkio"

    /// Why none can be made for what lies in a directory; nil where one can.
    public static func impediment(in directory: URL) -> String? {
        guard geteuid() == 0 else { return "limits of a disk need root" }
        guard FileManager.default.isWritableFile(atPath: controller + "/blkio.throttle.write_iops_device") else {
            return "this machine has no \(controller), by which writes are limited"
        }
        guard device(of: directory.path) != nil else { return "\(directory.path) lies on no disk whose writes count" }
        return nil
    }

    /// - Parameter directory: on the disk that is to be slow.
    init(in directory: URL) throws {
        guard let device = Self.device(of: directory.path) else { throw Fleet.Failed("no disk: \(directory.path)") }
        self.device = device
        group = "\(Self.controller)/lianfen-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: group, withIntermediateDirectories: false)
    }

    deinit { rmdir(group) }

    /// From now on a process writes so many times a second.
    func slow(_ process: Int32, writesPerSecond: Int) throws {
        try write("\(device) \(writesPerSecond)", to: "blkio.throttle.write_iops_device")
        try write("\(process)", to: "cgroup.procs")
    }

    /// It is as quick as before.
    func heal(_ process: Int32) throws {
        try write("\(device) 0", to: "blkio.throttle.write_iops_device")
        try write("\(process)", to: "../cgroup.procs")
    }

    private func write(_ text: String, to name: String) throws {
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(group)/\(name)"))
        defer { try? file.close() }
        try file.write(contentsOf: Data((text + "\n").utf8))
    }

    /// The whole disk, as major and minor number; a partition has no limits of its own.
    private static func device(of path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        let (major, minor) = (status.st_dev >> 8 & 0xFFF, status.st_dev & 0xFF | status.st_dev >> 12 & 0xFFF00)
        let place = "/sys/dev/block/\(major):\(minor)"
        let isPartition = FileManager.default.fileExists(atPath: place + "/partition")
        return (try? String(contentsOfFile: place + (isPartition ? "/../dev" : "/dev"), encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
