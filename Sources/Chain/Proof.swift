public import Canonical
public import Crypto
public import Ledger

/// A statement that anyone can check offline against the genesis: what a balance was at a height, or what became of a
/// transaction. Carries all it needs; trusts nothing but the genesis.
///
/// Its bytes end with a digest of all before them. That digest proves nothing to whoever can compute it; it is there
/// because some altered proofs would hold: one of absence, its account changed, may be as good a proof that the other
/// account has nothing.
public struct Proof: Sendable, Equatable {
    /// What is proved.
    public enum Subject: Sendable, Equatable {
        /// A holding, or (with no summary) that there is none, which proves zero.
        case balance(account: AccountID, unit: UnitCode, summary: HoldingSummary?, roots: SubRoots, path: StateProof)
        /// A transaction's receipt in its block.
        case receipt(Receipt, path: MerklePath)

        /// Why a header does not show it.
        public enum Fault: String, Error, Sendable {
            case state = "the tables' roots do not give the header's state root"
            case path = "the path does not lead from the statement to the header's root"
        }

        /// Checks that it is so under the header of its height, which itself is believed here.
        public func verify(under header: Header) throws(Fault) {
            switch self {
            case .balance(let account, let unit, let summary, let roots, let path):
                guard roots.stateRoot == header.state else { throw .state }
                let value = summary.map { Table.leafValue($0.canonicalBytes) }
                let key = Table.leafKey(account.bytes + unit.paddedBytes)
                guard path.verify(key: key, value: value, root: roots[.holdings]) else { throw .path }
            case .receipt(let receipt, let path):
                guard path.countedRoot(leaf: Proof.leaf(receipt)) == header.receipts else { throw .path }
            }
        }
    }

    public let genesis: Digest
    public let subject: Subject
    /// Headers from the subject's height up to the certified one, each the parent of the next.
    public let headers: [Header]
    public let certificate: Certificate

    /// A certificate may be missing for some heights; the next one makes its ancestors final.
    public static let headersMax = 1024
    public static let bytesMax = 4 << 20
    private static let magic = Array("LFPROOF".utf8)

    public init(genesis: Digest, subject: Subject, headers: [Header], certificate: Certificate) {
        self.genesis = genesis
        self.subject = subject
        self.headers = headers
        self.certificate = certificate
    }

    /// What a proof that holds says.
    public struct Verified: Sendable {
        public let subject: Subject
        public let height: UInt64
        public let time: UInt64
        public let stateRoot: Digest
        /// Organisations that signed, of how many, and how many it takes.
        public let signers: [OrganisationID]
        public let validators: Int
        public let quorum: Int
    }

    /// Why a proof does not hold.
    public enum Refusal: Error, Sendable, Equatable, CustomStringConvertible {
        case genesis
        case headers
        case validators
        case certificate(Certificate.Refusal)
        case state
        case path

        /// What it is in a proof that headers are refused.
        public init(_ refusal: LightClient.Refusal) {
            self =
                switch refusal {
                case .certificate(let refusal): .certificate(refusal)
                case .step(.headerCount), .step(.headersBroken), .step(.certificateForeign): .headers
                case .step: .validators
                }
        }

        /// What it is in a proof that a header does not show its subject.
        public init(_ fault: Subject.Fault) {
            self =
                switch fault {
                case .state: .state
                case .path: .path
                }
        }

        public var description: String {
            switch self {
            case .genesis: "the proof belongs to a chain with another genesis"
            case .headers: "the headers are not a chain up to the certified one"
            case .validators: "a header names validators other than those that are known to vote at its height"
            case .certificate(let refusal): "the certificate does not hold: \(refusal.rawValue)"
            case .state: Subject.Fault.state.rawValue
            case .path: Subject.Fault.path.rawValue
            }
        }
    }

    /// Checks everything, from the statement up to the signatures of a quorum of the genesis's validators.
    public func verify(genesis: Genesis) throws(Refusal) -> Verified { try verify(by: LightClient(genesis)) }

    /// Checks everything, from the statement up to the signatures of a quorum of those who voted at its height.
    public func verify(by client: LightClient) throws(Refusal) -> Verified {
        guard genesis == client.genesis else { throw .genesis }
        do throws(LightClient.Refusal) { try client.verify(headers, by: certificate) } catch { throw Refusal(error) }
        guard let header = headers.first, let set = client.validators(at: certificate.height) else { throw .headers }
        do throws(Subject.Fault) { try subject.verify(under: header) } catch { throw Refusal(error) }
        return Verified(
            subject: subject, height: header.height, time: header.time, stateRoot: header.state,
            signers: certificate.signatures.map(\.validator), validators: set.count, quorum: set.quorum)
    }

    /// A receipt's leaf in its block's receipt root.
    public static func leaf(_ receipt: Receipt) -> Digest { SHA256.hash(.receipt, receipt.canonicalBytes) }

    /// The leaf of a receipt that is encoded already.
    public static func leaf(encoded receipt: RawSpan) -> Digest { SHA256.hash(.receipt, receipt) }
}

extension Proof: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.closed(.proof, magic: Self.magic) { encoder in
            encoder.value(genesis)
            encoder.value(subject)
            encoder.sequence(headers)
            encoder.value(certificate)
        }
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        self = try decoder.closed(.proof, magic: Self.magic) { (decoder) throws(DecodingError) in
            Self(
                genesis: try decoder.value(), subject: try decoder.value(),
                headers: try decoder.sequence(min: 1, max: Self.headersMax), certificate: try decoder.value())
        }
    }
}

extension Proof.Subject: Canonical {
    public func encode(to encoder: inout Encoder) {
        switch self {
        case .balance(let account, let unit, let summary, let roots, let path):
            encoder.variant(0)
            encoder.value(account)
            encoder.value(unit)
            encoder.option(summary)
            encoder.value(roots)
            encoder.value(path)
        case .receipt(let receipt, let path):
            encoder.variant(1)
            encoder.value(receipt)
            encoder.value(path)
        }
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        if try decoder.variant(below: 2) == 0 {
            self = .balance(
                account: try decoder.value(), unit: try decoder.value(), summary: try decoder.option(),
                roots: try decoder.value(), path: try decoder.value())
        } else {
            self = .receipt(try decoder.value(), path: try decoder.value())
        }
    }
}
