import Foundation
import Storage
import StorageRocksDB
import TestSupport
import Testing

/// Full disks, read-only mounts and damaged files: a clear refusal each time, never a crash, never a wrong row.
@Suite(.serialized) struct FaultTests {
    // MARK: Mounts

    @Test(.enabled(if: LoopMount.isPermitted, "needs root and loop mounts"))
    func fullDiskFailsTheWriteAndKeepsWhatWasCommitted() throws {
        try LoopMount.with(megabytes: 48) { mount in
            let directory = mount.path + "/node"
            let store = try RocksDBStore(directory: directory, mode: .create)
            let block = noise(1 << 19)
            var committed: UInt64 = 0
            var failure: StorageError?
            for number in UInt64(0)..<100 {
                do throws(StorageError) {
                    try store.write(
                        [
                            .put(.blocks, key: height(number), value: block),
                            .put(.locks, key: height(number), value: [1]),
                        ], synced: true)
                    committed = number + 1
                } catch {
                    failure = error
                    break
                }
            }
            let error = try #require(failure)
            #expect(error.code == .diskFull, "\(error)")
            #expect(committed > 0)
            #expect(try store.get(.blocks, height(committed)) == nil, "nothing of the failed batch is visible")
            #expect(try store.get(.locks, height(committed)) == nil)
            #expect(try store.get(.blocks, height(0)) == block, "reading goes on")
            store.close()

            for mode in [RocksDBStore.Mode.readOnly, .readWrite] {
                let again = try RocksDBStore(directory: directory, mode: mode)
                defer { again.close() }
                #expect(try again.keys(.locks, from: nil, descending: false) == (0..<committed).map(height))
                for number in 0..<committed { #expect(try again.get(.blocks, height(number)) == block) }
            }
            try FileManager.default.removeItem(atPath: mount.path + "/ballast")
            let again = try RocksDBStore(directory: directory, mode: .readWrite)
            defer { again.close() }
            try again.write([.put(.locks, key: height(1_000), value: [1])], synced: true)
        }
    }

    /// Somebody else may fill the disk to its last byte; the store then refuses without touching it.
    @Test(.enabled(if: LoopMount.isPermitted, "needs root and loop mounts"))
    func diskFilledByOthersIsRefusedUntilThereIsRoom() throws {
        try LoopMount.with(megabytes: 48) { mount in
            let directory = mount.path + "/node"
            let store = try RocksDBStore(directory: directory, mode: .create)
            try store.write([.put(.locks, key: height(1), value: [1])], synced: true)
            #expect(LoopMount.zeros(64 << 20, to: mount.path + "/filler") == false)
            #expect(throws: StorageError(.diskFull, "", place: "")) {
                try store.write([.put(.locks, key: height(2), value: [1])], synced: true)
            }
            store.close()
            #expect(refusal(directory, .readWrite)?.code == .diskFull)
            #expect(refusal(directory, .readOnly) == nil)
            #expect(refusal(mount.path + "/other", .create)?.code == .diskFull)

            try FileManager.default.removeItem(atPath: mount.path + "/filler")
            let again = try RocksDBStore(directory: directory, mode: .readWrite)
            defer { again.close() }
            #expect(try again.keys(.locks, from: nil, descending: false) == [height(1)])
        }
    }

    @Test(.enabled(if: LoopMount.isPermitted, "needs root and loop mounts"))
    func readOnlyMountIsRefusedForWritingAndServesReaders() throws {
        try LoopMount.with(megabytes: 48) { mount in
            let directory = mount.path + "/node"
            let store = try RocksDBStore(directory: directory, mode: .create)
            try store.write([.put(.locks, key: height(1), value: [1])], synced: true)
            store.close()
            try mount.remount("ro")

            let error = try #require(refusal(directory, .readWrite))
            #expect(error.code == .readOnly && error.reason.contains("read-only"), "\(error)")
            #expect(refusal(mount.path + "/other", .create)?.code == .readOnly)
            let reader = try RocksDBStore(directory: directory, mode: .readOnly)
            defer { reader.close() }
            #expect(try reader.get(.locks, height(1)) == [1])
        }
    }

    // MARK: Damage

    /// Flips bytes all over one kind of file; each time the directory is refused, or a read is, or all rows are right.
    @Test(arguments: ["MANIFEST-", "CURRENT", ".sst", "OPTIONS-", "IDENTITY"])
    func damagedFileNeverGivesAWrongRow(_ kind: String) throws {
        try withTemporaryDirectory { root in
            let intact = root.appendingPathComponent("intact").path
            let rows = try makeChain(intact)
            let file = try #require(
                FileManager.default.contentsOfDirectory(atPath: intact).sorted().last { $0.contains(kind) })
            let size = try Data(contentsOf: URL(fileURLWithPath: "\(intact)/\(file)")).count
            var refused = 0
            let steps = 8
            for step in 0..<steps {
                let copy = root.appendingPathComponent("\(step)").path
                try FileManager.default.copyItem(atPath: intact, toPath: copy)
                try flip("\(copy)/\(file)", at: size * step / steps)
                if try refusesOrServes(copy, rows, .readOnly) { refused += 1 }
                _ = try refusesOrServes(copy, rows, .readWrite)
                try FileManager.default.removeItem(atPath: copy)
            }
            if ["MANIFEST-", "CURRENT"].contains(kind) { #expect(refused > 0) }
        }
    }

