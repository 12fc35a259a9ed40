public import Canonical
public import Crypto

/// What names a lot within one holding: points with the same terms are one lot, whatever they come from.
///
/// Ascending order is spending order: soonest expiry first (none is last), restricted before free, older terms before
/// newer, then class.
public struct LotTerms: Sendable, Hashable, Comparable {
    /// Last millisecond at which the lot lives; ``noExpiry`` where it does not end.
    public let expiry: UInt64
    /// 0: free; other numbers name what limits its use.
    public let restriction: UInt32
    /// Version of the program under which the points were earned.
    public let version: UInt32
    public let `class`: Class

    public enum Class: UInt8, Sendable, CaseIterable {
        case granted = 0
        case purchased = 1
        case swappedIn = 2
    }

    public static let noExpiry = UInt64.max

    package init(expiry: UInt64, restriction: UInt32 = 0, version: UInt32, class: Class = .granted) {
        self.expiry = expiry
        self.restriction = restriction
        self.version = version
        self.class = `class`
    }

    public static func < (a: Self, b: Self) -> Bool {
        if a.expiry != b.expiry { return a.expiry < b.expiry }
        if (a.restriction == 0) != (b.restriction == 0) { return a.restriction != 0 }
        if a.version != b.version { return a.version < b.version }
        if a.class != b.class { return a.class.rawValue < b.class.rawValue }
        return a.restriction < b.restriction
    }
}

extension LotTerms: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.u64(expiry)
        encoder.u32(restriction)
        encoder.u32(version)
        encoder.u8(`class`.rawValue)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        expiry = try decoder.u64()
        restriction = try decoder.u32()
        version = try decoder.u32()
        guard let value = Class(rawValue: try decoder.u8()) else { throw decoder.refusal(.unknownVariant) }
        `class` = value
    }
}

/// Points of one unit, owner and terms. `held` of the `remaining` belong to reservations.
public struct Lot: Sendable, Equatable, Canonical {
    public let terms: LotTerms
    public internal(set) var remaining: UInt64
    public internal(set) var held: UInt64

    public var available: UInt64 { remaining - held }

    package init(terms: LotTerms, remaining: UInt64, held: UInt64 = 0) {
        self.terms = terms
        self.remaining = remaining
        self.held = held
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(terms)
        encoder.u64(remaining)
        encoder.u64(held)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        terms = try decoder.value()
        remaining = try decoder.u64()
        held = try decoder.u64()
        if held > remaining { throw decoder.refusal(.invalidValue) }
    }
}

/// An amount taken from, or held in, one lot.
public struct Portion: Sendable, Equatable, Canonical {
    public let terms: LotTerms
    public let amount: UInt64

    package init(terms: LotTerms, amount: UInt64) {
        self.terms = terms
        self.amount = amount
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(terms)
        encoder.u64(amount)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        terms = try decoder.value()
        amount = try decoder.u64()
    }
}

/// What one account has of one unit. Its leaf in the state tree is the digest of its totals and of its lots' digest,
/// so that a proof of a balance need not carry the lots.
public struct Holding: Sendable, Equatable {
    /// Points on accruals that have not vested; no lot yet.
    public internal(set) var pending: UInt64 = 0
    /// Owed to the issuer after clawbacks.
    public internal(set) var debt: UInt64 = 0
    /// In spending order, each with something remaining.
    public internal(set) var lots: [Lot] = []

    public static let lotsMax = 2048

    init() {}

    var isEmpty: Bool { pending == 0 && debt == 0 && lots.isEmpty }
    public var available: UInt64 { lots.reduce(0) { $0 + $1.available } }
    public var held: UInt64 { lots.reduce(0) { $0 + $1.held } }

    public var summary: HoldingSummary {
        var encoder = Encoder(capacity: 8 + lots.count * 64)
        encoder.sequence(lots)
        return HoldingSummary(
            available: available, held: held, pending: pending, debt: debt,
            lots: encoder.withBytes { SHA256.hash(.lots, $0) })
    }

    /// The position of a lot, or where it would have to stand.
    private func position(of terms: LotTerms) -> (index: Int, found: Bool) {
        var low = 0
        var high = lots.count
        while low < high {
            let middle = (low + high) / 2
            if lots[middle].terms < terms { low = middle + 1 } else { high = middle }
        }
        return (low, low < lots.count && lots[low].terms == terms)
    }

