import Concurrency
import Foundation
import Ordering
import OrderingEtcd
import TestSupport
import Testing

extension EtcdTests {
    /// What every order promises, asked of each of them.
    @Suite struct ConformanceTests {
        @Test(arguments: Engine.allCases)
        func entriesStandWhereTheyWerePut(_ engine: Engine) throws {
            try engine.with { (log) throws in
                #expect(try log.readHead() == 0)
                #expect(try log.read(from: 1, max: 4, bytesMax: 8 << 20).entries.isEmpty)
                for position in 1...5 as ClosedRange<UInt64> {
                    #expect(log.append([UInt8(position)], at: position) == .appended)
                }
                #expect(try log.readHead() == 5)
                let range = try log.read(from: 2, max: 3, bytesMax: 8 << 20)
                #expect(range.entries.map(\.position) == [2, 3, 4])
                #expect(range.entries.map(\.bytes) == [[2], [3], [4]])
                #expect(range.head == 5)
                let end = try log.read(from: 6, max: 3, bytesMax: 8 << 20)
                #expect(end.entries.isEmpty && end.head == 5)
            }
        }

        @Test(arguments: Engine.allCases)
        func aPositionIsGivenOnce(_ engine: Engine) throws {
            try engine.with { (log) throws in
                #expect(log.append([1], at: 1) == .appended)
                #expect(log.append([2], at: 1) == .taken)
                #expect(log.append([1], at: 1) == .taken, "also to the same bytes")
                #expect(log.append([3], at: 3) == .taken, "no entry stands beyond a gap")
                #expect(try log.readHead() == 1)
                #expect(try log.read(from: 1, max: 9, bytesMax: 8 << 20).entries.map(\.bytes) == [[1]])
            }
        }

        /// Of many who want one position one gets it, and everybody reads the same.
        @Test(arguments: Engine.allCases)
        func oneOfManyIsFirst(_ engine: Engine) throws {
            try engine.with { (log) throws in
                let (writers, positions) = (6, 8)
                let wins = Locked([Int](repeating: 0, count: positions))
                let threads = (0..<writers).map { writer in
                    WorkerThread {
                        for position in 0..<positions {
                            // Who comes early waits for the position before.
                            while (try? log.readHead()) ?? 0 < UInt64(position) { usleep(1000) }
                            if log.append([UInt8(writer), UInt8(position)], at: UInt64(position + 1)) == .appended {
                                wins.withLock { $0[position] += 1 }
                            }
                        }
                    }
                }
                for thread in threads { thread.join() }
                #expect(wins.withLock { $0 } == [Int](repeating: 1, count: positions))
                let entries = try log.read(from: 1, max: positions, bytesMax: 32 << 20).entries
                #expect(entries.map(\.bytes[1]) == (0..<UInt8(entries.count)).map { $0 })
                #expect(entries.count == positions)
            }
        }

        @Test(arguments: Engine.allCases)
        func theLargestEntryComesBack(_ engine: Engine) throws {
            try engine.with { (log) throws in
                var random = SeededGenerator(seed: 3)
                let bytes = (0..<1 << 20).map { _ in UInt8.random(in: 0...255, using: &random) }
                for position in 1...3 as ClosedRange<UInt64> { #expect(log.append(bytes, at: position) == .appended) }
                let range = try log.read(from: 1, max: 16, bytesMax: 3 << 20)
                #expect(range.entries.count >= 1)
                #expect(range.entries.allSatisfy { $0.bytes == bytes })
                #expect(range.head == 3)
            }
        }

        @Test(arguments: Engine.allCases)
        func whoAppendsWakesOthers(_ engine: Engine) throws {
            try engine.with { (log) throws in
                let woken = Locked(0)
                log.onWake { woken.withLock { $0 += 1 } }
                var position: UInt64 = 0
                // A wake may be lost: not every one.
                let deadline = Date(timeIntervalSinceNow: 20)
                while woken.withLock({ $0 }) < 2, Date() < deadline {
                    position += 1
                    #expect(log.append([0], at: position) == .appended)
                    usleep(100_000)
                }
                #expect(woken.withLock { $0 } >= 2)
            }
        }

        @Test(arguments: Engine.allCases)
        func whatWasTrimmedIsBelowTheFloor(_ engine: Engine) throws {
            try engine.with { (log) throws in
                for position in 1...9 as ClosedRange<UInt64> {
                    #expect(log.append([UInt8(position)], at: position) == .appended)
                }
                try log.trim(below: 6)
                #expect(throws: OrderingError.belowFloor(6)) { try log.read(from: 5, max: 1, bytesMax: 1 << 20) }
                #expect(try log.read(from: 6, max: 9, bytesMax: 32 << 20).entries.map(\.bytes) == [[6], [7], [8], [9]])
                #expect(try log.readHead() == 9)
                #expect(log.append([10], at: 10) == .appended)
                #expect(log.append([3], at: 3) != .appended, "a position that was given is never given again")
                try log.trim(below: 11)
                #expect(try log.readHead() == 10)
                #expect(try log.read(from: 11, max: 1, bytesMax: 1 << 20).head == 10)
                #expect(log.append([11], at: 11) == .appended)
                // A node that knows less of the others' votes, or whose word comes late, trims where others have long.
                try log.trim(below: 7)
                #expect(throws: OrderingError.belowFloor(11)) { try log.read(from: 7, max: 1, bytesMax: 1 << 20) }
                #expect(try log.readHead() == 11)
                #expect(try log.read(from: 11, max: 9, bytesMax: 32 << 20).entries.map(\.bytes) == [[11]])
            }
        }
    }
}

/// An order to be asked.
enum Engine: CaseIterable, CustomTestStringConvertible {
    case inProcess
    case etcd

    var testDescription: String { "\(self)" }

    /// Gives it a ring of its own.
    func with(_ body: (any Ordering) throws -> Void) throws {
        switch self {
        case .inProcess: try body(InProcessLog(epoch: Rings.epoch))
        case .etcd:
            let log = try Rings.shared.log()
            defer { log.stop() }
            try body(log)
        }
    }
}
