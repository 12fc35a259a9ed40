import Canonical
import Chain
import Concurrency
import Crypto
import Ledger
import ServerKit
import Testing

@testable import Wallet

/// A node whose chain has changed its validators, played in front of a real one: what it shows is signed by keys of the
/// town, so that a client has to follow the change to believe it.
@Suite(.ownThread) struct ValidatorChangeTests {
    /// Three headers: one of the town's validators, one that announces others, one of those.
    private struct Changed: Sendable {
        let step: LightStep
        let proof: Proof
        let receipt: Receipt
        /// A change to others that nobody agreed to.
        let forged: LightStep

        init(_ town: Town) {
            let genesis = town.genesis
            let old = ValidatorSet(genesis)
            let newKeys = (0..<4).map { _ in SecretKey() }
            let new = ValidatorSet(
                newKeys.enumerated().map { Validator(id: OrganisationID(UInt32($0 + 5)), key: $1.publicKey) })
            receipt = Receipt(transaction: SHA256.hash([1, 2, 3]), result: .done, outcomes: [.done])
            let leaf = Proof.leaf(receipt)
            func header(_ height: UInt64, parent: Digest, _ set: ValidatorSet, next: ValidatorSet) -> Header {
                Header(
                    height: height, parent: parent, entry: .zero, transactions: .zero,
                    receipts: MerkleTree.countedRoot(of: [leaf]), state: .zero, validators: set.hash,
                    nextValidators: next.hash, rulesVersion: 1, time: genesis.time + height, certificate: .zero)
            }
            func certificate(_ header: Header, _ set: ValidatorSet, _ keys: [SecretKey]) -> Certificate {
                Certificate(
                    joining: zip(set.validators, keys).map { validator, key in
                        Vote(
                            signing: header.hash, height: header.height, epoch: 0, time: header.time + 1,
                            genesis: genesis.hash, validator: validator.id, key: key)
                    })
            }
            let announcing = header(5, parent: .zero, old, next: new)
            let first = header(6, parent: announcing.hash, new, next: new)
            step = LightStep([announcing], certificate: certificate(announcing, old, town.votingKeys), set: new)
            forged = LightStep([announcing], certificate: certificate(announcing, old, newKeys), set: new)
            proof = Proof(
                genesis: genesis.hash, subject: .receipt(receipt, path: MerkleTree.path(of: 0, in: [leaf])),
                headers: [first], certificate: certificate(first, new, newKeys))
        }
    }

    /// Runs `body` with a client of a node that shows the change, or a forged one, or none.
    private func withChange(
        _ shown: @escaping @Sendable (Changed) -> LightStep?, body: (NodeClient, Changed, LedgerServer) throws -> Void
    ) throws {
        let changed = Locked<Changed?>(nil)
        try withTown(before: { request in
            guard let changed = changed.withLock({ $0 }) else { return nil }
            switch request.target {
            case "/v1/transactions/\(changed.receipt.transaction)/proof":
                return .bytes(200, headers: [:], changed.proof.canonicalBytes)
            case "/v1/validators/changes?after=0":
                return .bytes(200, headers: [:], LightSteps(shown(changed).map { [$0] } ?? []).canonicalBytes)
            case "/v1/validators/changes?after=5":
                return .bytes(200, headers: [:], LightSteps([]).canonicalBytes)
            default: return nil
            }
        }) { town, server in
            let made = Changed(town)
            changed.withLock { $0 = made }
            try body(town.client(server, as: town.anna), made, server)
        }
    }

    @Test func proofAfterAChangeHoldsOnceTheChangeIsFollowed() throws {
        try withChange({ $0.step }) { client, changed, server in
            for _ in 0..<2 {
                let proven = try client.provenReceipt(of: changed.receipt.transaction)
                #expect(proven.receipt == changed.receipt)
                #expect(proven.verified.signers.map(\.number) == [5, 6, 7, 8])
            }
            // The change is asked for once.
            #expect(server.requests.count { $0.hasPrefix("GET /v1/validators/changes") } == 2)
            var seen: [LightStep] = []
            let light = try client.followValidators { seen.append($0) }
            #expect(light.validators == changed.step.set)
            #expect(seen.isEmpty)
        }
    }

    @Test func forgedChangeIsNotBelieved() throws {
        try withChange({ $0.forged }) { client, changed, _ in
            for _ in 0..<2 {
                #expect(throws: NodeClientError(.proofInvalid, "")) { () throws in
                    _ = try client.provenReceipt(of: changed.receipt.transaction)
                }
            }
        }
    }

    @Test func withoutTheChangeTheProofIsRefused() throws {
        try withChange({ _ in nil }) { client, changed, _ in
            #expect(throws: NodeClientError(.proofInvalid, "")) { () throws in
                _ = try client.provenReceipt(of: changed.receipt.transaction)
            }
        }
    }

    @Test func aChainWithoutChangesIsFollowedToItsHead() throws {
        try withTown { town, server in
            let client = try town.client(server, as: town.anna)
            let light = try client.followHead()
            #expect(light.trusted.height > 0)
            #expect(light.validators == ValidatorSet(town.genesis))
            #expect(try client.header(light.trusted.height).header.hash == light.trusted.hash)
        }
    }
}
