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
        guard case .diverged(let height, let own, let certified, let difference)? = stage.members[3].halted else {
            Issue.record("it goes on: \(stage.status(3))")
            return
        }
        #expect(height == stage.log.head && own != certified)
        #expect(try certified == stage.header(height, at: 0)?.hash)
        let found = try #require(difference)
        #expect(found.part == "units" && found.peer == stage.cast.organisation(0))
        let here = try #require(found.roots)
        #expect(try here.certified == BlockStore(stage.members[0].disk).roots(height)?[.units])
        #expect(here.own != here.certified)
        let halted = try #require(stage.members[3].halted)
        for words in ["\(halted)", try #require(halted.chinese)] {
            for what in ["\(height)", "units", "\(here.own)", "\(here.certified)"] { #expect(words.contains(what)) }
        }
        #expect("\(halted)".contains("as the node of organisation 1 shows"))
        #expect(stage.status(3).halted == stage.members[3].halted)
        // It takes nothing up any more.
        let late = stage.submit(stage.earning(3), to: 3)
        #expect(stage.members[3].answers[late] == .refused(.halted))
        // A peer that shows something else than what was certified explains nothing.
        let block = try #require(try BlockStore(stage.members[0].disk).block(certifiedAt: height))
        let earlier = try #require(try BlockStore(stage.members[0].disk).block(certifiedAt: height - 1))
        let divergence = Divergence(header: earlier.header, roots: earlier.roots, certified: certified)
        let peer = stage.cast.organisation(0)
        #expect(divergence.difference(from: earlier.header, roots: earlier.roots, shownBy: peer) == nil)
        #expect(divergence.difference(from: block.header, roots: earlier.roots, shownBy: peer) == nil)
        let entry = divergence.difference(from: block.header, roots: block.roots, shownBy: peer)
        #expect(entry == Divergence.Difference(part: "entry", roots: nil, peer: peer))
    }

    /// A process ends with the explained reason; with the bare one where nobody explains it in time.
    @Test func aReasonSettlesWhenItIsExplainedOrNobodyDoesIt() {
        let bare = Halt.diverged(height: 7, own: .zero, certified: SHA256.hash(.header, []))
        let difference = Divergence.Difference(part: "time", roots: nil, peer: OrganisationID(2))
        let full = Halt.diverged(
            height: 7, own: .zero, certified: SHA256.hash(.header, []), difference: difference)
        let patient = Halts(patience: .seconds(86_400))
        #expect(patient.settled == nil && patient.all == [])
        patient.note(bare)
        #expect(patient.settled == nil && patient.all == [bare])
        patient.note(.rulesVersion(9, from: 5, known: 2))
        patient.note(full)
        #expect(patient.settled == full && patient.all == [full, .rulesVersion(9, from: 5, known: 2)])
        let impatient = Halts(patience: .zero)
        impatient.note(bare)
        #expect(impatient.settled == bare)
        let other = Halts(patience: .seconds(86_400))
        other.note(.rulesVersion(9, from: 5, known: 2))
        #expect(other.settled == .rulesVersion(9, from: 5, known: 2))
    }
}
