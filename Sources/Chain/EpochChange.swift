public import Canonical
public import Crypto
public import Ledger

/// The statements by which a new epoch of the order begins, ascending by validator.
///
/// No certified entry is lost by it. A certificate takes a quorum that voted, and a vote is stored together with its
/// entry; the statements are a quorum too, so an honest validator stands in both. It voted before it gave its
/// statement, since it never votes in that epoch afterwards; so it names the entry, or a certificate at or above it.
public struct EpochChange: Sendable, Equatable {
    public let statements: [EpochStatement]

    /// - Precondition: at most ``Genesis/validatorsMax`` of them.
    public init(_ statements: [EpochStatement]) {
        precondition(statements.count <= Genesis.validatorsMax, "no more than there can be validators")
        self.statements = statements
    }

    /// How a new ring begins.
    public struct Start: Sendable, Equatable {
        /// Of the new epoch.
        public let number: UInt32
        /// Names the ring: 16 bytes of the change's digest, so that a ring begun by other statements is another one.
        public let bytes: [UInt8]
        /// The newest certificate that a statement names; none at height 0.
        public let certificate: Certificate?
        /// Hashes of the entries with which the ring begins, from ``firstHeight`` on.
        public let entries: [Digest]

        public var firstHeight: UInt64 { (certificate?.height ?? 0) + 1 }

        /// As the chain will know it.
        public var row: EpochRow {
            EpochRow(number: number, firstHeight: firstHeight, kept: UInt32(entries.count))
        }
    }

    /// Why no epoch begins by these statements.
    public enum Refusal: Error, Sendable, Equatable {
        case missing
        /// Two statements of one validator, or not in order.
        case statedTwice(OrganisationID)
        /// It is for another epoch than the first statement.
        case epochDiffers(OrganisationID)
        /// The epoch is not the one after that of the directory that judges.
        case notNext(number: UInt32, expected: UInt32)
        case validatorUnknown(OrganisationID)
        case signatureInvalid(OrganisationID)
        case certificate(OrganisationID, Certificate.Refusal)
        /// The certificate that it names is of this epoch or a later one.
        case certificateForeign(OrganisationID)
        /// A vote in it is not its own for that position in the epoch before.
        case voteForeign(OrganisationID, position: UInt64)
        /// Two statements name different entries for one position: somebody lied, or read another ring.
        case entriesDiffer(position: UInt64, OrganisationID, OrganisationID)
        case quorumMissed(height: UInt64, count: Int, quorum: Int)
    }

    /// How the ring begins by what the statements say, of which nothing is checked here but that they agree.
    ///
    /// There is never a gap: each statement names entries from its own certificate on, which is not above the newest.
    public func start() throws(Refusal) -> Start {
        guard let first = statements.first else { throw .missing }
        for (one, next) in zip(statements, statements.dropFirst()) where !(one.validator < next.validator) {
            throw .statedTwice(next.validator)
        }
        for other in statements where other.number != first.number || other.bytes != first.bytes {
            throw .epochDiffers(other.validator)
        }
        let certificate = statements.map(\.certificate).max { $0?.height ?? 0 < $1?.height ?? 0 } ?? nil
        var entries: [Digest] = []
        while true {
            let position = (certificate?.height ?? 0) + 1 + UInt64(entries.count)
            var named: (entry: Digest, by: OrganisationID)?
            for statement in statements {
                guard let entry = statement.entry(at: position)?.hash else { continue }
                if let named, named.entry != entry {
                    throw .entriesDiffer(position: position, named.by, statement.validator)
                }
                named = named ?? (entry, statement.validator)
            }
            guard let named else { break }
            entries.append(named.entry)
        }
        let digest = SHA256.hash(.epochChange, canonicalBytes).bytes
        return Start(
            number: first.number, bytes: Array(digest.prefix(EpochStatement.bytesCount)), certificate: certificate,
            entries: entries)
    }

