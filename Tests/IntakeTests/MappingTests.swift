import Foundation
import Intake
import JSON
import TestSupport
import Testing

@Suite struct MappingTests {
    /// A whole and right mapping, in which the tests break one thing at a time.
    static let good = """
        {"lianfen": "mapping/1", "source": "shop",
         "file": {"encoding": "gb18030", "delimiter": ";"},
         "joins": [{"name": "people", "file": "people.csv", "how": "one", "match": [{"from": "c", "to": "id"}]},
                   {"name": "lines", "file": "lines.csv", "how": "sum", "sum": {"column": "price", "times": "n"},
                    "match": [{"from": "o", "to": "o"}], "encoding": "utf-8"}],
         "order": "o", "person": {"join": "people", "column": "who"},
         "date": {"column": "d", "format": "d/M/yyyy", "utcOffset": "+08:00", "optional": true},
         "money": {"sum": "lines"},
         "moneyFormat": {"decimal": ".", "thousands": ",", "signs": ["￥"], "decimals": 2, "negative": "nothing"},
         "earn": {"points": 1, "per": "1.50"},
         "state": {"column": "s", "values": {"done": "vested", "off": "voided"}, "other": "pending"},
         "unit": {"column": "mall", "values": {"甲": "JIA", "乙": "YI"}},
         "programs": [
            {"code": "JIA", "decimals": 2, "currency": "CNY", "faceValue": {"minor": "1", "points": 10},
             "expiry": {"days": 365}, "organisation": 3, "earn": {"points": "2", "per": 1}},
            {"code": "YI", "currency": "CNY", "faceValue": {"minor": 1, "points": 1}, "expiry": {"months": 12}}]}
        """

    @Test func everyKeyIsRead() throws {
        let mapping = try Mapping(json: Array(Self.good.utf8))
        #expect(mapping.source == "shop")
        #expect(mapping.format == CSVFormat(encoding: .gb18030, delimiter: .semicolon))
        #expect(mapping.joins.map(\.name) == ["people", "lines"])
        #expect(mapping.joins[0].format == mapping.format)
        #expect(mapping.joins[0].missing == .reject)
        #expect(mapping.joins[1].format == CSVFormat(encoding: .utf8, delimiter: .semicolon))
        guard case .sum(let amount) = mapping.joins[1].kind else {
            Issue.record("lines is no sum")
            return
        }
        #expect(amount.column == "price")
        #expect(amount.times == "n")
        #expect(mapping.joins[1].missing == .nothing)
        #expect(mapping.order == .main("o"))
        #expect(mapping.person == .joined(join: 0, "who"))
        #expect(mapping.date?.isOptional == true)
        #expect(mapping.money == .sum(join: 1))
        #expect(mapping.moneyFormat == MoneyFormat(thousands: 0x2C, signs: ["¥"], negative: .nothing))
        let jia = try #require(mapping.program("JIA"))
        #expect(jia.decimals == 2)
        #expect(jia.faceValue.minor == 1)
        #expect(jia.faceValue.points == 10)
        #expect(jia.expiry == .days(365))
        #expect(jia.organisation == 3)
        #expect(jia.rate == EarningRate(points: 2, per: 100))
        let yi = try #require(mapping.program("YI"))
        #expect(yi.rate == EarningRate(points: 1, per: 150))
        #expect(yi.organisation == 1)
        #expect(yi.expiry == .months(12))
        #expect(mapping.program("YIN") == nil)
    }

    @Test(arguments: ["olist", "istanbul-malls"])
    func shippedMappings(name: String) throws {
        #expect(try Mapping(json: RealData.mapping(name)).source == name)
    }

    /// The example in the guide is a mapping.
    @Test func theGuide() throws {
        let guide = try String(
            contentsOf: RealData.package.appendingPathComponent("docs/import.md"), encoding: .utf8)
        let parts = guide.components(separatedBy: "```")
        let example = try #require(parts.first { $0.hasPrefix("json\n") })
        #expect(try Mapping(json: Array(example.dropFirst(5).utf8)).programs.map(\.code) == ["EAST", "WEST"])
    }