    @Test(arguments: ["MANIFEST-", "CURRENT", ".sst"])
    func missingOrEmptyFileIsCorrupt(_ kind: String) throws {
        try withTemporaryDirectory { root in
            for empty in [false, true] {
                let directory = root.appendingPathComponent("\(empty)").path
                _ = try makeChain(directory)
                for file in try FileManager.default.contentsOfDirectory(atPath: directory) where file.contains(kind) {
                    try FileManager.default.removeItem(atPath: "\(directory)/\(file)")
                    if empty { try Data().write(to: URL(fileURLWithPath: "\(directory)/\(file)")) }
                }
                for mode in [RocksDBStore.Mode.readOnly, .readWrite] {
                    let error = try #require(refusal(directory, mode))
                    #expect(error.code == .corrupt, "\(error)")
                }
            }
        }
    }

    /// After a crash the newest rows are only in the log. A torn end is what a crash leaves, and is forgiven; damage
    /// further up is not, or a synced vote could be lost without a word.
    @Test func damagedLogIsRefusedAndATornOneIsNot() async throws {
        let directory = ownDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        await #expect(processExitsWith: .signal(SIGKILL)) { [directory = directory as String] in
            let store = try RocksDBStore(directory: directory, mode: .create)
            for number in UInt64(1)...50 {
                try store.write([.put(.locks, key: height(number), value: noise(4_000))], synced: true)
            }
            kill(getpid(), SIGKILL)
        }
        let log = try #require(
            FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".log") }.max())
        let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(log)"))
        #expect(bytes.count > 200_000)

        let damaged = directory + "-damaged"
        defer { try? FileManager.default.removeItem(atPath: damaged) }
        try FileManager.default.copyItem(atPath: directory, toPath: damaged)
        try flip("\(damaged)/\(log)", at: bytes.count / 2)
        for mode in [RocksDBStore.Mode.readOnly, .readWrite] {
            let error = try #require(refusal(damaged, mode))
            #expect(error.code == .corrupt, "\(error)")
        }

        try bytes.dropLast(100).write(to: URL(fileURLWithPath: "\(directory)/\(log)"))
        let store = try RocksDBStore(directory: directory, mode: .readWrite)
        defer { store.close() }
        #expect(try store.keys(.locks, from: nil, descending: false) == (1...49).map(height))
    }

    // MARK: Helpers

    /// A closed chain with rows in several columns; answers the rows of `blocks`.
    private func makeChain(_ directory: String) throws -> [[UInt8]: [UInt8]] {
        let store = try RocksDBStore(directory: directory, mode: .create)
        defer { store.close() }
        var rows: [[UInt8]: [UInt8]] = [:]
        for number in UInt64(0)..<40 {
            rows[height(number)] = noise(1_000 + Int(number))
            try store.write([.put(.blocks, key: height(number), value: rows[height(number)]!)])
        }
        return rows
    }

    /// Whether the directory, or a read in it, was refused. A refusal must be `.corrupt`, and a row must be right.
    private func refusesOrServes(
        _ directory: String, _ rows: [[UInt8]: [UInt8]], _ mode: RocksDBStore.Mode
    ) throws -> Bool {
        do throws(StorageError) {
            let store = try RocksDBStore(directory: directory, mode: mode)
            defer { store.close() }
            var found: [[UInt8]: [UInt8]] = [:]
            try store.scan(.blocks) { key, value in
                found[key] = value
                return true
            }
            #expect(found == rows)
            for (key, value) in rows where try store.get(.blocks, key) != value { Issue.record("a wrong row") }
            return false
        } catch {
            #expect(error.code == .corrupt, "\(error)")
            return true
        }
    }

    private func flip(_ path: String, at offset: Int) throws {
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        bytes[offset] ^= 0x41
        try bytes.write(to: URL(fileURLWithPath: path))
    }
}

/// Bytes that do not compress.
private func noise(_ count: Int) -> [UInt8] {
    var generator = SeededGenerator(seed: UInt64(count))
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
}

/// A small ext4 file system in a file, mounted for one test.
private struct LoopMount {
    let path: String

    /// Whether this machine lets the test mount at all.
    static let isPermitted: Bool = {
        guard geteuid() == 0 else { return false }
        do { try with(megabytes: 12) { _ in } } catch { return false }
        return true
    }()

    /// `body` finds a file `ballast` of 8 MB there, to be removed when space is wanted.
    static func with(megabytes: Int, _ body: (LoopMount) throws -> Void) throws {
        try withTemporaryDirectory { root in
            let (image, path) = (root.path + "/image", root.path + "/mount")
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            try run("truncate", "-s", "\(megabytes)M", image)
            try run("mkfs.ext4", "-q", "-F", "-O", "^has_journal", image)
            try run("mount", "-o", "loop", image, path)
            defer { try? run("umount", "-l", path) }
            try #require(zeros(8 << 20, to: path + "/ballast"))
            try body(LoopMount(path: path))
        }
    }

    /// Writes so many zeros, or as many as there is room for; answers whether that was all of them. The file is closed
    /// to children: one that another test starts meanwhile would keep the room after the file has gone.
    static func zeros(_ count: Int, to path: String) -> Bool {
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { return false }
        defer { close(file) }
        let piece = [UInt8](repeating: 0, count: 1 << 16)
        var written = 0
        while written < count {
            let done = write(file, piece, min(piece.count, count - written))
            guard done > 0 else { return false }
            written += done
        }
        return true
    }

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
