import Foundation
import TestSupport
import Testing

@testable import Bench

/// A benchmark writes gigabytes and removes what it made: never anything else.
@Suite struct DirectoryTests {
    @Test func whatIsNotABenchmarksIsLeftAlone() throws {
        try withTemporaryDirectory { root in
            let path = root.appendingPathComponent("photos").path
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            try Data("mine".utf8).write(to: URL(fileURLWithPath: path + "/summer.jpg"))
            let error = #expect(throws: BenchError.self) { try BenchDirectory(path) }
            #expect(error?.code == "directory-taken")
            #expect(error?.description.contains("summer.jpg") == true)
            #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["summer.jpg"])
            let file = #expect(throws: BenchError.self) { try BenchDirectory(path + "/summer.jpg") }
            #expect(file?.description.contains("is no directory") == true)
        }
    }

    @Test func itsOwnIsUsedAgain() throws {
        try withTemporaryDirectory { root in
            let path = root.appendingPathComponent("bench").path
            let first = try BenchDirectory(path)
            try FileManager.default.createDirectory(
                atPath: first.ledger("small") + "/db", withIntermediateDirectories: true)
            try Data("x".utf8).write(to: URL(fileURLWithPath: first.ledger("small") + "/db/file"))
            let again = try BenchDirectory(path)
            #expect(FileManager.default.fileExists(atPath: again.ledger("small") + "/db/file"))
            again.remove("small")
            #expect(!FileManager.default.fileExists(atPath: again.ledger("small")))
            #expect(throws: Never.self) { try BenchDirectory(path) }
        }
    }

    @Test func roomIsLookedForBeforeAnythingBegins() throws {
        try withTemporaryDirectory { root in
            let directory = try BenchDirectory(root.appendingPathComponent("bench").path)
            try directory.require(bytes: 1)
            let error = #expect(throws: BenchError.self) { try directory.require(bytes: 1e18) }
            #expect(error?.code == "room-missing")
            #expect(error?.description.contains("write up to 1000000000 GB") == true)
        }
    }

    @Test func aDirectoryThatCannotBeMadeIsSaid() {
        let error = #expect(throws: BenchError.self) { try BenchDirectory("/proc/nothing/bench") }
        #expect(error?.description.contains("cannot make /proc/nothing/bench") == true)
    }
}