    /// What is replaced in the good mapping by what, and the refusal's path and a part of its sentence.
    @Test(arguments: [
        ("mapping/1", "mapping/2", "$.lianfen", "has to be “mapping/1”"),
        ("\"lianfen\": \"mapping/1\", ", "", "$.lianfen", "is missing"),
        ("\"source\": \"shop\",", "", "$.source", "is missing"),
        ("\"shop\"", "\"seventeen-letters\"", "$.source", "is longer than 16 bytes"),
        ("\"shop\"", "\"\"", "$.source", "is empty"), ("\"shop\"", "\"店\"", "$.source", "may only have the letters"),
        ("\"shop\"", "5", "$.source", "is a number; a string was expected"),
        ("\"shop\"", "\"shop\", \"source\": \"b\"", "$.source", "is given twice; keep one of the two"),
        ("\"order\": \"o\"", "\"oder\": \"o\"", "$.oder", "is not known; here can stand lianfen, source, file"),
        ("gb18030", "gbk", "$.file.encoding", "“gbk” is not known; write one of “utf-8”, “gb18030”"),
        ("\";\"", "\"|\"", "$.file.delimiter", "has to be"), ("\";\"", "\";\", \"x\": 1", "$.file.x", "is not known"),
        ("\";\"", "\";\", \"columns\": []", "$.file.columns", "is empty"),
        ("\";\"", "\";\", \"columns\": [\"a\", \"a\"]", "$.file.columns[1]", "“a” is given twice"),
        ("people.csv", "../people.csv", "$.joins[0].file", "plain name of a file"),
        ("people.csv", "/etc/people", "$.joins[0].file", "plain name of a file"),
        ("people.csv", "a\\\\b", "$.joins[0].file", "plain name of a file"),
        ("\"how\": \"one\"", "\"how\": \"many\"", "$.joins[0].how", "write one of “one”, “sum”"),
        ("\"how\": \"one\"", "\"how\": \"one\", \"sum\": \"x\"", "$.joins[0].sum", "only where how is “sum”"),
        (
            "\"how\": \"sum\", \"sum\": {\"column\": \"price\", \"times\": \"n\"}", "\"how\": \"sum\"",
            "$.joins[1].sum", "missing"
        ),
        ("\"name\": \"lines\"", "\"name\": \"people\"", "$.joins[1].name", "is the name of another join"),
        ("[{\"from\": \"c\", \"to\": \"id\"}]", "[]", "$.joins[0].match", "is empty"),
        (
            "\"from\": \"c\"", "\"from\": {\"join\": \"lines\", \"column\": \"x\"}", "$.joins[0].match[0].from.join",
            "not the name of a join"
        ),
        ("\"from\": \"c\"", "\"from\": 3", "$.joins[0].match[0].from", "is a number; the name of a column"),
        ("{\"join\": \"people\", \"column\": \"who\"}", "\"who\"", "$.joins[0]", "“people” is used nowhere"),
        (
            "{\"join\": \"people\", \"column\": \"who\"}", "{\"join\": \"lines\", \"column\": \"who\"}",
            "$.person.join", "is a sum"
        ),
        ("d/M/yyyy", "d/M/yy", "$.date.format", "yy is not understood"),
        ("+08:00", "8", "$.date.utcOffset", "has to be an offset"), ("+08:00", "+19:00", "$.date.utcOffset", "offset"),
        ("true", "1", "$.date.optional", "is a number; true or false was expected"),
        ("{\"sum\": \"lines\"}", "{\"sum\": \"people\"}", "$.money.sum", "is a join of the kind “one”"),
        (
            "{\"sum\": \"lines\"}", "{\"sum\": \"lines\", \"column\": \"x\"}", "$.money.column",
            "cannot stand beside sum"
        ),
        ("{\"sum\": \"lines\"}", "{}", "$.money.column", "is missing"),
        ("{\"sum\": \"lines\"}", "\"x\"", "$.money", "is a string; an object with column, times, sum was expected"),
        ("\"decimal\": \".\"", "\"decimal\": \"、\"", "$.moneyFormat.decimal", "has to be"),
        ("\"thousands\": \",\"", "\"thousands\": \".\"", "$.moneyFormat.thousands", "is the decimal sign already"),
        ("\"thousands\": \",\"", "\"thousands\": \"\"", "$.moneyFormat.thousands", "leave it out"),
        ("\"￥\"", "\"1\"", "$.moneyFormat.signs[0]", "contains what an amount itself"),
        ("\"decimals\": 2, \"neg", "\"decimals\": 5, \"neg", "$.moneyFormat.decimals", "has to be from 0 to 4"),
        (
            "\"decimals\": 2, \"neg", "\"decimals\": 2.0, \"neg", "$.moneyFormat.decimals",
            "has a fraction or an exponent; write a whole number"
        ),
        ("\"decimals\": 2, \"neg", "\"decimals\": 02, \"neg", "$.moneyFormat.decimals", "begins with a zero"),
        ("\"nothing\"", "\"keep\"", "$.moneyFormat.negative", "write one of “reject”, “nothing”"),
        ("\"per\": \"1.50\"", "\"per\": \"1,50\"", "$.earn.per", "is not an amount of money"),
        ("\"per\": \"1.50\"", "\"per\": \"1.505\"", "$.earn.per", "has 3 decimals; the mapping allows 2"),
        ("\"per\": \"1.50\"", "\"per\": \"0\"", "$.earn.per", "has to be more than zero"),
        ("\"per\": \"1.50\"", "\"per\": \"-1\"", "$.earn.per", "has to be more than zero"),
        ("\"per\": \"1.50\"", "\"per\": 1.5", "$.earn.per", "has a fraction"),
        ("\"points\": 1, \"per\"", "\"points\": 0, \"per\"", "$.earn.points", "has to be from 1 to 1000000000"),
        ("\"points\": 1, \"per\"", "\"points\": \"1.5\", \"per\"", "$.earn.points", "is not a whole number"),
        (
            "\"earn\": {\"points\": 1, \"per\": \"1.50\"},", "", "$.programs[1].earn",
            "is missing, and the mapping has no earn"
        ),
        ("\"voided\"", "\"void\"", "$.state.values.off", "write one of “pending”, “vested”, “voided”"),
        ("\"off\"", "\"off \"", "$.state.values[\"off \"]", "has blanks around the value"),
        ("\"off\"", "\"done\"", "$.state.values.done", "is given twice"),
        ("\"other\": \"pending\"", "\"other\": \"later\"", "$.state.other", "“later” is not known"),
        ("{\"done\": \"vested\", \"off\": \"voided\"}", "{}", "$.state.values", "is empty"),
        ("\"乙\": \"YI\"", "\"乙\": \"ER\"", "$.unit.values[\"乙\"]", "is not the code of one of the programs"),
        ("\"code\": \"YI\"", "\"code\": \"JIA\"", "$.programs[1].code", "is the code of another program"),
        ("\"code\": \"YI\"", "\"code\": \"yi\"", "$.programs[1].code", "may only have the letters A–Z"),
        ("\"code\": \"YI\"", "\"code\": \"ABCDEFGHIJKLMNOPQ\"", "$.programs[1].code", "is longer than 16 bytes"),
        ("\"decimals\": 2, \"cur", "\"decimals\": -1, \"cur", "$.programs[0].decimals", "has to be from 0 to 4"),
        (
            "\"CNY\", \"faceValue\": {\"minor\": \"1\"", "\"cny\", \"faceValue\": {\"minor\": \"1\"",
            "$.programs[0].currency", "three capital letters"
        ),
        ("\"minor\": \"1\"", "\"minor\": \"one\"", "$.programs[0].faceValue.minor", "“one” is not a whole number"),
        (
            "\"minor\": \"1\"", "\"minor\": \"99999999999999999999\"", "$.programs[0].faceValue.minor",
            "has to be from 1"
        ),
        ("\"minor\": \"1\"", "\"minor\": 99999999999999999999", "$.programs[0].faceValue.minor", "is too large"),
        ("{\"days\": 365}", "{\"days\": 365, \"months\": 1}", "$.programs[0].expiry", "either days or months"),
        ("\"organisation\": 3", "\"organisation\": 0", "$.programs[0].organisation", "has to be from 1"),
        (
            "\"organisation\": 3", "\"organisation\": \"3\"", "$.programs[0].organisation",
            "is a string; a whole number was expected"
        ),
        ("\"organisation\": 3", "\"organisation\": null", "$.programs[0].organisation", "is null"),
    ])
    func badMappings(what: String, by: String, path: String, reason: String) throws {
        let text = Self.good.replacing(what, with: by, maxReplacements: 1)
        #expect(text != Self.good)
        let error = #expect(throws: MappingError.self) { try Mapping(json: Array(text.utf8)) }
        #expect(error?.path == path)
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }

