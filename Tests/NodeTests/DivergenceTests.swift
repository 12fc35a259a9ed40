import Canonical
import Chain
import Crypto
import Ledger
import Node
import Simulation
import Storage
import Testing

/// A node whose tables were changed behind its back computes something else than the others: it stops, says in which
/// table they come apart, and serves nothing.
@Suite("divergence") struct DivergenceTests {
    @Test func aNodeThatComesApartStopsAndNamesTheTable() throws {
        let stage = try Stage()
        stage.found()
        stage.submit(stage.earning(1), to: 0)
        // Opened anew it reads its rows when it needs them; one of them is not what it was then.
        stage.kill(3)
        try stage.open(3)
        stage.run()
        let store = BlockStore(stage.members[3].disk)
        let unit = stage.cast.units[0]
        var row = try #require(try store.store.get(.units, unit.paddedBytes))
        // Minted and available, by one more: conserved, and wrong.
        let start = row.count - 80
        row[start] += 1
        row[start + 16] += 1
        var batch = WriteBatch()
        batch.put(.units, unit.paddedBytes, row)
        try store.store.write(batch, synced: true)

        let request = stage.submit(stage.earning(2), to: 0)
        #expect(stage.receipt(request, at: 0)?.receipt.result == .done)
        stage.pass(3_000)
        guard case .diverged(let height, let own, let certified, let part)? = stage.members[3].halted else {
            Issue.record("it goes on: \(stage.status(3))")
            return
        }
        #expect(height == stage.log.head && own != certified)
        #expect(try certified == stage.header(height, at: 0)?.hash)
        #expect(part == "units")
        #expect("\(stage.members[3].halted!)".contains("they come apart in units"))
        #expect(stage.status(3).halted == stage.members[3].halted)
        // It takes nothing up any more.
        let late = stage.submit(stage.earning(3), to: 3)
        #expect(stage.members[3].answers[late] == .refused(.halted))
        // A peer that shows something else than what was certified explains nothing.
        let block = try #require(try BlockStore(stage.members[0].disk).block(certifiedAt: height))
        let earlier = try #require(try BlockStore(stage.members[0].disk).block(certifiedAt: height - 1))
        let divergence = Divergence(header: earlier.header, roots: earlier.roots, certified: certified)
        #expect(divergence.part(other: earlier.header, otherRoots: earlier.roots) == nil)
        #expect(divergence.part(other: block.header, otherRoots: earlier.roots) == nil)
        #expect(divergence.part(other: block.header, otherRoots: block.roots) == "parent")
    }
}
