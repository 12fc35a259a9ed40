/// Instructions as callgrind writes them down, by where they were executed.
struct CallgrindDump: Equatable {
    /// Instructions in a program or library, by its path.
    let byObject: [String: Int]

    struct Malformed: Error, Equatable {
        let reason: String
    }

    /// Reads a dump of one event.
    /// - Throws: ``Malformed`` where what is added up here is not the sum that the dump names.
    init(_ text: String) throws(Malformed) {
        var names: [Substring: String] = [:]
        var object = ""
        var counts: [String: Int] = [:]
        var total: Int?
        // The line after a call says what was spent inside the call: that stands where it was executed, too.
        var isInclusive = false
        for line in text.split(separator: "\n") {
            if line.hasPrefix("ob=") {
                object = Self.name(line.dropFirst(3), &names)
            } else if line.hasPrefix("cob=") {
                _ = Self.name(line.dropFirst(4), &names)
            } else if line.hasPrefix("calls=") {
                isInclusive = true
            } else if line.hasPrefix("totals:") {
                total = Int(line.dropFirst("totals:".count).drop { $0 == " " })
            } else if let first = line.utf8.first, "0123456789+-*".utf8.contains(first) {
                defer { isInclusive = false }
                let parts = line.split(separator: " ")
                guard !isInclusive, parts.count == 2 else { continue }
                guard let count = Int(parts[1]) else { throw Malformed(reason: "\(line) has no count") }
                counts[object, default: 0] += count
            }
        }
        let sum = counts.values.reduce(0, +)
        guard let total, total == sum else {
            throw Malformed(reason: "its lines add up to \(sum), and it says \(total.map { "\($0)" } ?? "nothing")")
        }
        byObject = counts
    }

    /// `(7) name` gives a name its number, `(7)` means it again.
    private static func name(_ text: Substring, _ names: inout [Substring: String]) -> String {
        guard text.hasPrefix("("), let end = text.firstIndex(of: ")") else { return String(text) }
        let number = text[...end]
        let rest = text[text.index(after: end)...].drop { $0 == " " }
        if !rest.isEmpty { names[number] = String(rest) }
        return names[number] ?? ""
    }

    /// Libraries whose code for this or that processor is theirs to choose, and not ours to count.
    private static let cryptoNames = ["libcrypto.so", "libsodium.so"]

    /// What was executed in the cryptographic libraries, and all else.
    var parts: (own: Int, crypto: Int) {
        var (own, crypto) = (0, 0)
        for (object, count) in byObject {
            let name = object.split(separator: "/").last ?? ""
            if Self.cryptoNames.contains(where: { name.hasPrefix($0) }) { crypto += count } else { own += count }
        }
        return (own, crypto)
    }
}
