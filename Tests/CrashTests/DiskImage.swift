import Foundation
import Glibc
import TestSupport

/// A small ext4 file system with a journal in a file. What the file holds is what a disk would hold if the power went:
/// what the mounted system only has in memory is not in it.
struct DiskImage {
    let root: String
    var mount: String { root + "/mount" }
    private var file: String { root + "/image" }
    private var copy: String { root + "/image.copy" }

    /// Whether this machine lets a test mount at all.
    static let isPermitted: Bool = {
        guard geteuid() == 0 else { return false }
        do { try with(megabytes: 16) { _ in } } catch { return false }
        return true
    }()

    /// `body` finds the file system mounted; it is unmounted whatever happens.
    static func with<R>(megabytes: Int, _ body: (DiskImage) throws -> R) throws -> R {
        try withTemporaryDirectory { root in
            let image = DiskImage(root: root.path)
            try FileManager.default.createDirectory(atPath: image.mount, withIntermediateDirectories: false)
            try run("truncate", "-s", "\(megabytes)M", image.file)
            // Nothing is left for later: the kernel would go on writing into the image by itself.
            try run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image.file)
            try run("mount", "-o", "loop,noatime", image.file, image.mount)
            defer { try? run("umount", "-l", image.mount) }
            return try body(image)
        }
    }

    /// Takes what the disk holds at this moment.
    ///
    /// A copy takes a while, and no disk ever held half of one moment and half of another. So it only counts when the
    /// file is still the same afterwards; the writers must be stopped.
    func cut() throws {
        for _ in 0..<20 {
            try Self.run("cp", "--sparse=always", "--reflink=auto", file, copy)
            if (try? Self.run("cmp", "-s", file, copy)) != nil { return }
        }
        throw Failed(command: ["the image does not hold still"])
    }

    /// The power is back: what was cut is the disk now. Its journal is replayed by mounting it.
    func restart() throws {
        // A process that another test is just starting may hold what this one has open, until it becomes its program.
        for attempt in 1... {
            do {
                try Self.run("umount", mount)
                break
            } catch {
                if attempt == 100 { throw error }
                usleep(50_000)
            }
        }
        guard rename(copy, file) == 0 else { throw Failed(command: ["rename", copy]) }
        try Self.run("mount", "-o", "loop,noatime", file, mount)
    }

    struct Failed: Error { let command: [String] }

    private static func run(_ command: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        if process.terminationStatus != 0 { throw Failed(command: command) }
    }
}
