import Bench
import Canonical
import Chain
import Crypto
import Ledger
import Node

extension HotPath {
    /// From bytes to values and back, and the digests of both.
    static let bytes = [
        HotPath("transfer-decode", "a signed transfer from the bytes of its envelope") {
            let envelopes = World.transfers(pass: 0).map(\.bytes)
            return repeated(envelopes) { (try? Transaction(envelope: $0))?.signatures.count ?? 0 }
        },
        HotPath("accrual-decode", "an accrual line from the bytes of its batch") {
            let envelope = World.accruals(pass: 0)[0].bytes
            return Prepared(count: World.passCount) { _ in
                (try? Transaction(envelope: envelope))?.body.operations.count ?? 0
            }
        },
        HotPath("entry-decode", "a transfer of an entry of a thousand, its proposer's signature checked") {
            let line = World.Line()
            let raw = line.entry(World.transfers(pass: 0))
            return Prepared(count: World.passCount) { _ in line.executor.decode(raw).transactions.count }
        },
        HotPath("entry-encode", "the same entry, made and signed") {
            let line = World.Line()
            let transactions = World.transfers(pass: 0)
            return Prepared(count: World.passCount) { _ in line.entry(transactions).count }
        },
        HotPath("signature-verify", "the signatures of a transfer") {
            return repeated(World.signedTransfers(count: 20)) {
                $0.signaturesVerify(genesis: World.genesisHash) ? 1 : 0
            }
        },
        HotPath("receipt-encode", "a transfer's receipt") {
            let receipts = World.Stage().opened().execute(World.inputs(World.transfers(pass: 0))).receipts
            return repeated(receipts) { $0.canonicalBytes.count }
        },
        HotPath("holding-encode", "a holding as it is stored and as its leaf has it") {
            return repeated(try holdings()) { $0.canonicalBytes.count + $0.summary.canonicalBytes.count }
        },
        HotPath("holding-decode", "a holding as it is stored") {
            let rows = try holdings().map(\.canonicalBytes)
            return repeated(rows) { (try? Holding(canonicalBytes: $0))?.lots.count ?? 0 }
        },
        HotPath("vote", "a vote into bytes and out of them") {
            repeated(votes()) { (try? Vote(canonicalBytes: $0.canonicalBytes))?.signature.bytes.count ?? 0 }
        },
        HotPath("certificate", "a certificate of four votes into bytes and out of them") {
            let certificates = votes().map { vote in
                Certificate(
                    joining: World.set.validators.map {
                        Vote(
                            epoch: 0, height: vote.height, header: vote.header, time: vote.time, validator: $0.id,
                            signature: vote.signature)
                    })
            }
            return repeated(certificates) {
                (try? Certificate(canonicalBytes: $0.canonicalBytes))?.signatures.count ?? 0
            }
        },
        HotPath("leaf-digest", "key and value of a leaf of the state trees, and the node above two of them") {
            let keys = (0..<World.passCount).map { BenchChain.account($0).bytes }
            return repeated(keys) {
                let pair = SHA256.pair(1, Table.leafKey($0), Table.leafValue($0))
                return Int(truncatingIfNeeded: pair.leadingWord)
            }
        },
    ]

    /// A pass over these, each an operation.
    static func repeated<Element>(_ elements: [Element], _ body: @escaping (Element) -> Int) -> Prepared {
        Prepared(count: elements.count) { _ in
            var sum = 0
            for element in elements { sum &+= body(element) }
            return sum
        }
    }

    static func holdings() throws -> [Holding] {
        let changes = World.Stage().opened().execute(World.inputs(World.transfers(pass: 0))).changes
        let rows = changes.first { $0.table == .holdings }?.rows ?? []
        return try rows.compactMap(\.value).map { try Holding(canonicalBytes: $0) }
    }

    private static func votes() -> [Vote] {
        (0..<World.passCount).map { height in
            Vote(
                epoch: 0, height: UInt64(height), header: SHA256.hash([UInt8(truncatingIfNeeded: height)]),
                time: UInt64(height), validator: OrganisationID(1),
                signature: Signature(bytes: [UInt8](repeating: UInt8(truncatingIfNeeded: height), count: 64)))
        }
    }
}
