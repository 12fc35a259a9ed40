import Canonical
import Chain
import Crypto
import Ledger
import Node
import Simulation
import Testing

/// A node's signed word that it took a transaction up.
@Suite("submission receipts") struct PromiseTests {
    private func promise(_ stage: Stage, _ envelope: Digest, at index: Int) -> Answer? {
        stage.post(.promise(envelope, request: 9_000_000), to: index)
        stage.run()
        return stage.members[index].answers[9_000_000]
    }

    @Test func whatIsUnderWayIsPromisedAndComes() throws {
        let stage = try Stage()
        stage.found()
        // Nothing is certified while no vote arrives.
        stage.carries = { _, _ in false }
        let transaction = stage.earning(1)
        let request = stage.submit(transaction, to: 2)
        guard case .promise(let receipt)? = promise(stage, transaction.envelopeDigest, at: 2) else {
            Issue.record("no promise: \(String(describing: stage.members[2].answers[9_000_000]))")
            return
        }
        #expect(receipt.transaction == transaction.id && receipt.envelope == transaction.envelopeDigest)
        // Block time is some milliseconds ahead of the clock.
        let span = stage.now + NodeCore.promiseMilliseconds...stage.now + NodeCore.promiseMilliseconds + 100
        #expect(receipt.takenAt == stage.now && span.contains(receipt.orderedBy))
        let key = try #require(stage.cast.set[receipt.validator]).key
        #expect(receipt.verifies(genesis: stage.cast.genesisHash, key: key))
        #expect(!receipt.verifies(genesis: .zero, key: key))
        #expect(try SubmissionReceipt(canonicalBytes: receipt.canonicalBytes) == receipt)
        for index in receipt.canonicalBytes.indices {
            var bytes = receipt.canonicalBytes
            bytes[index] ^= 1
            let altered = try? SubmissionReceipt(canonicalBytes: bytes)
            #expect(altered.map { $0.verifies(genesis: stage.cast.genesisHash, key: key) } != true)
        }
        stage.carries = { _, _ in true }
        stage.pass(3_000)
        let (_, place) = try #require(stage.receipt(request, at: 2))
        #expect(try #require(try stage.header(place.height, at: 2)).time <= receipt.orderedBy)
    }

    @Test func nothingElseIsPromised() throws {
        let stage = try Stage()
        stage.found()
        let done = stage.earning(1)
        stage.submit(done, to: 0)
        #expect(promise(stage, done.envelopeDigest, at: 0) == .refused(.notHere))
        #expect(promise(stage, .zero, at: 0) == .refused(.notHere))
        let garbled = Cast.garbled(stage.earning(2))
        stage.submit(garbled, to: 0)
        #expect(promise(stage, garbled.envelopeDigest, at: 0) == .refused(.notHere))
    }

    /// A node whose transactions are not ordered, for whatever reason, does not know when the next ones will be.
    @Test func nothingIsPromisedWhileWhatWasTakenUpWaitsForLong() throws {
        let stage = try Stage()
        stage.found()
        stage.carries = { _, _ in false }
        // Without certificates nodes run some heights ahead, and order nothing beyond.
        for order in 0..<16 {
            stage.submit(stage.earning(UInt8(order)), to: 2)
            stage.pass(200)
        }
        func isPromised(_ order: UInt8) -> Bool {
            let transaction = stage.earning(order)
            stage.submit(transaction, to: 2)
            if case .promise? = promise(stage, transaction.envelopeDigest, at: 2) { return true }
            #expect(stage.members[2].answers[9_000_000] == .refused(.delayed))
            return false
        }
        #expect(isPromised(20))
        stage.pass(NodeCore.orderedMilliseconds)
        #expect(!isPromised(21))
        // Its clock goes back: it has waited no longer for that.
        stage.now -= 20_000
        #expect(!isPromised(22))
        stage.carries = { _, _ in true }
        stage.pass(5_000)
        stage.carries = { _, _ in false }
        #expect(isPromised(23))
    }

    /// Nothing is promised beyond the time up to which it can be executed at all.
    @Test func noPromiseGoesPastTheTransactionsOwnTime() throws {
        let stage = try Stage()
        stage.found()
        stage.carries = { _, _ in false }
        let transaction = stage.earning(1, validFor: 5_000)
        stage.submit(transaction, to: 1)
        guard case .promise(let receipt)? = promise(stage, transaction.envelopeDigest, at: 1) else {
            Issue.record("no promise")
            return
        }
        #expect(receipt.orderedBy == transaction.validUntil)
    }
}
