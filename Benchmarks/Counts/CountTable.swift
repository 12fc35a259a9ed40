/// What each path costs in instructions, as the file of counts has it.
struct CountTable: Equatable {
    struct Row: Equatable {
        let name: String
        /// Instructions an operation outside of the cryptographic libraries, rounded.
        let own: Int
        /// Inside of them.
        let crypto: Int
    }

    /// The compiler that the counts are of, such as `6.3.1`.
    let compiler: String
    let rows: [Row]

    struct Malformed: Error, Equatable {
        let reason: String
    }

    /// By how much a count may differ: forty times what was seen to differ from run to run (0.05 %).
    static let toleratedPart = 0.02

    init(compiler: String, rows: [Row]) {
        self.compiler = compiler
        self.rows = rows
    }

    private static let about =
        "# Instructions an operation on x86-64, as callgrind counts them; see docs/performance.md."
    private static let compilerMark = "# Swift "
    private static let head = "name\town\tcrypto"

    init(parsing text: String) throws(Malformed) {
        var compiler = ""
        var rows: [Row] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.hasPrefix(Self.compilerMark) { compiler = String(line.dropFirst(Self.compilerMark.count)) }
            if line.isEmpty || line.hasPrefix("#") || line == Self.head { continue }
            let cells = line.split(separator: "\t", omittingEmptySubsequences: false)
            guard cells.count == 3, !cells[0].isEmpty, let own = Int(cells[1]), let crypto = Int(cells[2]) else {
                throw Malformed(reason: "line \(index + 1) is no name and two numbers with tabs between")
            }
            let name = String(cells[0])
            guard !rows.contains(where: { $0.name == name }) else {
                throw Malformed(reason: "line \(index + 1): \(name) stands there twice")
            }
            rows.append(Row(name: name, own: own, crypto: crypto))
        }
        self.init(compiler: compiler, rows: rows)
    }

    var text: String {
        let lines = [Self.about, Self.compilerMark + compiler, Self.head]
        return (lines + rows.map { "\($0.name)\t\($0.own)\t\($0.crypto)" }).joined(separator: "\n") + "\n"
    }

    /// How another table, counted now, differs from this one by more than is tolerated; a sentence a difference.
    func differences(from now: CountTable) -> [String] {
        var sentences: [String] = []
        for row in rows {
            guard let new = now.rows.first(where: { $0.name == row.name }) else {
                sentences.append("\(row.name) stands in the file and was not counted.")
                continue
            }
            for (where_, old, new) in [("", row.own, new.own), (" in cryptographic libraries", row.crypto, new.crypto)]
            where !Self.isTolerated(old, new) {
                let change = old == 0 ? "" : " (\(new > old ? "+" : "")\(Self.percent(new - old, of: old)) %)"
                sentences.append(
                    "\(row.name) takes \(new) instructions\(where_), and the file says \(old)\(change): it has become "
                        + (new > old ? "slower. Find out why." : "faster. Write that down, so that it stays."))
            }
        }
        for row in now.rows where !rows.contains(where: { $0.name == row.name }) {
            sentences.append("\(row.name) was counted and does not stand in the file.")
        }
        if !sentences.isEmpty, now.compiler != compiler {
            sentences.append("The file is of Swift \(compiler), and this is a build of Swift \(now.compiler).")
        }
        return sentences
    }

    private static func isTolerated(_ old: Int, _ new: Int) -> Bool {
        Double(abs(new - old)) <= Double(old) * toleratedPart
    }

    private static func percent(_ part: Int, of whole: Int) -> Int {
        Int((Double(part) * 100 / Double(whole)).rounded())
    }
}
