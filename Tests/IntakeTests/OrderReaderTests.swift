import Foundation
import Intake
import TestSupport
import Testing

@Suite struct OrderReaderTests {
    private func mapping(_ changes: [(String, String)] = []) throws -> Mapping {
        var text = """
            {"lianfen": "mapping/1", "source": "shop", "order": "o", "person": "p", "money": {"column": "m"},
             "earn": {"points": 1, "per": "1.00"}, "state": "vested", "unit": "A",
             "programs": [{"code": "A", "currency": "CNY", "faceValue": {"minor": 1, "points": 1}}]}
            """
        for (what, by) in changes {
            #expect(text.contains(what))
            text = text.replacing(what, with: by)
        }
        return try Mapping(json: Array(text.utf8))
    }

    /// Reads `files["main.csv"]` with the other files beside it; a line for each row.
    private func read(_ mapping: Mapping, _ files: [String: String]) throws -> [String] {
        try withTemporaryDirectory { directory in
            for (name, text) in files { try Data(text.utf8).write(to: directory.appendingPathComponent(name)) }
            let reader = try OrderReader(mapping: mapping, file: directory.appendingPathComponent("main.csv").path)
            var lines: [String] = []
            while let row = try reader.next() {
                switch row {
                case .order(let o):
                    let key = String(decoding: o.order, as: UTF8.self)
                    lines.append("\(o.line): \(key) \(o.person) \(o.unit) \(o.points) \(o.state)")
                case .earnsNothing(let o, let reason): lines.append("\(o.line)~ \(reason)")
                case .rejected(let r): lines.append("\(r.file) \(r.line)! \(r.reason)")
                }
            }
            return lines
        }
    }

