import Canonical
import Chain
import Crypto
import Ledger
import Testing

@Suite struct FinalBlocksTests {
    static let chain = SampleChain.grown
    static let good = finals(2...3)

    static func finals(_ heights: ClosedRange<Int>, certificate: Int? = nil) -> FinalBlocks {
        FinalBlocks(
            headers: heights.map { chain.blocks[$0].header }, entries: heights.map { chain.blocks[$0].raw },
            certificate: chain.certificate(certificate ?? heights.upperBound))
    }

    private func refusal(_ finals: FinalBlocks, after height: Int = 1) -> FinalBlocks.Refusal? {
        do throws(FinalBlocks.Refusal) {
            try finals.verify(
                after: Self.chain.blocks[height].header, genesis: Self.chain.genesis.hash, set: Self.chain.set)
            return nil
        } catch { return error }
    }

    @Test func aCertificateProvesWhatLeadsToIt() {
        #expect(refusal(Self.good) == nil)
        #expect(refusal(Self.finals(3...3), after: 2) == nil)
        #expect(refusal(Self.finals(1...3), after: 0) == nil)
    }

    @Test func whatDoesNotFollowIsRefused() {
        #expect(refusal(Self.good, after: 0) == .notNext)
        #expect(refusal(Self.good, after: 2) == .notNext)
        let headers = Self.good.headers
        let entries = Self.good.entries
        let certificate = Self.good.certificate
        #expect(refusal(.init(headers: [], entries: [], certificate: certificate)) == .notNext)
        #expect(refusal(.init(headers: headers, entries: [entries[0]], certificate: certificate)) == .notNext)
        #expect(
            refusal(.init(headers: [headers[0], headers[0]], entries: entries, certificate: certificate))
                == .headersBroken)
        #expect(
            refusal(.init(headers: headers, entries: [entries[0], entries[0]], certificate: certificate))
                == .entryForeign)
        #expect(refusal(Self.finals(2...3, certificate: 2)) == .certificateForeign)
        let few = Certificate(
            epoch: certificate.epoch, height: certificate.height, header: certificate.header,
            signatures: Array(certificate.signatures.prefix(2)))
        #expect(
            refusal(.init(headers: headers, entries: entries, certificate: few)) == .certificate(.quorumMissed))
    }

    @Test func everyByteMatters() throws {
        let bytes = Self.good.canonicalBytes
        #expect(try FinalBlocks(canonicalBytes: bytes) == Self.good)
        for index in stride(from: 0, to: bytes.count, by: 7) {
            var changed = bytes
            changed[index] ^= 0x10
            if let decoded = try? FinalBlocks(canonicalBytes: changed) { #expect(refusal(decoded) != nil) }
        }
    }
}
