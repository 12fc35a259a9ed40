import Foundation
import Ledger
import ServerKit
import TestSupport
import Testing

/// A full disk and a read-only one, under `init` and `import`: a clear stop, and afterwards all is there.
@Suite(.ownThread, .enabled(if: LoopMount.isPermitted, "needs root and loop mounts")) struct DiskTests {
    private static let rows = (1...6000).map { "\($0),person \($0),\($0 % 50 + 1).00,done\n" }.joined()
    private static let points = (1...6000).reduce(0) { $0 + $1 % 50 + 1 }

    @Test func fullDisk() throws {
        try LoopMount.with(megabytes: 40) { mount in
            try withTemporaryDirectory { root in
                let chain = mount.path + "/chain"
                // Before there is a chain: nothing is left of the attempt.
                try mount.fill(leaving: 1 << 20)
                let before = try FileManager.default.contentsOfDirectory(atPath: mount.path).sorted()
                let made = Call("init", "--dev", "--dir", chain, "--json")
                #expect(made.code == 3, "\(made.errors)")
                #expect(made.error["code"].text == "storage-diskFull", "\(made.errors)")
                #expect(try FileManager.default.contentsOfDirectory(atPath: mount.path).sorted() == before)
                try mount.free()
                #expect(Call("init", "--dev", "--dir", chain).code == 0)

                // In the middle of an import.
                // 20 MB are kept free in any case.
                try mount.fill(leaving: 21 << 20)
                let stopped = try Shop().importing(Self.rows, into: chain, in: root)
                #expect(stopped.code == 3, "\(stopped.output)")
                let said = stopped.error["reason"].text ?? ""
                #expect(said.contains("disk is full") || said.contains("No space left"), "\(stopped.errors)")
                #expect(Call("audit", chain, "--json").json["ok"].flag == true)
                try mount.free()
                let done = try Shop().importing(Self.rows, into: chain, in: root)
                #expect(done.code == 0, "\(done.errors)")
                #expect(done.json["orders"].sum == [6000, Self.points])
                #expect(try unit("SHOP", in: chain).available == UInt64(Self.points))
                #expect(try Shop().importing(Self.rows, into: chain, in: root).json["already"].int == 6000)
                #expect(Call("audit", chain, "--json").json["ok"].flag == true)
            }
        }
    }

    @Test func readOnlyDisk() throws {
        try LoopMount.with(megabytes: 40) { mount in
            try withTemporaryDirectory { root in
                let chain = mount.path + "/chain"
                #expect(Call("init", "--dev", "--dir", chain).code == 0)
                try Members.make(in: chain)
                try mount.remount("ro")
                for words in [
                    ["init", "--dev", "--dir", mount.path + "/other"], ["wallet", "new", "cy", "--dir", chain],
                    ["node", "--dir", chain, "--seconds", "1"],
                    [
                        "wallet", "send", "--from", "anna", "--to", "ben", "--unit", "TENTH", "--amount", "1", "--dir",
                        chain,
                    ],
                ] {
                    let call = Call(words + ["--json"])
                    #expect(call.code == 3, "\(words): \(call.errors)")
                    let said = call.error["reason"].text?.lowercased() ?? ""
                    #expect(said.contains("read-only"), "\(words): \(call.errors)")
                }
                let orders = try Shop().importing(Self.rows, into: chain, in: root)
                #expect(orders.code == 3, "\(orders.errors)")
                #expect(orders.error["reason"].text?.lowercased().contains("read-only") == true, "\(orders.errors)")
                // Looking is possible all the same.
                #expect(Call("audit", chain).code == 0)
                #expect(Call("wallet", "balance", "anna", "--dir", chain).output.hasPrefix("TENTH: 12.5 available"))
                let out = root.file("proof")
                #expect(
                    Call("proof", "export", "--account", "anna", "--unit", "TENTH", "--out", out, "--dir", chain).code
                        == 0)
                let unwritable = Call(
                    "proof", "export", "--account", "anna", "--unit", "TENTH", "--out", mount.path + "/p", "--dir",
                    chain, "--json")
                #expect(unwritable.code == 3)
                #expect(unwritable.error["field"].text == mount.path + "/p")
            }
        }
    }
}

/// A small ext4 file system in a file, mounted for one test.
struct LoopMount {
    let path: String

    static let isPermitted: Bool = {
        guard geteuid() == 0 else { return false }
        do { try with(megabytes: 8) { _ in } } catch { return false }
        return true
    }()

    static func with(megabytes: Int, _ body: (LoopMount) throws -> Void) throws {
        try withTemporaryDirectory { root in
            let (image, path) = (root.path + "/image", root.path + "/mount")
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            try run("truncate", "-s", "\(megabytes)M", image)
            try run("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-m", "0", image)
            try run("mount", "-o", "loop", image, path)
            defer { try? run("umount", "-l", path) }
            try body(LoopMount(path: path))
        }
    }

    /// Takes all room but this much.
    func fill(leaving bytes: Int) throws {
        var status = statvfs()
        try #require(statvfs(path, &status) == 0)
        let free = Int(status.f_bavail) * Int(status.f_frsize)
        try #require(free > bytes)
        // Closed to children: one that another test starts meanwhile would keep the room after the file has gone.
        let filler = open(path + "/filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        try #require(filler >= 0)
        defer { close(filler) }
        try #require(posix_fallocate(filler, 0, off_t(free - bytes)) == 0)
    }

    func free() throws { try FileManager.default.removeItem(atPath: path + "/filler") }

    func remount(_ option: String) throws { try Self.run("mount", "-o", "remount,\(option)", path) }

    private struct Failed: Error { let command: [String] }

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
