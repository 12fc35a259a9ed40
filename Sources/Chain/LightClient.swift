public import Canonical
public import Crypto
public import Ledger

/// Who may vote at each height, as far as one knows it who trusts a genesis or a checkpoint and no node.
///
/// It begins with one set of validators and goes from change to change: a set that comes is announced in a header, and
/// a quorum of the set that goes has signed that header. So nobody's word is needed for any of it, and where a step is
/// refused, nothing has changed.
///
/// Between two headers of one set it may skip any number of heights. It then knows that a quorum of that set signed the
/// later one; it cannot know that the set was not replaced in between and came back, or that it was replaced and its
/// old members sign a fork together, years later perhaps, with keys that nothing protects any more. No signature tells
/// these apart. What helps is time: a header that is no older than ``staleMilliseconds`` by the client's own clock
/// (``isStale(at:)``) is at least no old one that is shown again while changes are withheld. Against former members who
/// make up times as well, only this helps: follow each change while its keys are in use, or begin at a checkpoint that
/// is recent and from somebody who is trusted.
///
/// `lianfen.js` has the same under the same names.
public struct LightClient: Sendable, Equatable {
    /// Hash of the genesis; it stands in all signed bytes.
    public let genesis: Digest
    /// The newest header that was proved.
    public private(set) var trusted: Trusted
    /// Those who vote from a height on, in ascending order of it; those of the last one vote until a header that was
    /// not seen yet says otherwise.
    private var sets: [ValidatorSets.Change]

    /// What is kept of a header.
    public struct Trusted: Sendable, Equatable {
        public let height: UInt64
        /// None at the genesis, whose header needs no proof.
        public let hash: Digest?
        /// Block time, milliseconds since 1970 UTC.
        public let time: UInt64
        /// The ordering epoch in which it was voted on; 0 where nothing is known of it.
        public let epoch: UInt32
    }

    /// Sets that are remembered; of more, the oldest are forgotten, and what they signed is refused as too old.
    public static let setsMax = 1024
    /// A certified head older than this is stale: a chain that is idle orders empty entries more often.
    public static let staleMilliseconds: UInt64 = 30_000

    public init(_ genesis: Genesis) {
        self.genesis = genesis.hash
        trusted = Trusted(height: 0, hash: nil, time: genesis.time, epoch: 0)
        sets = [ValidatorSets.Change(from: 0, set: ValidatorSet(genesis))]
    }

    /// Begins at a checkpoint.
    /// - Parameters:
    ///   - header: the checkpoint's header, from anybody.
    ///   - set: those who vote after it, from anybody.
    public init(genesis: Digest, checkpoint: Checkpoint, header: Header, set: ValidatorSet) throws(Refusal) {
        guard header.height == checkpoint.height, header.hash == checkpoint.header else {
            throw .step(.checkpointForeign)
        }
        guard header.nextValidators == set.hash else { throw .step(.setForeign) }
        self.genesis = genesis
        trusted = Trusted(height: header.height, hash: checkpoint.header, time: header.time, epoch: 0)
        let isOld = header.validators == header.nextValidators
        sets = [ValidatorSets.Change(from: isOld ? header.height : header.height + 1, set: set)]
    }

    // MARK: What it knows

    /// Those who vote on the height after ``trusted``.
    public var validators: ValidatorSet { sets[sets.count - 1].set }

    /// Those who vote on a height. Above ``trusted`` that is an assumption: a change may have come that was not seen.
    /// - Returns: nil below where the client began, or where sets were forgotten.
    public func validators(at height: UInt64) -> ValidatorSet? { sets.last { $0.from <= height }?.set }

    /// Whether the newest header is too old to tell who votes now.
    /// - Parameter now: the client's clock, milliseconds since 1970 UTC.
    public func isStale(at now: UInt64) -> Bool { now > trusted.time && now - trusted.time > Self.staleMilliseconds }

    // MARK: Steps

    /// Takes up a header above the trusted one, and the set that it announces where it announces another.
    /// - Complexity: a signature check for each signer of the certificate.
    /// - Throws: ``Refusal``; nothing has changed then.
    public mutating func advance(to step: LightStep) throws(Refusal) {
        guard (1...LightStep.headersMax).contains(step.headers.count) else { throw .step(.headerCount) }
        let (first, last) = (step.headers[0], step.headers[step.headers.count - 1])
        guard first.height > trusted.height else { throw .step(.heightNotAbove) }
        try Self.checkLinks(step.headers, step.certificate)
        if first.height == trusted.height + 1, let hash = trusted.hash, first.parent != hash {
            throw .step(.parentForeign)
        }
        // Block time rises with every height.
        var before = (height: trusted.height, time: trusted.time)
        for header in step.headers {
            guard header.time > before.time, header.time - before.time >= header.height - before.height else {
                throw .step(.timeBack)
            }
            before = (header.height, header.time)
        }
        guard step.certificate.epoch >= trusted.epoch else { throw .step(.epochBack) }
        try checkSets(step.headers)
        let announces = last.nextValidators != validators.hash
        if let set = step.set {
            guard set.hash == last.nextValidators else { throw .step(.setForeign) }
        } else if announces {
            throw .step(.setMissing)
        }
        try check(step.certificate)

        trusted = Trusted(height: last.height, hash: last.hash, time: last.time, epoch: step.certificate.epoch)
        if announces, let set = step.set { sets.append(ValidatorSets.Change(from: last.height + 1, set: set)) }
        if sets.count > Self.setsMax { sets.removeFirst() }
    }

