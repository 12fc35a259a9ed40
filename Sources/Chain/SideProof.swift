public import Canonical
public import Crypto
import Ledger

/// A statement of a side ledger that another ledger can check: what a holding was, or what became of a transaction,
/// with the headers that lead from there to one that is anchored. A side ledger is another chain of this software with
/// a genesis of its own; the ledger that its heads are anchored in is the main one.
///
/// Who checks it trusts the ``SideAnchor`` and nothing else; the side ledger's validators need not be known.
///
/// **No double mint.** Whoever gives something for a claim records its ``Verified/key`` for ever, in the same
/// transaction, and refuses a key that is there. The key is of the side ledger and of what is claimed, never of anchor,
/// headers or path: the same receipt through another anchor has the same key, and the same transaction id on another
/// side ledger has another one. A transaction that is sent again has further receipts, such as that of a duplicate; all
/// of them have the one key of the transaction, so it counts once also for who takes the wrong one. Three things are
/// left to who consumes a claim:
/// - Only what a receipt says was done is worth anything: a result of `done`, no outcome that `exists`, no line that is
///   excepted. Only then is the key to be recorded: somebody may have sent the same body with a bad signature first.
/// - A receipt says that a transaction was done, not what it was. Its id is the digest of the body: the body is what
///   says whom it is for, and so also on which main ledger, if there are several.
/// - A holding is what was there at a height and may have gone elsewhere at the next, under another key. It may be
///   looked at; nothing may be given for it.
///
/// Its bytes end with a digest of all before them, for the reason that those of a ``Proof`` do.
public struct SideProof: Sendable, Equatable {
    /// Hash of the side ledger's genesis.
    public let genesis: Digest
    public let subject: Proof.Subject
    /// Headers from the subject's height up to the anchored one, each the parent of the next.
    public let headers: [Header]

    /// As many as a ``Proof`` may have. They take 276 KiB of the main ledger's 960 for a transaction, so a proof fits
    /// into one; and a side ledger that is anchored every 1,024 heights or oftener can have each of its heights proved.
    public static let headersMax = Proof.headersMax
    /// What a transaction of the main ledger can carry: the rest is its signers and frame. A receipt with more
    /// exceptions than that has room for cannot be proved to another ledger.
    public static let bytesMax = Transaction.bytesMax - 16_384
    private static let magic = Array("LFSIDE".utf8)

    public init(genesis: Digest, subject: Proof.Subject, headers: [Header]) {
        self.genesis = genesis
        self.subject = subject
        self.headers = headers
    }

    /// What a proof that holds says.
    public struct Verified: Sendable, Equatable {
        /// Hash of the side ledger's genesis.
        public let genesis: Digest
        public let subject: Proof.Subject
        public let height: UInt64
        /// Block time of that height, milliseconds since 1970 UTC.
        public let time: UInt64

        /// What is good once for ever: one for each transaction of each side ledger, and one for each holding at each
        /// height. It is not of the path, so that no other proof of the same makes another.
        public var key: Digest {
            var encoder = Encoder(capacity: 80)
            encoder.value(genesis)
            switch subject {
            case .balance(let account, let unit, _, _, _):
                encoder.variant(0)
                encoder.u64(height)
                encoder.value(account)
                encoder.value(unit)
            case .receipt(let receipt, _):
                encoder.variant(1)
                encoder.value(receipt.transaction)
            }
            return encoder.withBytes { SHA256.hash(.sideClaim, $0) }
        }
    }

    /// Why a proof does not hold under an anchor.
    public enum Refusal: Error, Sendable, Equatable, CustomStringConvertible {
        case genesis
        case headerCount
        case anchorBelow
        case headersBroken
        case heightForeign
        case headerForeign
        case subject(Proof.Subject.Fault)

        public var description: String {
            switch self {
            case .genesis: "the proof is of another ledger than the anchor"
            case .headerCount: "there are no headers, or more than \(SideProof.headersMax)"
            case .anchorBelow: "the anchor lies below the height that the proof is of"
            case .headersBroken: "the headers are not a chain, each the parent of the next"
            case .heightForeign: "the headers do not end at the anchored height"
            case .headerForeign: "the last header is not the one that is anchored"
            case .subject(let fault): fault.rawValue
            }
        }
    }

    /// Checks everything, from the statement up to the anchored header.
    /// - Parameter anchor: has to be trusted: it is what everything else rests on.
    /// - Complexity: a digest for each header, and those of the path.
    public func verify(under anchor: SideAnchor) throws(Refusal) -> Verified {
        guard genesis == anchor.genesis else { throw .genesis }
        guard let first = headers.first, let last = headers.last, headers.count <= Self.headersMax else {
            throw .headerCount
        }
        guard first.height <= anchor.height else { throw .anchorBelow }
        guard Header.areLinked(headers) else { throw .headersBroken }
        guard last.height == anchor.height else { throw .heightForeign }
        guard last.hash == anchor.header else { throw .headerForeign }
        do throws(Proof.Subject.Fault) { try subject.verify(under: first) } catch { throw .subject(error) }
        return Verified(genesis: genesis, subject: subject, height: first.height, time: first.time)
    }
}

/// A header of a side ledger as a member of both ledgers names it on the main one. It makes that header and all its
/// ancestors provable there.
///
/// A header does not name its ledger; its certificate does, in the bytes that are signed. So an anchor is to be trusted
/// only where somebody who is trusted made it of a certified header: a header that is anchored under a genesis which is
/// not its own would make second keys for claims that have been taken up.
public struct SideAnchor: Sendable, Hashable {
    /// Hash of the side ledger's genesis.
    public let genesis: Digest
    public let height: UInt64
    /// Hash of the header of that height. State, receipts and all headers before it follow from it.
    public let header: Digest

    public static let byteCount = 72

    public init(genesis: Digest, height: UInt64, header: Digest) {
        self.genesis = genesis
        self.height = height
        self.header = header
    }

    /// Makes one of a header that is certified.
    /// - Parameter client: knows who votes on the side ledger at that height.
    /// - Throws: why the header is not known to be certified.
    public init(of header: Header, certificate: Certificate, by client: LightClient) throws(LightClient.Refusal) {
        try client.verify([header], by: certificate)
        self.init(genesis: client.genesis, height: header.height, header: header.hash)
    }
}

extension SideAnchor: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.value(genesis)
        encoder.u64(height)
        encoder.value(header)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        genesis = try decoder.value()
        height = try decoder.u64()
        header = try decoder.value()
    }
}

extension SideProof: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.closed(.sideProof, magic: Self.magic) { encoder in
            encoder.value(genesis)
            encoder.value(subject)
            encoder.sequence(headers)
        }
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        let start = decoder.offset
        self = try decoder.closed(.sideProof, magic: Self.magic) { (decoder) throws(DecodingError) in
            Self(
                genesis: try decoder.value(), subject: try decoder.value(),
                headers: try decoder.sequence(min: 1, max: Self.headersMax))
        }
        guard decoder.offset - start <= Self.bytesMax else { throw decoder.refusal(.lengthTooLarge) }
    }
}
