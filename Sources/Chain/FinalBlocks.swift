public import Canonical
public import Crypto

/// A few blocks that one certificate makes final, as a node hands them to one that is behind. Nothing of them need be
/// believed: the certificate proves the last header, each header the one before it and its entry's bytes.
public struct FinalBlocks: Sendable, Equatable {
    /// Ascending, without a gap, up to the certificate's height.
    public let headers: [Header]
    /// The entry of each header, as it was ordered.
    public let entries: [[UInt8]]
    public let certificate: Certificate

    /// A quorum votes on no more heights than these beyond the newest certified one.
    public static let countMax = 8

    public init(headers: [Header], entries: [[UInt8]], certificate: Certificate) {
        self.headers = headers
        self.entries = entries
        self.certificate = certificate
    }

    /// Why blocks prove nothing.
    public enum Refusal: Error, Sendable, Equatable {
        case notNext
        case headersBroken
        /// Other validators govern a header than those whose certificate this is to be.
        case setForeign
        case entryForeign
        case certificateForeign
        case certificate(Certificate.Refusal)
    }

    /// Checks that these are the final blocks after `head`.
    /// - Parameter set: governs the first of them, and has to govern all: a height at which others take over is not
    ///   executed before the one below it is certified, so a certificate always stands between them.
    public func verify(after head: Header, genesis: Digest, set: ValidatorSet) throws(Refusal) {
        guard let first = headers.first, let last = headers.last, headers.count == entries.count,
            first.height == head.height + 1, first.parent == head.hash
        else { throw .notNext }
        guard Header.areLinked(headers) else { throw .headersBroken }
        let hash = set.hash
        guard headers.allSatisfy({ $0.validators == hash }) else { throw .setForeign }
        for (header, entry) in zip(headers, entries) where Entry.hash(raw: entry) != header.entry {
            throw .entryForeign
        }
        guard certificate.height == last.height, certificate.header == last.hash else { throw .certificateForeign }
        do throws(Certificate.Refusal) { try certificate.verify(genesis: genesis, set: set) } catch {
            throw .certificate(error)
        }
    }
}

extension FinalBlocks: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.sequence(headers)
        encoder.length(entries.count)
        for entry in entries { encoder.byteString(entry) }
        encoder.value(certificate)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        headers = try decoder.sequence(min: 1, max: Self.countMax)
        let count = try decoder.length(max: Self.countMax)
        guard count == headers.count else { throw decoder.refusal(.invalidValue) }
        var entries: [[UInt8]] = []
        // Somebody may have put more at a position than an entry may have: such bytes stand in the chain as they are.
        for _ in 0..<count { entries.append(try decoder.byteString(max: Entry.orderedBytesMax)) }
        self.entries = entries
        certificate = try decoder.value()
    }
}
