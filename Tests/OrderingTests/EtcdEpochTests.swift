import Concurrency
import EtcdKit
import HTTPClient
import Ordering
import OrderingEtcd
import Testing

extension EtcdTests {
    /// Rings that follow on a lost one.
    @Suite struct EtcdEpochTests {
        private func epoch(_ number: UInt32, _ byte: UInt8, from height: UInt64) -> OrderingEpoch {
            OrderingEpoch(number: number, bytes: [UInt8](repeating: byte, count: 16), firstHeight: height)
        }

        private func with<R>(
            _ place: EtcdConfiguration, _ epoch: OrderingEpoch, revision: UInt64 = 0, _ body: (EtcdLog) throws -> R
        ) throws -> R {
            let log = try EtcdLog(place, epoch: epoch, revision: revision)
            defer { log.stop() }
            return try body(log)
        }

        private func foreign(_ words: String, _ body: () throws -> Void) {
            #expect {
                try body()
            } throws: { error in
                guard case .foreign(let reason)? = error as? OrderingError else { return false }
                return reason.contains(words)
            }
        }

        /// Begins a ring up to a step, after which the process is gone.
        private func crash(
            _ log: EtcdLog, _ entries: [[UInt8]], _ previous: [UInt8], after last: Int
        ) -> OrderingError? {
            do throws(OrderingError) {
                try log.begin(
                    with: entries, replacing: previous,
                    done: { (step) throws(OrderingError) in
                        if step == last { throw .unreachable("crash") }
                    })
                return nil
            } catch { return error }
        }

        @Test func aRingBeginsWithTheEntriesThatWereAgreedOn() throws {
            let place = try Rings.shared.place()
            try with(place, epoch(1, 1, from: 5)) { log in
                for _ in 0..<2 { try log.begin(with: [[5], [6]], replacing: nil) }
                #expect(try log.readHead() == 6)
                #expect(throws: OrderingError.belowFloor(5)) { try log.read(from: 4, max: 1, bytesMax: 1 << 20) }
                #expect(try log.read(from: 5, max: 9, bytesMax: 64 << 20).entries.map(\.bytes) == [[5], [6]])
                #expect(log.append([7], at: 7) == .appended)
                // Whoever repeats it afterwards changes nothing.
                try log.begin(with: [[5], [6]], replacing: nil)
                #expect(try log.readHead() == 7)
            }
        }

        @Test func onlyTheRingBeforeIsReplaced() throws {
            let place = try Rings.shared.place()
            let (first, second, third) = (Rings.epoch, epoch(1, 1, from: 3), epoch(2, 2, from: 4))
            try with(place, first) { log in
                try log.found()
                for position in 1...4 as ClosedRange<UInt64> { #expect(log.append([0], at: position) == .appended) }
            }
            try with(place, second) { log in
                foreign("--replace") { try log.begin(with: [[3]], replacing: nil) }
                foreign("not the one before") {
                    try log.begin(with: [[3]], replacing: [UInt8](repeating: 9, count: 16))
                }
                try log.begin(with: [[3]], replacing: first.bytes)
                // Of the ring before nothing is left, above its entries neither.
                #expect(try log.readHead() == 3)
                #expect(try log.read(from: 3, max: 9, bytesMax: 64 << 20).entries.map(\.bytes) == [[3]])
            }
            try with(place, third) { log in
                foreign("not the one before") { try log.begin(with: [], replacing: first.bytes) }
            }
            try with(place, first) { log in
                foreign("another epoch") { _ = try log.readHead() }
                #expect(log.append([5], at: 5) == .taken)
            }
        }

        /// A crash between any two steps: until all entries stand, nobody reads the ring or appends to it.
        @Test func aRingThatIsHalfBegunBelongsToNobody() throws {
            let place = try Rings.shared.place()
            let (first, second) = (Rings.epoch, epoch(1, 1, from: 2))
            try with(place, first) { log in
                try log.found()
                #expect(log.append([1], at: 1) == .appended)
            }
            let entries = [[UInt8](repeating: 2, count: 10), [3], [4]]
            for steps in 1...4 {
                try with(place, second) { log in
                    #expect(crash(log, entries, first.bytes, after: steps) == .unreachable("crash"))
                    foreign("another epoch") { _ = try log.readHead() }
                    #expect(log.append([9], at: 2) == .taken)
                    foreign("not the one before") {
                        try with(place, epoch(1, 7, from: 2)) { try $0.begin(with: [], replacing: first.bytes) }
                    }
                }
                try with(place, first) { log in
                    foreign("another epoch") { _ = try log.readHead() }
                    #expect(log.append([9], at: 2) == .taken)
                }
            }
            try with(place, second) { log in
                try log.begin(with: entries, replacing: first.bytes)
                #expect(try log.read(from: 2, max: 9, bytesMax: 64 << 20).entries.map(\.bytes) == entries)
            }
        }

        @Test func aClusterThatHasFallenBackIsRefused() throws {
            let place = try Rings.shared.place()
            let seen = try with(place, Rings.epoch) { log in
                try log.found()
                #expect(log.append([1], at: 1) == .appended)
                #expect(try log.readHead() == 1)
                return log.revision
            }
            #expect(seen > 0)
            try with(place, Rings.epoch, revision: seen) { (log) throws in
                #expect(try log.readHead() == 1)
            }
            try with(place, Rings.epoch, revision: seen + 1_000_000) { log in
                foreign("restored from an old copy") { _ = try log.readHead() }
                foreign("restored from an old copy") { _ = try log.read(from: 1, max: 1, bytesMax: 1 << 20) }
                #expect(log.condition.complaint?.contains("`lianfen epoch`") == true)
            }
        }
    }
}
