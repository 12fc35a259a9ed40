import Concurrency
import Ledger
import Testing
import Wallet

extension Fleet {
    /// Does something while clients pass points on through these nodes, one after the other and without a pause.
    /// - Parameter pauseMax: how long it may take at most from one certified transfer to the next, whoever sent them.
    /// - Returns: how many transfers were certified meanwhile; each that was sent was.
    @discardableResult
    public func underLoad(
        through indices: [Int], pauseMax: Duration? = nil, _ body: () throws -> Void
    ) throws -> Int {
        let isOver = Locked(false)
        let counts = Locked((certified: 0, failures: [String](), last: ContinuousClock.now, pause: Duration.zero))
        let threads = try indices.enumerated().map { place, index in
            let client = try client(index)
            let (people, unit) = (people, unit)
            return WorkerThread("load") {
                defer { client.stop() }
                var number = place
                while !isOver.withLock({ $0 }) {
                    let (from, to) = (people[number % people.count], people[(number + 1) % people.count])
                    number += 1
                    do {
                        let operation = Operation.transfer(from: from.account, to: to.account, unit: unit, amount: 1)
                        _ = try client.submit(client.signed(operation, by: from))
                        counts.withLock { counts in
                            let now = ContinuousClock.now
                            counts.certified += 1
                            counts.pause = max(counts.pause, now - counts.last)
                            counts.last = now
                        }
                    } catch { counts.withLock { $0.failures.append("\(index): \(error)") } }
                }
            }
        }
        let result = Result { try body() }
        isOver.withLock { $0 = true }
        for thread in threads { thread.join() }
        try result.get()
        let (certified, failures, _, pause) = counts.withLock { $0 }
        try #require(failures == [])
        if let pauseMax { #expect(pause <= pauseMax, "\(certified) transfers were certified") }
        return certified
    }
}
