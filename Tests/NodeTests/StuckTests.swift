import Chain
import Crypto
import Ledger
import Node
import Ordering
import Simulation
import Storage
import Testing

/// What would leave a node, or whoever asked it, waiting for good.
@Suite("nothing waits for good") struct StuckTests {
    /// The tables of one member come late: the other members go on, it does not run away from its own disk, and it
    /// catches up.
    @Test func aSlowDiskHoldsExecutionBack() throws {
        let stage = try Stage()
        stage.found()
        let start = stage.status(3).committed
        stage.commits = { $0 != 3 }
        for number: UInt8 in 0..<60 { stage.submit(stage.earning(number, amount: 1), to: 0) }
        #expect(stage.status(0).committed == stage.log.head)
        #expect(stage.status(3).committed == start)
        #expect(stage.status(3).executed - start <= NodeCore.uncommittedMax)
        stage.commits = { _ in true }
        while stage.status(3).committed < stage.log.head {
            let before = stage.status(3).committed
            stage.writeTables(of: 3)
            stage.pass(2000)
            try #require(stage.status(3).committed > before)
        }
        #expect(try stage.balance(0, at: 3) == 60)
    }
}
