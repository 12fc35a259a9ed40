import Foundation
import Testing

/// A made-up shop: its mapping with the parts that a test wants different, and its orders.
struct Shop {
    /// Members of the mapping as JSON texts.
    var members: [String: String] = [
        "lianfen": #""mapping/1""#, "source": #""shop""#, "order": #""order""#, "person": #""who""#,
        "money": #"{"column": "money"}"#, "earn": #"{"points": 1, "per": "1.00"}"#, "unit": #""SHOP""#,
        "state": #"{"column": "status", "values": {"done": "vested", "open": "pending", "gone": "voided"}}"#,
        "programs": #"[{"code": "SHOP", "currency": "CNY", "faceValue": {"minor": 1, "points": 1}}]"#,
    ]

    static func with(_ name: String, _ json: String?) -> Shop {
        var shop = Shop()
        shop.members[name] = json
        return shop
    }

    var json: String {
        "{" + members.sorted { $0.key < $1.key }.map { #""\#($0.key)": \#($0.value)"# }.joined(separator: ", ") + "}"
    }

    static let header = "order,who,money,status\n"

    /// Imports the rows below the usual header.
    func importing(_ rows: String, into chain: String, in root: URL, _ options: String...) throws -> Call {
        try importing(Array((Self.header + rows).utf8), into: chain, in: root, options)
    }

    func importing(_ bytes: [UInt8], into chain: String, in root: URL, _ options: [String] = []) throws -> Call {
        let file = try root.write("orders.csv", bytes)
        let mapping = try root.write("shop.json", json)
        return Call(["import", file, "--mapping", mapping, "--dir", chain, "--json"] + options)
    }
}
