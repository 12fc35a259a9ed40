import Foundation
import Storage
import StorageRocksDB
import TestSupport
import Testing

/// What a directory on disk adds to a store: it stays, it is locked, it has a version.
@Suite struct RocksDBStoreTests {
    @Test func findsEverythingAgainAfterReopening() throws {
        try withTemporaryDirectory { root in
            let directory = root.appendingPathComponent("node").path
            let store = try RocksDBStore(directory: directory, mode: .create)
            for column in Column.allCases where column != .meta {
                try store.write([.put(column, key: [1], value: Array(column.rawValue.utf8))])
            }
            store.close()
            for mode in [RocksDBStore.Mode.readWrite, .readOnly, .readWrite] {
                let store = try RocksDBStore(directory: directory, mode: mode)
                defer { store.close() }
                for column in Column.allCases where column != .meta {
                    #expect(try store.get(column, [1]) == Array(column.rawValue.utf8))
                }
            }
        }
    }

    /// The names are on disk in every node's directory: append, never rename.
    @Test func columnNamesOnDiskArePinned() throws {
        try withTemporaryDirectory { root in
            try RocksDBStore(directory: root.path, mode: .create).close()
            let names = [
                "accounts", "accruals", "additions", "blocks", "certificates", "clawbacks", "default", "epochs",
                "headers", "holdings", "holds", "keys", "locks", "meta", "offences", "organisations", "parameters",
                "programs", "proposals", "receipts", "replays", "roots", "rules", "sets", "settled", "transactions",
                "units", "votingKeys",
            ]
            // The options file is RocksDB's own record of its column families.
            let file = try #require(
                FileManager.default.contentsOfDirectory(atPath: root.path).filter { $0.hasPrefix("OPTIONS-") }.max())
            let text = try String(contentsOf: root.appendingPathComponent(file), encoding: .utf8)
            let found = text.split(separator: "\n").compactMap { line in
                line.wholeMatch(of: /\[CFOptions "(.+)"\]/).map { String($0.1) }
            }
            #expect(found.sorted() == names)
        }
    }

    @Test func createRefusesWhatHoldsAChainAndOpenRefusesWhatDoesNot() throws {
        try withTemporaryDirectory { root in
            let directory = root.appendingPathComponent("node").path
            #expect(refusal(directory, .readWrite)?.code == .notFound)
            #expect(refusal(directory, .readOnly)?.code == .notFound)
            #expect(refusal(root.path, .readWrite)?.code == .notFound)
            #expect(refusal(root.path, .readOnly)?.code == .notFound)
            #expect(try FileManager.default.contentsOfDirectory(atPath: root.path).isEmpty, "refusals leave nothing")
            #expect(refusal("\(directory)/deep/er", .create)?.code == .notFound)

            #expect(refusal(directory, .create) == nil)
            let again = try #require(refusal(directory, .create))
            #expect(again.code == .exists && again.reason.contains(directory))
            #expect(refusal(directory, .readWrite) == nil)
        }
    }

    @Test func createTakesADirectoryThatHoldsOtherFiles() throws {
        try withTemporaryDirectory { root in
            try Data("x".utf8).write(to: root.appendingPathComponent("node.conf"))
            #expect(refusal(root.path, .create) == nil)
        }
    }

    @Test func pathThatIsAFileIsNotFound() throws {
        try withTemporaryDirectory { root in
            let file = root.appendingPathComponent("file")
            try Data().write(to: file)
            for mode in [RocksDBStore.Mode.create, .readWrite, .readOnly] {
                #expect(refusal(file.path, mode)?.code == .notFound)
            }
        }
    }

    // MARK: One writer

    @Test func secondWriterInTheSameProcessIsRefused() throws {
        try withTemporaryDirectory { root in
            let store = try RocksDBStore(directory: root.path, mode: .create)
            let error = try #require(refusal(root.path, .readWrite))
            #expect(error.code == .locked && error.reason.contains(root.path))
            #expect(refusal(root.path, .create)?.code == .locked)
            store.close()
            #expect(refusal(root.path, .readWrite) == nil)
        }
    }

    /// A refused lock closes its descriptor once: a second close would hit whatever has that number by then. Alone in
    /// a child, since descriptors are the whole process's.
    @Test func refusedLockClosesNoOtherFile() async throws {
        let directory = ownDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        await #expect(processExitsWith: .success) { [directory = directory as String] in
            let store = try RocksDBStore(directory: directory, mode: .create)
            defer { store.close() }
            let stop = DispatchSemaphore(value: 0)
            let done = DispatchGroup()
            DispatchQueue.global().async(group: done) {
                while stop.wait(timeout: .now()) == .timedOut {
                    let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
                    if close(descriptor) != 0 { abort() }
                }
            }
            for _ in 0..<2_000 { _ = try? DirectoryLock(directory) }
            stop.signal()
            done.wait()
        }
    }

    @Test func secondProcessIsRefused() async throws {
        let directory = ownDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let store = try RocksDBStore(directory: directory, mode: .create)
        await #expect(processExitsWith: .success) { [directory = directory as String] in
            let error = try #require(refusal(directory, .readWrite))
            #expect(error.code == .locked && error.reason.contains(directory))
        }
        store.close()
        await #expect(processExitsWith: .success) { [directory = directory as String] in
            #expect(refusal(directory, .readWrite) == nil)
        }
    }

    @Test func killedProcessLosesNothingAndLeavesNoLock() async throws {
        let directory = ownDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        await #expect(processExitsWith: .signal(SIGKILL)) { [directory = directory as String] in
            let store = try RocksDBStore(directory: directory, mode: .create)
            try store.write([.put(.locks, key: height(1), value: [1])], synced: true)
            try store.write([.put(.units, key: [1], value: [2])])
            kill(getpid(), SIGKILL)
        }
        let store = try RocksDBStore(directory: directory, mode: .readWrite)
        defer { store.close() }
        #expect(try store.get(.locks, height(1)) == [1])
        #expect(try store.get(.units, [1]) == [2])
    }

    /// Who may not write here is told so, with the owner's number; the child gives up root first.
    @Test(.enabled(if: geteuid() == 0, "needs root, to become somebody else"))
    func anotherUsersDirectoryIsDenied() async throws {
        let directory = ownDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try RocksDBStore(directory: directory, mode: .create).close()
        await #expect(processExitsWith: .success) { [directory = directory as String] in
            try #require(setgroups(0, nil) == 0 && setgid(65_534) == 0 && setuid(65_534) == 0)
            for mode in [RocksDBStore.Mode.readWrite, .readOnly] {
                let error = try #require(refusal(directory, mode))
                #expect(error.code == .denied && error.reason.contains("belongs to user 0"), "\(error)")
            }
        }
        // Readable but not writable: an auditor's view. Reading works, writing does not.
        for file in try FileManager.default.contentsOfDirectory(atPath: directory) {
            chmod("\(directory)/\(file)", 0o644)
        }
        chmod(directory, 0o755)
        await #expect(processExitsWith: .success) { [directory = directory as String] in
            try #require(setgroups(0, nil) == 0 && setgid(65_534) == 0 && setuid(65_534) == 0)
            #expect(refusal(directory, .readWrite)?.code == .denied)
            #expect(refusal(directory, .create)?.code == .denied)
            #expect(refusal(directory, .readOnly) == nil)
        }
    }

    // MARK: Version

    @Test func anotherFormatIsRefusedWithBothVersions() throws {
        try withTemporaryDirectory { root in
            let store = try RocksDBStore(directory: root.path, mode: .create)
            #expect(try store.get(.meta, Array("format".utf8)) == Array("3".utf8))
            try store.write([.put(.meta, key: Array("format".utf8), value: Array("27".utf8))])
            store.close()
            for mode in [RocksDBStore.Mode.readWrite, .readOnly] {
                let error = try #require(refusal(root.path, mode))
                #expect(error.code == .format)
                #expect(error.reason.contains("format 27") && error.reason.contains("format 3"), "\(error)")
            }
        }
    }

    @Test func interruptedCreationIsNotAChain() throws {
        try withTemporaryDirectory { root in
            let store = try RocksDBStore(directory: root.path, mode: .create)
            try store.write([.delete(.meta, key: Array("format".utf8))])
            store.close()
            #expect(refusal(root.path, .readWrite)?.code == .notFound)
        }
    }

    /// Writes a directory as a build with these columns would have left it.
    private func makeDirectory(_ directory: String, columns: [String], format: String) throws {
        let database = try Database.open(
            directory, .create, ["default"] + columns, lock: DirectoryLock(directory))
        defer { database.close() }
        var batch = WriteBatch()
        batch.put(.meta, Array("format".utf8), Array(format.utf8))
        batch.put(.blocks, height(1), [1])
        try database.write(batch, synced: true)
    }

    @Test func columnsThatCameLaterAreMadeByTheWriterAndEmptyForAReader() throws {
        try withTemporaryDirectory { root in
            try makeDirectory(root.path, columns: ["meta", "blocks"], format: "3")
            let reader = try RocksDBStore(directory: root.path, mode: .readOnly)
            #expect(try reader.get(.blocks, height(1)) == [1])
            #expect(try reader.get(.holds, [1]) == nil)
            #expect(try reader.getMany(.holds, [[1], [2]]) == [nil, nil])
            #expect(try reader.keys(.holds, from: nil, descending: false).isEmpty)
            reader.close()

            let writer = try RocksDBStore(directory: root.path, mode: .readWrite)
            for column in Column.allCases { try writer.write([.put(column, key: [0xFF], value: [1])]) }
            writer.close()
            let again = try RocksDBStore(directory: root.path, mode: .readOnly)
            defer { again.close() }
            for column in Column.allCases { #expect(try again.get(column, [0xFF]) == [1]) }
        }
    }

    @Test func columnsOfANewerBuildAreLeftAlone() throws {
        try withTemporaryDirectory { root in
            let columns = Column.allCases.map(\.rawValue) + ["invoices"]
            try makeDirectory(root.path, columns: columns, format: "3")
            let error = try #require(refusal(root.path, .readWrite))
            #expect(error.code == .format && error.reason.contains("invoices"), "\(error)")
            #expect(refusal(root.path, .readOnly) == nil, "a reader does without them")
        }
    }

    @Test func anotherFormatIsNamedBeforeItsColumns() throws {
        try withTemporaryDirectory { root in
            try makeDirectory(root.path, columns: ["meta", "blocks", "invoices"], format: "4")
            for mode in [RocksDBStore.Mode.readWrite, .readOnly] {
                let error = try #require(refusal(root.path, mode))
                #expect(error.code == .format && error.reason.contains("format 4"), "\(error)")
            }
        }
    }

    // MARK: Reading only

    @Test func readOnlySeesWhatTheWriterHasWritten() throws {
        try withTemporaryDirectory { root in
            let writer = try RocksDBStore(directory: root.path, mode: .create)
            defer { writer.close() }
            try writer.write([.put(.blocks, key: height(1), value: [1])], synced: true)
            try writer.write([.put(.units, key: [1], value: [1])])

            let reader = try RocksDBStore(directory: root.path, mode: .readOnly)
            defer { reader.close() }
            #expect(try reader.get(.blocks, height(1)) == [1])
            #expect(try reader.get(.units, [1]) == [1])
            try writer.write([.put(.units, key: [1], value: [2])])
            #expect(try reader.get(.units, [1]) == [1], "a reader stays at its moment")
            #expect(throws: StorageError(.readOnly, "", place: "")) {
                try reader.write([.put(.units, key: [1], value: [3])])
            }
            #expect(refusal(root.path, .readOnly) == nil, "any number of readers")
        }
    }

    @Test func readOnlyLeavesNoTrace() throws {
        try withTemporaryDirectory { root in
            try RocksDBStore(directory: root.path, mode: .create).close()
            let before = try FileManager.default.contentsOfDirectory(atPath: root.path).sorted()
            #expect(refusal(root.path, .readOnly) == nil)
            #expect(try FileManager.default.contentsOfDirectory(atPath: root.path).sorted() == before)
        }
    }

    /// Each batch writes one number in two columns. However often files change under it, a reader finds them equal.
    @Test func readOnlyIsConsistentBesideABusyWriter() throws {
        try withTemporaryDirectory { root in
            let writer = try RocksDBStore(directory: root.path, mode: .create)
            defer { writer.close() }
            let filler = (0..<1 << 20).map { UInt8(truncatingIfNeeded: ($0 &* 0x9E37_79B9) >> 13) }
            try writer.write([
                .put(.meta, key: Array("height".utf8), value: height(0)), .put(.units, key: [1], value: height(0)),
            ])
            DispatchQueue.concurrentPerform(iterations: 2) { thread in
                do {
                    if thread == 0 {
                        for number in UInt64(1)...120 {
                            try writer.write([
                                .put(.blocks, key: height(number % 20), value: filler),
                                .put(.units, key: [1], value: height(number)),
                                .put(.meta, key: Array("height".utf8), value: height(number)),
                            ])
                        }
                    } else {
                        var newest: [UInt8] = []
                        for _ in 0..<10 {
                            let reader = try RocksDBStore(directory: root.path, mode: .readOnly)
                            defer { reader.close() }
                            let found = try #require(try reader.get(.units, [1]))
                            #expect(try reader.get(.meta, Array("height".utf8)) == found)
                            #expect(!found.lexicographicallyPrecedes(newest), "a later reader sees no older state")
                            newest = found
                        }
                    }
                } catch {
                    Issue.record(error)
                }
            }
        }
    }
}
