import Crypto
import Foundation
import ServerKit
import Storage
import StorageRocksDB
import Testing

/// The two data sets from the file to certified points, exactly as `data/README.md` beside them counts them.
@Suite(.ownThread, .enabled(if: RealData.isPresent, "the real data is not at ../shared/data (or LIANFEN_DATA)"))
struct RealImportTests {
    @Test func olistEndToEnd() throws {
        try withChain { root, chain in
            func run(_ options: String...) throws -> JSON {
                let call = Call(
                    ["import", RealData.orders, "--mapping", RealData.mapping("olist"), "--dir", chain, "--json"]
                        + options)
                try #require(call.code == 0, "\(call.errors)")
                return call.json
            }
            func checkState(_ totals: JSON) {
                #expect(totals["vested"].sum == [5172, 720_055])
                #expect(totals["pending"].sum == [1721, 271_867])
                #expect(totals["voided"].sum == [467, 96_980])
            }
            let before = try snapshot(chain)
            let dry = try run("--dry-run")
            #expect(try snapshot(chain) == before)
            let totals = try run()
            for totals in [dry, totals] {
                #expect(totals["orders"].sum == [7360, 1_088_902])
                checkState(totals)
                checkState(totals["units"]["OLIST"])
                #expect(totals["clawedBack"].sum == [0, 0])
                #expect(totals["nothingEarned"].int == 775)
                #expect(totals["rejected"].int == 0)
                #expect(totals["already"].int == 0)
                #expect(totals["stopped"].flag == false)
            }
            for again in [try run("--dry-run"), try run()] {
                #expect(again["orders"].sum == [7360, 1_088_902])
                for state in ["vested", "pending", "voided", "clawedBack"] { #expect(again[state].sum == [0, 0]) }
                #expect(again["already"].int == 7360)
                #expect(again["nothingEarned"].int == 775)
            }
            let audit = try Call.ok("audit", chain, "--json").json
            #expect(audit["ok"].flag == true)
            #expect(audit["firstWrong"].isNull)
            // Every person of the file, also those who have no account.
            let customers = try String(
                contentsOfFile: RealData.root.file("olist-sample/olist_customers_dataset.csv"), encoding: .utf8)
            let people = Set(customers.split(separator: "\n").dropFirst().map { $0.split(separator: ",")[1] })
            #expect(people.count == 8016)
            try expectNobody(of: people, in: chain)
        }
    }

    @Test func istanbulMallsEndToEnd() throws {
        try withChain { root, chain in
            func run(_ options: String...) throws -> JSON {
                let call = Call(
                    [
                        "import", RealData.invoices, "--mapping", RealData.mapping("istanbul-malls"), "--dir", chain,
                        "--json",
                    ] + options)
                try #require(call.code == 0, "\(call.errors)")
                return call.json
            }
            let totals = try run()
            let malls: [String: [Int]] = [
                "CEVAHIR": [4991, 3_431_680], "EMAAR": [4811, 3_388_487], "FORUM": [4947, 3_334_064],
                "ISTINYE": [9781, 6_713_149], "KANYON": [19823, 13_702_839], "MALL_OF_ISTANBUL": [19943, 13_843_768],
                "METROCITY": [15011, 10_244_018], "METROPOL": [10161, 6_933_905], "VIAPORT": [4914, 3_412_071],
                "ZORLU": [5075, 3_507_612],
            ]
            #expect(totals["units"].names == malls.keys.sorted())
            for (unit, expected) in malls {
                let state = totals["units"][unit]
                #expect(state["orders"].sum == expected)
                #expect(state["vested"].sum == expected)
                #expect(state["pending"].sum == [0, 0] && state["voided"].sum == [0, 0])
            }
            #expect(totals["vested"].sum == [99_457, 68_511_593])
            #expect(totals["nothingEarned"].int == 0 && totals["rejected"].int == 0 && totals["already"].int == 0)
            // Beside a running node, which the second import is.
            let audit = try Child("audit", chain, "--json")
            let again = try run()
            #expect(again["orders"].sum == [99_457, 68_511_593])
            #expect(again["vested"].sum == [0, 0])
            #expect(again["already"].int == 99_457)
            let rows = try String(contentsOfFile: RealData.invoices, encoding: .utf8).split(whereSeparator: \.isNewline)
            let people = Set(rows.dropFirst().map { $0.split(separator: ",")[1] })
            #expect(people.count == 99_457)
            try expectNobody(of: people, in: chain)
            #expect(audit.wait() == 0, "\(audit.errors)")
            #expect(audit.json["ok"].flag == true)
            #expect(audit.errors.contains(#""secondsLeft":"#))
        }
    }

    /// Neither a person's key nor its digest stands anywhere in a validator's directory.
    private func expectNobody(of people: Set<Substring>, in chain: String) throws {
        var search = NeedleSearch()
        for person in people {
            let key = Array(person.utf8)
            let digest = SHA256.hash(key)
            search.add(key)
            search.add(digest.bytes)
            search.add(Array(digest.description.utf8))
        }
        #expect(search.count == 3 * people.count)
        // That the search would find them is seen where they do stand.
        let peopleFile = Array(try Data(contentsOf: URL(fileURLWithPath: chain + "/people.sqlite")))
        #expect(search.find(in: peopleFile) != nil)

        let store = try RocksDBStore(directory: chain + "/nodes/1/db", mode: .readOnly)
        defer { store.close() }
        var rows = 0
        for column in Column.allCases {
            var bytes: [UInt8] = []
            try store.scan(column) { key, value in
                rows += 1
                bytes += key
                bytes += value
                return true
            }
            guard let found = search.find(in: bytes) else { continue }
            Issue.record("\(column): \(String(decoding: found, as: UTF8.self))")
        }
        #expect(rows > people.count)
        for name in try FileManager.default.subpathsOfDirectory(atPath: chain + "/nodes") {
            let file = URL(fileURLWithPath: "\(chain)/nodes/\(name)")
            guard let bytes = try? Data(contentsOf: file), let found = search.find(in: Array(bytes)) else { continue }
            // In compressed bytes a short key can stand by chance: digits of an order's key after any other byte.
            if name.hasSuffix(".sst"), found.count < 16 { continue }
            Issue.record("\(name): \(String(decoding: found, as: UTF8.self))")
        }
    }
}
