import Canonical
import Chain
import Crypto
import Ledger
import Node
import Storage
import Testing

/// The changes of the validators as a directory shows them to light clients.
@Suite struct ValidatorChangeTests {
    private static let key = SecretKey(seed: [UInt8](repeating: 3, count: 32))

    private static func set(_ number: UInt32) -> ValidatorSet {
        ValidatorSet([Validator(id: OrganisationID(number), key: key.publicKey)])
    }

    /// A directory of headers alone, with sets that begin at these heights.
    private func directory(_ firsts: [UInt64], to head: UInt64, without missing: UInt64? = nil) throws -> BlockStore {
        let store = MemoryStore()
        var batch = WriteBatch()
        let sets = [UInt64(0)] + firsts
        func set(_ height: UInt64) -> ValidatorSet { Self.set(UInt32(sets.last { $0 <= height } ?? 0) + 1) }
        for first in sets { batch.put(.sets, bigEndianBytes(first), set(first).canonicalBytes) }
        for height in 0...head {
            let header = Header(
                height: height, parent: .zero, entry: .zero, transactions: .zero, receipts: .zero, state: .zero,
                validators: set(height).hash, nextValidators: set(height + 1).hash, rulesVersion: 1, time: height,
                certificate: .zero)
            batch.put(.headers, bigEndianBytes(height), header.canonicalBytes)
            guard height > 0, height != missing else { continue }
            let vote = Vote(
                signing: header.hash, height: height, epoch: 0, time: height + 1, genesis: .zero,
                validator: set(height).validators[0].id, key: Self.key)
            batch.put(.certificates, bigEndianBytes(height), Certificate(joining: [vote]).canonicalBytes)
        }
        batch.put(.meta, Array("height".utf8), bigEndianBytes(head))
        try store.write(batch, synced: true)
        return BlockStore(store)
    }

    @Test func eachChangeComesOnceInOrder() throws {
        let blocks = try directory([4, 5, 20], to: 30)
        let steps = try blocks.lightSteps(after: 0, max: 10)
        #expect(steps.map { $0.headers.map(\.height) } == [[3], [4], [19]])
        #expect(steps.map(\.set) == [Self.set(5), Self.set(6), Self.set(21)])
        for step in steps {
            #expect(step.certificate.header == step.headers[0].hash)
            #expect(step.set?.hash == step.headers[0].nextValidators)
        }
        #expect(try blocks.lightSteps(after: 0, max: 2) == Array(steps.prefix(2)))
        #expect(try blocks.lightSteps(after: 2, max: 10) == steps)
        #expect(try blocks.lightSteps(after: 3, max: 10) == Array(steps.dropFirst()))
        #expect(try blocks.lightSteps(after: 19, max: 10).isEmpty)
        #expect(try blocks.lightSteps(after: .max, max: 10).isEmpty)
    }

    /// The set of the height after the next is stored with the tables; its header comes later.
    @Test func whatIsNotCertifiedYetIsNotShown() throws {
        #expect(try directory([6], to: 4).lightSteps(after: 0, max: 10).isEmpty)
        #expect(try directory([6], to: 5).lightSteps(after: 0, max: 10).count == 1)
        #expect(try directory([6, 9], to: 12, without: 8).lightSteps(after: 0, max: 10).count == 1)
    }
}