    @Test(arguments: [
        ("", "the text ends where a value should be (line 1, column 1)"), ("[1,", "the text ends where"),
        ("{\"a\" 1}", "a colon was expected after the name “a”"), ("{\"a\": 1,}", "the name of a member"),
        ("{\n \"a\": tru}", "a value was expected here"), ("{a: 1}", "the name of a member in double quotes"),
        ("[1 2]", "a comma or ] was expected here"), ("{} {}", "more text after the end"), ("// x\n{}", "a value was"),
        ("\"abc", "a string is not closed"), ("\"a\nb\"", "control character"), ("\"\\x\"", "an unknown escape"),
        ("\"\\u12\"", "four hexadecimal digits"), ("\"\\ud800\"", "half of a surrogate pair"), ("-", "a minus sign"),
        ("\"\\ud800\\u0041\"", "half of a surrogate pair"), ("\"\\udc00\"", "half of a surrogate pair"),
        (String(repeating: "[", count: 33), "more than 32 arrays"), ("1e5", "has a fraction or an exponent"),
        (String(repeating: " ", count: 1 << 20) + "1", "is longer than 1048576 bytes"),
    ])
    func brokenTexts(text: String, reason: String) {
        let error = #expect(throws: MappingError.self) { try JSONValue(parsing: Array(text.utf8)) }
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }

