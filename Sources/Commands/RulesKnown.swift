import Glibc
import Ledger
import Terminal

/// The versions of the rules that this program executes: those that it has, or fewer where `LIANFEN_RULES_KNOWN` says
/// so. With it a rolling upgrade is rehearsed before there is a release to upgrade from; it can only lower.
enum RulesKnown {
    static let variable = "LIANFEN_RULES_KNOWN"

    static func fromEnvironment() throws -> ClosedRange<UInt32> {
        let all = Genesis.rulesVersionsKnown
        guard let text = getenv(variable).map({ String(cString: $0) }) else { return all }
        guard let newest = UInt32(text), String(newest) == text, all.contains(newest) else {
            throw CommandError(
                code: "rules-known", field: variable,
                reason: "it wants a version of the rules that this program has, \(all.lowerBound) to \(all.upperBound)",
                exit: .usage)
        }
        return all.lowerBound...newest
    }
}
