import Glibc
import JSON

extension Benchmark {
    /// What whoever brings a shop's orders waits for.
    static let imports: [Benchmark] = [
        Benchmark(
            "import-rows", "rows a second of a CSV file that `lianfen import` brings to a running node, all certified"
        ) { [try importRows($0, "import-rows", rows: 200_000, members: 20_000)] }
    ]

    /// Each run brings the same file to a new chain, so members' accounts are opened too. The clock runs while the
    /// command does, from its start to its end.
    static func importRows(_ setting: Setting, _ name: String, rows: Int, members: Int) throws -> Figure {
        let place = try setting.directory.remake("import")
        let (orders, mapping) = ("\(place)/orders.csv", "\(place)/mapping.json")
        try BenchChain.write(Array(csv(rows: rows, members: members).utf8), to: orders)
        try BenchChain.write(Array(mappingJSON.utf8), to: mapping)
        let runs = try setting.measured({ "\(place)/\($0)" }) { directory in
            _ = try answer(setting, ["init", "--dev", "--dir", directory], errors: "\(place)/errors")
            let node = try ServedNode(setting.tool, directory)
            let url = node.url
            let start = Machine.now()
            let imported = Result {
                try answer(
                    setting, ["import", orders, "--mapping", mapping, "--dir", directory, "--node", url],
                    errors: "\(place)/errors")
            }
            let seconds = Machine.seconds(since: start)
            _ = node.stop()
            let totals = try imported.get()
            guard totals["vested"]?["count"] == JSONValue(rows), totals["rejected"] == 0 else {
                throw BenchError("load", "the import did not bring all of its \(rows) rows: \(totals.text)")
            }
            return Double(rows) / seconds
        }
        return Figure(name, unit: "1/s", runs: runs)
    }

    /// What the tool answers to a call.
    /// - Throws: ``BenchError`` with the last that it said where it fails.
    private static func answer(_ setting: Setting, _ words: [String], errors: String) throws -> JSONValue {
        let (lines, code) = try Child(setting.tool, words + ["--json"], errors: errors).finish()
        guard code == 0, let line = lines.last else {
            throw BenchError("load", "`lianfen \(words[0])` failed: \(lastLine(of: errors))")
        }
        return try JSONValue(parsing: Array(line.utf8))
    }

    static func lastLine(of path: String) -> String {
        Machine.text(path).split(separator: "\n").last.map(String.init) ?? "it said nothing"
    }

    /// Orders with the columns that most shops' files have: a key, who bought, when, for how much, and how it stands.
    private static func csv(rows: Int, members: Int) -> String {
        var numbers = Numbers(seed: 0xC57)
        var text = "order,member,date,amount,status\n"
        for row in 0..<rows {
            let member = Int.random(in: 0..<members, using: &numbers)
            let cents = Int.random(in: 100...99_999, using: &numbers)
            text += "SO-\(10_000_000 + row),member-\(member),2026-03-\(10 + row % 20) 10:15:00,"
            text += "\(cents / 100).\(cents / 10 % 10)\(cents % 10),delivered\n"
        }
        return text
    }

    private static let mappingJSON = """
        {
          "lianfen": "mapping/1", "source": "bench", "order": "order", "person": "member",
          "date": {"column": "date", "format": "yyyy-MM-dd HH:mm:ss", "utcOffset": "+08:00"},
          "money": {"column": "amount"}, "earn": {"points": 1, "per": "1.00"},
          "state": {"column": "status", "values": {"delivered": "vested", "cancelled": "voided"}},
          "unit": "BENCH", "programs": [{"code": "BENCH", "currency": "CNY", "faceValue": {"minor": 1, "points": 1}}]
        }
        """
}