    @Test func invalidUTF8() {
        let error = #expect(throws: MappingError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
        #expect(error?.description == "$: the text is not valid UTF-8; save it as UTF-8")
    }

    @Test func valuesOfEveryKind() throws {
        let text =
            "\u{FEFF} {\"a\": [null, true, false, -0, 9223372036854775807, \"\\u00e9\\ud83d\\ude00\\n\\/\"], \"\": {}} "
        #expect(
            try JSONValue(parsing: Array(text.utf8))
                == .object([
                    .init(
                        "a",
                        .array([
                            .null, .bool(true), .bool(false), .integer(0), .integer(Int128(Int64.max)),
                            .string("é😀\n/"),
                        ])),
                    .init("", .object([])),
                ]))
    }

    /// A mapping in which bytes were changed is read or refused; it never traps.
    @Test(arguments: 0..<300 as Range<UInt64>)
    func anyChange(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var bytes = Array(Self.good.utf8)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: at)
            default: bytes.insert(Array("{}[]\",:0-\\u".utf8).randomElement(using: &random) ?? 0, at: at)
            }
        }
        do throws(MappingError) {
            _ = try Mapping(json: bytes)
        } catch {
            #expect(error.path.hasPrefix("$") && !error.reason.isEmpty, "seed \(seed)")
        }
    }
}