    /// Checks all of it: signatures, certificates, votes, and that a quorum speaks.
    /// - Parameters:
    ///   - number: of the epoch that is to end.
    ///   - final: below this height nothing is looked at: all of it is known to be final, and who governed it is not
    ///     known to everybody any more. Below the end of the entries with which the ring begins.
    ///   - sets: who governs a height, as far as that is known; the newest that is known beyond.
    public func verify(
        after number: UInt32, genesis: Digest, final: UInt64 = 0, sets: (_ height: UInt64) -> ValidatorSet
    ) throws(Refusal) -> Start {
        let start = try start()
        guard number < .max, start.number == number + 1 else {
            throw .notNext(number: start.number, expected: number &+ 1)
        }
        for statement in statements { try check(certificateOf: statement, start, genesis, final, sets) }
        // Where other validators take over among the entries, a quorum of them too has to have spoken: they may have
        // certified what those before them do not know of.
        let end = start.firstHeight + UInt64(start.entries.count)
        let heights = min(max(start.firstHeight, final), end)...end
        let governing = heights.map { (height: $0, set: sets($0)) }
        for statement in statements { try check(statement, genesis, governing.map(\.set)) }
        for (height, set) in governing {
            let count = statements.count { set[$0.validator] != nil }
            guard count >= set.quorum else { throw .quorumMissed(height: height, count: count, quorum: set.quorum) }
        }
        return start
    }

    /// Of certificates below the newest only what they say is looked at: they prove nothing that counts, and who
    /// governed their heights long ago not everybody knows any more.
    private func check(
        certificateOf statement: EpochStatement, _ start: Start, _ genesis: Digest, _ final: UInt64,
        _ sets: (UInt64) -> ValidatorSet
    ) throws(Refusal) {
        guard let certificate = statement.certificate else { return }
        guard certificate.epoch < statement.number, certificate.height > 0 else {
            throw .certificateForeign(statement.validator)
        }
        guard certificate.height + 1 == start.firstHeight, certificate.height >= final else { return }
        do throws(Certificate.Refusal) {
            try certificate.verify(genesis: genesis, set: sets(certificate.height))
        } catch { throw .certificate(statement.validator, error) }
    }

    private func check(
        _ statement: EpochStatement, _ genesis: Digest, _ sets: [ValidatorSet]
    ) throws(Refusal) {
        let id = statement.validator
        // Mostly one; two where its key is exchanged among the heights in question. It speaks by one of them.
        var keys: [PublicKey] = []
        for set in sets {
            if let key = set[id]?.key, !keys.contains(key) { keys.append(key) }
        }
        guard !keys.isEmpty else { throw .validatorUnknown(id) }
        guard let key = keys.first(where: { statement.verifies(genesis: genesis, key: $0) }) else {
            throw .signatureInvalid(id)
        }
        for (index, entry) in statement.entries.enumerated() {
            guard let vote = entry.vote else { continue }
            let position = statement.certified + 1 + UInt64(index)
            guard vote.validator == id, vote.height == position, vote.epoch == statement.number - 1,
                vote.verifies(genesis: genesis, key: key)
            else { throw .voteForeign(id, position: position) }
        }
    }
}

extension EpochChange: Canonical {
    public func encode(to encoder: inout Encoder) { encoder.sequence(statements) }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        statements = try decoder.ascending(min: 1, max: Genesis.validatorsMax, by: \.validator)
    }
}

extension EpochChange.Refusal: CustomStringConvertible {
    public var description: String {
        switch self {
        case .missing: "there is no statement"
        case .statedTwice(let id): "there are two statements of \(id), or they are not in order"
        case .epochDiffers(let id): "the statement of \(id) is for another epoch than the first one"
        case .notNext(let number, let expected):
            "the statements are for epoch \(number), and the next one here is \(expected)"
        case .validatorUnknown(let id): "\(id) is no validator at the height at which the epoch begins"
        case .signatureInvalid(let id): "the signature of \(id) does not match"
        case .certificate(let id, let refusal): "the certificate of \(id) proves nothing: \(refusal.rawValue)"
        case .certificateForeign(let id): "the certificate of \(id) is of no epoch before this one"
        case .voteForeign(let id, let position):
            "the vote of \(id) at position \(position) is not its own in the epoch before"
        case .entriesDiffer(let position, let one, let other):
            "\(one) and \(other) name different entries at position \(position): one of them lied or read another "
                + "ring; nothing starts until the organisations have decided whose statement counts"
        case .quorumMissed(let height, let count, let quorum):
            "\(count) statements are of validators of height \(height), and it takes \(quorum)"
        }
    }
}
