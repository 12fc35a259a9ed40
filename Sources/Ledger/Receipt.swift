public import Canonical

/// What became of a transaction. A leaf of its block's receipt root.
public struct Receipt: Sendable, Equatable, Canonical {
    public let transaction: TransactionID
    public let result: ResultCode
    /// Index of the operation that was refused, where one was.
    public let operation: UInt8?
    /// Index of the line that was refused, where that refused the whole.
    public let line: UInt16?
    /// The place of the first receipt, for `duplicate`.
    public let first: Place?
    /// One an operation; none where the transaction was refused.
    public let outcomes: [Outcome]

    public init(
        transaction: TransactionID, result: ResultCode, operation: UInt8? = nil, line: UInt16? = nil,
        first: Place? = nil, outcomes: [Outcome] = []
    ) {
        self.transaction = transaction
        self.result = result
        self.operation = operation
        self.line = line
        self.first = first
        self.outcomes = outcomes
    }

    public func encode(to encoder: inout Encoder) {
        encoder.value(transaction)
        encoder.value(result)
        encoder.bool(operation != nil)
        if let operation { encoder.u8(operation) }
        encoder.bool(line != nil)
        if let line { encoder.u16(line) }
        encoder.option(first)
        encoder.sequence(outcomes)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        transaction = try decoder.value()
        result = try decoder.value()
        operation = try decoder.bool() ? try decoder.u8() : nil
        line = try decoder.bool() ? try decoder.u16() : nil
        first = try decoder.option()
        outcomes = try decoder.sequence(max: TransactionBody.operationsMax)
    }
}

/// Where a transaction stands.
public struct Place: Sendable, Hashable, Canonical {
    public let height: UInt64
    public let index: UInt32

    public init(height: UInt64, index: UInt32) {
        self.height = height
        self.index = index
    }

    public func encode(to encoder: inout Encoder) {
        encoder.u64(height)
        encoder.u32(index)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        height = try decoder.u64()
        index = try decoder.u32()
    }
}

/// What one operation did.
public enum Outcome: Sendable, Equatable {
    case done
    /// It had been done before.
    case exists
    /// A list: how many lines took effect, and every line that did not, in order.
    case lines(done: UInt16, exceptions: [LineResult])
    /// What was taken from which lot: a refund puts back exactly this.
    case spent([Portion])
    /// A reservation, its id and what it holds.
    case held(HoldID, [Portion])
    /// A proposal, and whether it has been carried out now.
    case proposal(ProposalID, carried: Bool)
}

/// A line that did not simply take effect.
public struct LineResult: Sendable, Equatable, Canonical {
    public let index: UInt16
    public let result: ResultCode
    /// For `exists` and its kin: the transaction that was first.
    public let first: TransactionID?

    public init(index: UInt16, result: ResultCode, first: TransactionID? = nil) {
        self.index = index
        self.result = result
        self.first = first
    }

    public func encode(to encoder: inout Encoder) {
        encoder.u16(index)
        encoder.value(result)
        encoder.option(first)
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        index = try decoder.u16()
        result = try decoder.value()
        first = try decoder.option()
    }
}

extension Outcome: Canonical {
    public func encode(to encoder: inout Encoder) {
        switch self {
        case .done: encoder.variant(0)
        case .exists: encoder.variant(1)
        case .lines(let done, let exceptions):
            encoder.variant(2)
            encoder.u16(done)
            encoder.sequence(exceptions)
        case .spent(let portions):
            encoder.variant(3)
            encoder.sequence(portions)
        case .held(let hold, let portions):
            encoder.variant(4)
            encoder.value(hold)
            encoder.sequence(portions)
        case .proposal(let id, let carried):
            encoder.variant(5)
            encoder.value(id)
            encoder.bool(carried)
        }
    }

    public init(from decoder: inout Decoder) throws(DecodingError) {
        switch try decoder.variant(below: 6) {
        case 0: self = .done
        case 1: self = .exists
        case 2:
            self = .lines(done: try decoder.u16(), exceptions: try decoder.sequence(max: ListBounds.linesMax))
        case 3: self = .spent(try decoder.sequence(max: Holding.lotsMax))
        case 4: self = .held(try decoder.value(), try decoder.sequence(max: Holding.lotsMax))
        default: self = .proposal(try decoder.value(), carried: try decoder.bool())
        }
    }
}