    @Test func goodAndBadRows() throws {
        let long = String(repeating: "k", count: Order.keyBytesMax + 1)
        let main = """
            o,p,m,x
            1,anna, 12.34 ,
            2,,5,
            ,bob,5,
            4,bob,0.99,
            5,bob,-5,
            6,bob,five,
            1,anna, 12.34 ,
            1,anna,99,
            \(long),bob,5,
            7,bob,5
            8,bob,92233720368547758.07,
            9,bob,,
             10　,bob,5,
            """
        #expect(
            try read(mapping(), ["main.csv": main]) == [
                "2: 1 anna A 12 vested", "main.csv 3! column “p” is empty", "main.csv 4! column “o” is empty",
                "5~ its amount is too small for a point", "main.csv 6! column “m”: “-5” is below zero",
                "main.csv 7! column “m”: “five” is not an amount of money",
                "main.csv 8! order “1” is already on line 2, with the same content",
                "main.csv 9! order “1” is already on line 2, with other content",
                "main.csv 10! column “o” has 49 bytes; at most 48 are allowed",
                "main.csv 11! has 3 columns where 4 are expected", "12: 8 bob A 92233720368547758 vested",
                "main.csv 13! column “m”: is empty", "14: 10 bob A 5 vested",
            ])
    }

    @Test func ratesDecimalsAndQuantities() throws {
        let mapping = try mapping([
            ("{\"points\": 1, \"per\": \"1.00\"}", "{\"points\": 3, \"per\": \"10.00\"}"),
            ("\"currency\"", "\"decimals\": 1, \"currency\""),
            ("{\"column\": \"m\"}", "{\"column\": \"m\", \"times\": \"n\"}"),
        ])
        let main = "o,p,m,n\n1,a,3.33,3\n2,a,1,1.5\n3,a,92233720368547758.07,2\n4,a,1,2000000000\n5,a,9,\n6,a,1,-1\n"
        #expect(
            try read(mapping, ["main.csv": main]) == [
                "2: 1 a A 29 vested", "main.csv 3! column “n”: “1.5” is not a whole quantity",
                "main.csv 4! column “n”: “2” makes it too large an amount",
                "main.csv 5! column “n”: “2000000000” makes it too large an amount",
                "main.csv 6! column “n”: “” is not a whole quantity", "main.csv 7! column “m”: “1” is below zero",
            ])
    }

    @Test func tooManyPoints() throws {
        let mapping = try mapping([("\"points\": 1, \"per\"", "\"points\": 1000000000, \"per\"")])
        #expect(
            try read(mapping, ["main.csv": "o,p,m\n1,a,92233720368547758.07\n"]) == [
                "main.csv 2! the amount makes more than 9223372036854775807 points"
            ])
    }

    @Test func negativeAmountsMayEarnNothing() throws {
        let mapping = try mapping([
            ("\"earn\":", "\"moneyFormat\": {\"negative\": \"nothing\"}, \"earn\":"),
            ("{\"column\": \"m\"}", "{\"sum\": \"lines\"}"),
            (
                "\"order\":",
                "\"joins\": [{\"name\": \"lines\", \"file\": \"l.csv\", \"how\": \"sum\", \"sum\": \"v\", "
                    + "\"match\": [{\"from\": \"o\", \"to\": \"o\"}]}], \"order\":"
            ),
        ])
        let files = ["main.csv": "o,p\n1,a\n2,a\n3,a\n", "l.csv": "o,v\n1,5.50\n2,5\n1,-2.25\n2,-7\n"]
        #expect(
            try read(mapping, files) == [
                "2: 1 a A 3 vested", "3~ its amount is below zero", "4~ l.csv has no row for it",
            ])
    }

    @Test func joinedFiles() throws {
        // A chain: the order's card is in one file, the card's person in another; keys of two columns in the third.
        let mapping = try mapping([
            (
                "\"order\":",
                """
                "joins": [
                  {"name": "cards", "file": "cards.csv", "how": "one", "match": [{"from": "o", "to": "order"}]},
                  {"name": "people", "file": "people.csv", "how": "one",
                   "match": [{"from": {"join": "cards", "column": "card"}, "to": "card"}]},
                  {"name": "lines", "file": "lines.csv", "how": "sum", "sum": "v", "missing": "reject",
                   "match": [{"from": "o", "to": "a"}, {"from": "p", "to": "b"}]}],
                "order":
                """
            ),
            ("\"person\": \"p\"", "\"person\": {\"join\": \"people\", \"column\": \"name\"}"),
            ("{\"column\": \"m\"}", "{\"sum\": \"lines\"}"),
        ])
        let files = [
            "main.csv": "o,p\n1,x\n2,x\n3,x\n4,x\n5,x\n6,x\n11,\n7,x\n",
            "cards.csv":
                "order,card,other\n1,c1,u\n2,c2,u\n3,c3,u\n4,c4,u\n5,c1,u\n5,c1,w\n6,c1,u\n6,c2,u\n7,c1,u\n11,c1,u\n",
            "people.csv": "name,card\nanna,c1\nbob,c2\n,c4\nbad\n",
            "lines.csv":
                "a,b,v\n1,x,1.50\n1,x,1.50\n2,x,oops\n5,x,1\n6,x,1\n,x,1\n4,x,1\n7,x,92233720368547758\n"
                + "7,x,92233720368547758\n1,1,7\n",
        ]
        #expect(
            try read(mapping, files) == [
                "people.csv 5! has 1 column where 2 are expected", "lines.csv 7! column “a” is empty",
                "2: 1 anna A 3 vested",
                "main.csv 3! lines.csv line 4: column “v”: “oops” is not an amount of money",
                "main.csv 4! people.csv has no row for card “c3”",
                "main.csv 5! column “name” of people.csv is empty",
                "6: 5 anna A 1 vested",
                "main.csv 7! cards.csv has two different rows for it, lines 8 and 9",
                "main.csv 8! lines.csv has no row for a “11”, b “”",
                "main.csv 9! lines.csv line 10: the sum is too large an amount",
            ])
    }

    @Test func statesUnitsAndDates() throws {
        let mapping = try mapping([
            (
                "\"state\": \"vested\"",
                "\"state\": {\"column\": \"s\", \"values\": {\"ok\": \"vested\", \"no\": \"voided\"}}"
            ),
            (
                "\"unit\": \"A\"",
                "\"unit\": {\"column\": \"u\", \"values\": {\"甲店\": \"A\", \"乙店\": \"B\"}, \"other\": \"A\"}"
            ),
            (
                "\"programs\": [",
                "\"programs\": [{\"code\": \"B\", \"currency\": \"CNY\", \"faceValue\": {\"minor\": 1, \"points\": 1}},"
            ),
            ("\"earn\":", "\"date\": {\"column\": \"d\", \"format\": \"yyyy-MM-dd\"}, \"earn\":"),
        ])
        let main = """
            o,p,m,s,u,d
            1,a,5,ok,甲店,2024-02-29
            2,a,5,no, 乙店 ,2024-02-29
            3,a,5,maybe,甲店,2024-02-29
            4,a,5,ok,丙店,2024-02-29
            5,a,5,ok,甲店,2023-02-29
            6,a,5,ok,甲店,
            """
        #expect(
            try read(mapping, ["main.csv": main]) == [
                "2: 1 a A 5 vested", "3: 2 a B 5 voided",
                "main.csv 4! column “s”: “maybe” is not among the values of the mapping", "5: 4 a A 5 vested",
                "main.csv 6! column “d”: “2023-02-29” is not a date written yyyy-MM-dd",
                "main.csv 7! column “d” is empty",
            ])
    }

    @Test func filesThatLackSomething() throws {
        var error = #expect(throws: IntakeError.self) { try read(mapping(), ["main.csv": "o,p\n"]) }
        #expect(error?.reason == "has no column “m”; it has “o”, “p”")
        error = #expect(throws: IntakeError.self) { try read(mapping(), ["main.csv": "o,p,m,m\n"]) }
        #expect(error?.reason == "has 2 columns named “m”")
        error = #expect(throws: IntakeError.self) { try read(mapping(), [:]) }
        #expect(error?.reason == "there is no such file")
        #expect(error?.place.hasSuffix("/main.csv") == true)
    }

    @Test func aWrongJoinedFileIsGivenUp() throws {
        let mapping = try mapping([
            ("{\"column\": \"m\"}", "{\"sum\": \"lines\"}"),
            (
                "\"order\":",
                "\"joins\": [{\"name\": \"lines\", \"file\": \"l.csv\", \"how\": \"sum\", \"sum\": \"v\", "
                    + "\"match\": [{\"from\": \"o\", \"to\": \"o\"}]}], \"order\":"
            ),
        ])
        let lines = "o,v\n" + String(repeating: "x\n", count: 10_001)
        let error = #expect(throws: IntakeError.self) { try read(mapping, ["main.csv": "o,p\n", "l.csv": lines]) }
        #expect(error?.code == .limit)
        #expect(error?.reason.contains("is it the right file?") == true)
    }

    @Test func fullWidthMoneyInGB18030() throws {
        let mapping = try mapping([
            ("\"order\":", "\"file\": {\"encoding\": \"gb18030\"}, \"order\":"),
            ("\"earn\":", "\"moneyFormat\": {\"thousands\": \",\", \"signs\": [\"￥\"]}, \"earn\":"),
        ])
        try withTemporaryDirectory { directory in
            // o,p,m / 1,张,￥１，２３４．５０ / 2,张,"￥1,234.50"
            var bytes: [UInt8] = Array("o,p,m\r\n1,".utf8) + [0xD5, 0xC5, 0x2C, 0xA3, 0xA4, 0xA3, 0xB1, 0xA3, 0xAC]
            bytes += [0xA3, 0xB2, 0xA3, 0xB3, 0xA3, 0xB4, 0xA3, 0xAE, 0xA3, 0xB5, 0xA3, 0xB0, 0x0D, 0x0A]
            bytes += [0x32, 0x2C, 0xD5, 0xC5, 0x2C, 0x22, 0xA3, 0xA4] + Array("1,234.50\"\r\n".utf8)
            let file = directory.appendingPathComponent("main.csv")
            try Data(bytes).write(to: file)
            let reader = try OrderReader(mapping: mapping, file: file.path)
            for line in 2...3 {
                guard case .order(let order)? = try reader.next() else {
                    Issue.record("line \(line) is no order")
                    continue
                }
                #expect(order.line == line)
                #expect(order.person == "张")
                #expect(order.points == 1234)
            }
            #expect(try reader.next() == nil)
        }
    }
}
