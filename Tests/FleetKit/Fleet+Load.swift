import Concurrency
import Ledger
import Testing
import Wallet

extension Fleet {
    /// Does something while clients pass points on through these nodes, one after the other and without a pause.
    /// - Returns: how many transfers were certified meanwhile; each that was sent was.
    @discardableResult
    public func underLoad(through indices: [Int], _ body: () throws -> Void) throws -> Int {
        let isOver = Locked(false)
        let counts = Locked((certified: 0, failures: [String]()))
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
                        counts.withLock { $0.certified += 1 }
                    } catch { counts.withLock { $0.failures.append("\(index): \(error)") } }
                }
            }
        }
        let result = Result { try body() }
        isOver.withLock { $0 = true }
        for thread in threads { thread.join() }
        try result.get()
        let (certified, failures) = counts.withLock { $0 }
        try #require(failures == [])
        return certified
    }
}
