/// Finds what was probably meant by a mistyped word.
enum Suggestion {
    /// The candidate with the fewest edits away from `word`, if it is near enough to be worth naming.
    static func nearest(to word: String, among candidates: [String]) -> String? {
        let allowed = max(1, word.count / 3)
        // A long word would cost a long comparison, and is no mistyped name anyway.
        guard word.count <= 40 else { return nil }
        let scored = candidates.map { (name: $0, edits: edits(Array(word), Array($0))) }
        let best = scored.min { $0.edits < $1.edits }
        if let best, best.edits <= allowed { return best.name }
        guard word.count >= 2 else { return nil }
        let begun = candidates.filter { $0.hasPrefix(word) }
        return begun.count == 1 ? begun[0] : nil
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
    static func edits(_ from: [Character], _ to: [Character]) -> Int {
        guard !from.isEmpty, !to.isEmpty else { return max(from.count, to.count) }
        var older: [Int] = []
        var old = Array(0...to.count)
        for i in 1...from.count {
            var row = [i]
            for j in 1...to.count {
                let replaced = old[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1)
                var least = min(old[j] + 1, row[j - 1] + 1, replaced)
                if i > 1, j > 1, from[i - 1] == to[j - 2], from[i - 2] == to[j - 1] {
                    least = min(least, older[j - 2] + 1)
                }
                row.append(least)
            }
            older = old
            old = row
        }
        return old[to.count]
    }
}