    func canAdd(_ terms: LotTerms) -> Bool { lots.count < Self.lotsMax || position(of: terms).found }

    /// Whether all these fit, which are of different terms.
    func canAdd(_ portions: [Portion]) -> Bool {
        lots.count + portions.count <= Self.lotsMax
            || lots.count + portions.count { !position(of: $0.terms).found } <= Self.lotsMax
    }

    mutating func add(_ amount: UInt64, terms: LotTerms) {
        let (index, found) = position(of: terms)
        if found {
            lots[index].remaining += amount
        } else {
            lots.insert(Lot(terms: terms, remaining: amount), at: index)
        }
    }

    /// Takes `amount` of what is available, in spending order, `first` before all others.
    /// - Precondition: that much is available.
    mutating func take(_ amount: UInt64, first: LotTerms? = nil) -> [Portion] {
        var rest = amount
        var portions: [Portion] = []
        func take(from index: Int) {
            let taken = min(rest, lots[index].available)
            guard taken > 0 else { return }
            lots[index].remaining -= taken
            portions.append(Portion(terms: lots[index].terms, amount: taken))
            rest -= taken
        }
        if let first, case let (index, found) = position(of: first), found { take(from: index) }
        var index = 0
        while rest > 0, index < lots.count {
            take(from: index)
            index += 1
        }
        precondition(rest == 0, "no more is taken than is available")
        if lots.contains(where: { $0.remaining == 0 }) { lots.removeAll { $0.remaining == 0 } }
        return portions
    }

    /// Undoes ``take(_:first:)``, whose answer `portions` is. Of a lot that it used up nothing was held.
    mutating func giveBack(_ portions: [Portion]) {
        for portion in portions { add(portion.amount, terms: portion.terms) }
    }

    /// Holds `amount` of what is available, in spending order.
    /// - Precondition: that much is available.
    mutating func hold(_ amount: UInt64) -> [Portion] {
        var rest = amount
        var portions: [Portion] = []
        for index in lots.indices where rest > 0 {
            let taken = min(rest, lots[index].available)
            guard taken > 0 else { continue }
            lots[index].held += taken
            portions.append(Portion(terms: lots[index].terms, amount: taken))
            rest -= taken
        }
        precondition(rest == 0, "no more is held than is available")
        return portions
    }

    /// Ends a hold: its first `amount` points leave, the others are available again. Answers what left.
    mutating func settle(_ portions: [Portion], taking amount: UInt64) -> [Portion] {
        var rest = amount
        var taken: [Portion] = []
        for portion in portions {
            let (index, found) = position(of: portion.terms)
            precondition(found && lots[index].held >= portion.amount, "a hold's lots hold it")
            lots[index].held -= portion.amount
            let used = min(rest, portion.amount)
            lots[index].remaining -= used
            if used > 0 { taken.append(Portion(terms: portion.terms, amount: used)) }
            rest -= used
        }
        lots.removeAll { $0.remaining == 0 }
        return taken
    }
}

extension Holding: Canonical {
    public func encode(to encoder: inout Encoder) {
        encoder.u64(pending)
        encoder.u64(debt)
        encoder.sequence(lots)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        pending = try decoder.u64()
        debt = try decoder.u64()
        lots = try decoder.ascending(max: Self.lotsMax, by: \.terms)
        // Or a damaged row would trap where its sums are taken, before anybody can say that it is damaged.
        var sum: UInt64 = 0
        for lot in lots {
            let (next, overflow) = sum.addingReportingOverflow(lot.remaining)
            if overflow { throw decoder.refusal(.invalidValue) }
            sum = next
        }
    }
}

/// The leaf of a holding: all a balance consists of.
public struct HoldingSummary: Sendable, Equatable, Canonical {
    public let available: UInt64
    public let held: UInt64
    public let pending: UInt64
    public let debt: UInt64
    /// Digest of the lots in spending order.
    public let lots: Digest

    init(available: UInt64, held: UInt64, pending: UInt64, debt: UInt64, lots: Digest) {
        self.available = available
        self.held = held
        self.pending = pending
        self.debt = debt
        self.lots = lots
    }

    public func encode(to encoder: inout Encoder) {
        encoder.u64(available)
        encoder.u64(held)
        encoder.u64(pending)
        encoder.u64(debt)
        encoder.value(lots)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        available = try decoder.u64()
        held = try decoder.u64()
        pending = try decoder.u64()
        debt = try decoder.u64()
        lots = try decoder.value()
    }
}