    /// Checks that headers are a chain up to the one that the certificate certifies, at heights whose sets are known.
    /// - Parameter headers: at least one, each the parent of the next. The last one may announce a set.
    public func verify(_ headers: [Header], by certificate: Certificate) throws(Refusal) {
        guard !headers.isEmpty else { throw .step(.headerCount) }
        try Self.checkLinks(headers, certificate)
        try checkSets(headers)
        try check(certificate)
    }

    private static func checkLinks(_ headers: [Header], _ certificate: Certificate) throws(Refusal) {
        guard Header.areLinked(headers) else { throw .step(.headersBroken) }
        guard let last = headers.last, certificate.height == last.height, certificate.header == last.hash else {
            throw .step(.certificateForeign)
        }
    }

    /// Checks that each header names those who vote at its height, and at the next.
    private func checkSets(_ headers: [Header]) throws(Refusal) {
        for (index, header) in headers.enumerated() {
            guard let set = validators(at: header.height) else { throw .step(.heightTooOld) }
            guard header.validators == set.hash else {
                throw .step(header.height > trusted.height + 1 ? .changeUnseen : .validatorsForeign)
            }
            // The set that comes has signed nothing here that anybody need believe: a change is certified by the set
            // that goes, and so at its own height.
            let isUnknown = header.height > trusted.height
            if isUnknown, index == headers.count - 1 { continue }
            guard let next = validators(at: header.height + 1), header.nextValidators == next.hash else {
                throw .step(isUnknown ? .changeUncertified : .validatorsForeign)
            }
        }
    }

    private func check(_ certificate: Certificate) throws(Refusal) {
        guard let set = validators(at: certificate.height) else { throw .step(.heightTooOld) }
        do throws(Certificate.Refusal) { try certificate.verify(genesis: genesis, set: set) } catch {
            throw .certificate(error)
        }
    }

    /// What is wrong with a step, apart from its certificate's signatures.
    public enum Fault: String, Sendable, CaseIterable {
        case checkpointForeign = "the header is not the checkpoint's"
        case headerCount = "there are no headers, or more than one certificate makes final"
        case heightNotAbove = "the header does not lie above what is trusted"
        case heightTooOld = "the height lies below those whose validators are known"
        case headersBroken = "the headers are not a chain, each the parent of the next"
        case certificateForeign = "the certificate is of another header or height"
        case parentForeign = "the header after the trusted one has another parent"
        case timeBack = "block time does not rise with the height"
        case epochBack = "the certificate is of an older ordering epoch than the trusted one"
        case changeUnseen = "the header names other validators: a change in between has not been shown"
        case validatorsForeign = "the header names other validators than those who vote at its height"
        case changeUncertified = "a header announces other validators and is not certified itself"
        case setMissing = "the header announces other validators, and they are not shown"
        case setForeign = "the validators shown are not those that the header announces"
    }

    /// Why nothing was taken up.
    public enum Refusal: Error, Sendable, Equatable, CustomStringConvertible {
        case step(Fault)
        case certificate(Certificate.Refusal)

        public var description: String {
            switch self {
            case .step(let fault): fault.rawValue
            case .certificate(let refusal): "the certificate does not hold: \(refusal.rawValue)"
            }
        }
    }
}

/// A certified header as somebody who is trusted names it, to begin with instead of the genesis.
public struct Checkpoint: Sendable, Equatable, CustomStringConvertible {
    public let height: UInt64
    public let header: Digest

    public init(height: UInt64, header: Digest) {
        self.height = height
        self.header = header
    }

    /// Reads `HEIGHT:HASH`, the height without leading zeros, the hash as 64 hexadecimal digits.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let height = UInt64(parts[0]), String(height) == parts[0],
            let header = Digest(hex: String(parts[1]))
        else { return nil }
        self.init(height: height, header: header)
    }

    public var description: String { "\(height):\(header)" }
}

/// A header for a ``LightClient``, with what makes it final.
public struct LightStep: Sendable, Equatable, Canonical {
    /// Each the parent of the next, up to the certified one, which is what is taken up.
    public let headers: [Header]
    public let certificate: Certificate
    /// Those who vote after the certified header, where that announces others than before.
    public let set: ValidatorSet?

    public static let headersMax = FinalBlocks.countMax
    /// Beyond the largest: its headers, a certificate and a set of a hundred.
    public static let bytesMax = 16_384

    public init(_ headers: [Header], certificate: Certificate, set: ValidatorSet? = nil) {
        self.headers = headers
        self.certificate = certificate
        self.set = set
    }

    public func encode(to encoder: inout Encoder) {
        encoder.sequence(headers)
        encoder.value(certificate)
        encoder.option(set)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        headers = try decoder.sequence(min: 1, max: Self.headersMax)
        certificate = try decoder.value()
        set = try decoder.option()
    }
}

/// Steps in a file or an answer, in ascending order of height.
public struct LightSteps: Sendable, Equatable, Canonical {
    public let steps: [LightStep]

    public static let countMax = 4096
    /// Of one answer of a node.
    public static let pageCountMax = 64
    public static let bytesMax = 16 << 20

    public init(_ steps: [LightStep]) { self.steps = steps }

    public func encode(to encoder: inout Encoder) { encoder.sequence(steps) }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        steps = try decoder.sequence(max: Self.countMax)
    }
}
