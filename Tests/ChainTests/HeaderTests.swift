import Canonical
import Chain
import Crypto
import Ledger
import Testing

@Suite struct HeaderTests {
    static let chain = SampleChain.grown

    @Test func timeIsTheMedianAndAlwaysPastTheParents() {
        for (parent, times, time) in [
            (1000, nil, 1001), (1000, [1], 1001), (1000, [1000], 1001), (1000, [1001], 1001), (1000, [1002], 1002),
            (1000, [5000, 9000], 5000), (1000, [9000, 2000, 3000], 3000), (1000, [4000, 1, 3000, 2], 1001),
        ] as [(UInt64, [UInt64]?, UInt64)] {
            let certificate = times.map(VectorTests.certificate(times:))
            #expect(Header.time(parent: parent, certificate: certificate) == time, "\(parent) \(times ?? [])")
        }
    }

    /// Clocks that are broken in a quorum of validators must not take the chain to where adding 1 ms would trap.
    @Test func timeStaysFarFromTheEndOfTheInteger() {
        let broken = VectorTests.certificate(times: [.max, .max, .max])
        #expect(Header.time(parent: 5, certificate: broken) == Genesis.timeMax)
        #expect(Header.time(parent: Genesis.timeMax, certificate: broken) == Genesis.timeMax + 1)
        let late = Genesis(
            chain: "late", time: Genesis.timeMax + 1, orderingEpoch: [UInt8](repeating: 0, count: 16),
            organisations: Sample.genesis.organisations)
        #expect(throws: DecodingError.self) { try Genesis(canonicalBytes: late.canonicalBytes) }
    }

    @Test func headersAreAChain() {
        let headers = Self.chain.blocks.map(\.header)
        #expect(headers[0].parent == .zero)
        for (parent, child) in zip(headers, headers.dropFirst()) {
            #expect(child.parent == parent.hash)
            #expect(child.height == parent.height + 1)
            #expect(child.time > parent.time)
        }
        // With a certificate the block's time is its median: the second of three clocks, or of four.
        #expect(headers[2].time == headers[1].time + 1010)
        #expect(headers[3].time == headers[2].time + 1010)
        #expect(headers[4].time == headers[3].time + 1)
        #expect(headers[2].certificate == Self.chain.certificate(1).hash)
        #expect(headers[4].certificate == .zero)
    }

    @Test func everyFieldIsInTheHash() {
        let header = Self.chain.blocks[3].header
        for (flip, bytes) in byteFlips(of: header.canonicalBytes).enumerated() {
            #expect((try? Header(canonicalBytes: bytes))?.hash != header.hash, "flip \(flip)")
        }
    }
}
