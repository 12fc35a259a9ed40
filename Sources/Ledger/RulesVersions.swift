/// What each version of the rules brought. This is the one gate: what needs a later version than the one that holds at
/// a height was unknown to the programs of that version, and so an entry that holds it is to every program what it was
/// to them, bytes that do not decode (``Transaction/rulesNeeded``). A new version adds a case here, and to
/// ``Genesis/rulesVersionsKnown``.
extension Operation {
    /// The first version of the rules that has it.
    var rulesNeeded: UInt32 {
        switch self {
        // Version 2: an organisation's keys are exchanged.
        case .propose(.keys, _): 2
        default: Genesis.rulesVersionsKnown.lowerBound
        }
    }
}

extension TransactionBody {
    /// The first version of the rules that has all of it.
    var rulesNeeded: UInt32 {
        operations.reduce(Genesis.rulesVersionsKnown.lowerBound) { max($0, $1.rulesNeeded) }
    }
}
