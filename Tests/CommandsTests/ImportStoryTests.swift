import Foundation
import Ledger
import ServerKit
import TestSupport
import Testing

@testable import Commands

/// Small files with everything that happens to orders and to files.
@Suite(.ownThread) struct ImportStoryTests {
    @Test func badRowsGoToTheRejects() throws {
        try withChain { root, chain in
            let call = try Shop().importing(
                """
                1,anna,10.50,done
                2,ben,abc,done
                3,cara,20.00
                4,"d
                an",5.00,done
                1,anna,11.00,done
                5,eve,7.00,lost
                6,=cmd,-3.00,done
                7,gus,0.40,done
                8,,4.00,done

                """, into: chain, in: root)
            #expect(call.code == 0, "\(call.errors)")
            let totals = call.json
            #expect(totals["vested"].sum == [2, 15])
            #expect(totals["nothingEarned"].int == 1)
            #expect(totals["rejected"].int == 6)
            let rejects = try String(contentsOfFile: chain + "/orders.csv.rejects.csv", encoding: .utf8)
            let lines = rejects.split(separator: "\r\n").map(String.init)
            #expect(lines[0] == "file,line,reason,record")
            let wanted = [
                (3, "abc"), (4, "column"), (7, "line 2"), (8, "lost"), (9, "-3.00"), (11, "who"),
            ]
            #expect(lines.count == 1 + wanted.count)
            for (row, (line, word)) in zip(lines.dropFirst(), wanted) {
                #expect(row.hasPrefix("orders.csv,\(line),"), "\(row)")
                #expect(row.contains(word), "\(row)")
            }
            // A clean file leaves no old rejects behind.
            #expect(try Shop().importing("1,anna,10.50,done\n", into: chain, in: root).json["already"].int == 1)
            let after = try String(contentsOfFile: chain + "/orders.csv.rejects.csv", encoding: .utf8)
            #expect(after == "file,line,reason,record\r\n")
        }
    }

    @Test func rowsAreCountedForTheTimeLeft() throws {
        try withTemporaryDirectory { (root) throws in
            #expect(Files.rowsAtMost(try root.write("a.csv", "h\n1\n2\n")) == 3)
            #expect(
                Files.rowsAtMost(try root.write("b.csv", "h\n" + String(repeating: "row\r\n", count: 400_000)))
                    == 400_001)
            #expect(Files.rowsAtMost(try root.write("c.csv", "no line ends")) == nil)
            #expect(Files.rowsAtMost(root.path) == nil)
            #expect(Files.rowsAtMost("/dev/null") == nil)
        }
    }

    @Test func rejectsGoWhereTheyAreWanted() throws {
        try withChain { root, chain in
            let call = try Shop().importing("1,anna,x,done\n", into: chain, in: root, "--rejects", root.file("bad.csv"))
            #expect(call.code == 0)
            #expect(try String(contentsOfFile: root.file("bad.csv"), encoding: .utf8).contains("orders.csv,2,"))
            let before = try snapshot(chain)
            let refused = try Shop().importing(
                "2,ben,1.00,done\n", into: chain, in: root, "--rejects", root.file("no/such.csv"))
            #expect(refused.code == 1)
            #expect(refused.error["reason"].text?.contains("cannot be created") == true, "\(refused.errors)")
            #expect(try snapshot(chain) == before)
        }
    }

    /// Shipped, delivered, brought back: totals follow the file, and points that were spent become a debt.
    @Test func statesFollowTheFile() throws {
        try withChain { root, chain in
            func run(_ rows: String) throws -> JSON {
                let call = try Shop().importing(rows, into: chain, in: root)
                try #require(call.code == 0, "\(call.errors)")
                return call.json
            }
            let first = try run("1,anna,10.00,open\n2,anna,20.00,open\n3,ben,30.00,gone\n")
            #expect(first["pending"].sum == [2, 30])
            #expect(first["voided"].sum == [1, 30])
            let second = try run("1,anna,10.00,done\n2,anna,20.00,gone\n3,ben,30.00,gone\n")
            #expect(second["vested"].sum == [1, 10])
            #expect(second["voided"].sum == [1, 20])
            #expect(second["already"].int == 1)
            let third = try run("1,anna,10.00,gone\n2,anna,20.00,gone\n4,ben,5.00,done\n")
            #expect(third["clawedBack"].sum == [1, 10])
            #expect(third["vested"].sum == [1, 5])
            #expect(third["already"].int == 1)
            let fourth = try run("1,anna,10.00,gone\n2,anna,20.00,gone\n4,ben,5.00,done\n")
            #expect(fourth["already"].int == 3)
            #expect(fourth["clawedBack"].sum == [0, 0])
            let unit = try unit("SHOP", in: chain)
            #expect([unit.available, unit.pending, unit.debt, unit.clawed] == [5, 0, 0, 10])
            #expect(try Call.ok("audit", chain, "--json").json["ok"].flag == true)
        }
    }

    /// What contradicts the chain is a reject with the ledger's own words in both languages.
    @Test func contradictionsAreRejected() throws {
        try withChain { root, chain in
            #expect(try Shop().importing("1,anna,10.00,done\n2,ben,9.00,gone\n", into: chain, in: root).code == 0)
            let call = try Shop().importing(
                "1,anna,12.00,done\n2,ben,9.00,done\n", into: chain, in: root)
            #expect(call.code == 0)
            #expect(call.json["rejected"].int == 2)
            let rejects = try String(contentsOfFile: chain + "/orders.csv.rejects.csv", encoding: .utf8)
            #expect(rejects.contains("exists-with-different-amount"))
            #expect(rejects.contains("total-above-amount"))
            #expect(rejects.contains("数"))
        }
    }

    @Test func chineseEncodingAndMoney() throws {
        try withChain { root, chain in
            var shop = Shop.with("file", #"{"encoding": "gb18030"}"#)
            shop.members["moneyFormat"] = #"{"decimal": ".", "thousands": ",", "signs": ["￥"], "decimals": 2}"#
            shop.members["state"] = #"{"column": "status", "values": {"已签收": "vested", "已取消": "voided"}}"#
            // 张三 ￥1,234.50 已签收 and 李四 ￥99.99 已取消, in GB18030.
            let (zhang, li): ([UInt8], [UInt8]) = ([0xD5, 0xC5, 0xC8, 0xFD], [0xC0, 0xEE, 0xCB, 0xC4])
            let signed: [UInt8] = [0xD2, 0xD1, 0xC7, 0xA9, 0xCA, 0xD5]
            let cancelled: [UInt8] = [0xD2, 0xD1, 0xC8, 0xA1, 0xCF, 0xFB]
            let sign: [UInt8] = [0xA3, 0xA4]
            var bytes = Array(Shop.header.utf8)
            bytes += Array("1,".utf8) + zhang + Array(",\"".utf8) + sign + Array("1,234.50\",".utf8) + signed + [0x0A]
            bytes += Array("2,".utf8) + li + Array(",".utf8) + sign + Array("99.99,".utf8) + cancelled + [0x0A]
            bytes += Array("3,".utf8) + zhang + Array(",\"".utf8) + sign + Array("1,23.50\",".utf8) + signed + [0x0A]
            let call = try shop.importing(bytes, into: chain, in: root)
            #expect(call.code == 0, "\(call.errors)")
            #expect(call.json["vested"].sum == [1, 1234])
            #expect(call.json["voided"].sum == [1, 99])
            #expect(call.json["rejected"].int == 1)
        }
    }

    /// Two organisations; each gives its own points, and nobody those of another.
    @Test func programsOfSeveralOrganisations() throws {
        try withChain("--validators", "2") { root, chain in
            var shop = Shop()
            func program(_ organisation: Int, _ more: String = "") -> String {
                #"[{"code": "SHOP", "currency": "CNY", "faceValue": {"minor": 1, "points": 1}, "organisation": "#
                    + "\(organisation)\(more)}]"
            }
            shop.members["programs"] = program(2)
            #expect(try shop.importing("1,anna,10.00,done\n", into: chain, in: root).json["vested"].sum == [1, 10])
            #expect(try unit("SHOP", in: chain).issuer == OrganisationID(2))
            let refusals = [
                (program(1), "program-differs", "the issuer organisation 2"),
                (program(7), "organisation-unknown", "no"),
                (program(2, #", "decimals": 2"#), "program-differs", "decimals 0"),
            ]
            let nodes = try units(in: chain)
            for (programs, code, words) in refusals {
                shop.members["programs"] = programs
                for options in [[], ["--dry-run"]] {
                    let call = try shop.importing(
                        Array((Shop.header + "2,ben,1.00,done\n").utf8), into: chain, in: root, options)
                    #expect(call.code == 1)
                    #expect(call.error["code"].text == code, "\(call.errors)")
                    #expect(call.error["reason"].text?.contains(words) == true, "\(call.errors)")
                }
            }
            #expect(try units(in: chain) == nodes)
        }
    }

    @Test(arguments: [
        (Shop.with("person", nil), "$.person", "missing"),
        (Shop.with("colour", "1"), "$.colour", "not known"),
        (Shop.with("lianfen", #""mapping/9""#), "$.lianfen", "mapping/1"),
        (Shop.with("unit", #""NOWHERE""#), "$.unit", "NOWHERE"),
        (Shop.with("earn", #"{"points": 1.5, "per": "1.00"}"#), "$.earn.points", "whole number"),
        (Shop.with("source", #""a source with blanks""#), "$.source", "16"),
        (Shop.with("programs", "[]"), "$.programs", "at least one"),
    ])
    func aWrongMappingNamesItsPlace(_ shop: Shop, _ field: String, _ words: String) throws {
        try withChain { root, chain in
            let before = try snapshot(chain)
            let call = try shop.importing("1,anna,10.00,done\n", into: chain, in: root)
            #expect(call.code == 1)
            #expect(call.error["code"].text == "mapping-invalid", "\(call.errors)")
            #expect(call.error["field"].text == field, "\(call.errors)")
            #expect(call.error["reason"].text?.contains(words) == true, "\(call.errors)")
            #expect(try snapshot(chain) == before)
        }
    }

    @Test func unreadableFilesChangeNothing() throws {
        try withChain { root, chain in
            let mapping = try root.write("shop.json", Shop().json)
            let before = try snapshot(chain)
            func refused(_ file: String, _ mapping: String, _ code: String, _ exit: Int32) throws {
                let call = Call("import", file, "--mapping", mapping, "--dir", chain, "--json")
                #expect(call.error["code"].text == code, "\(call.errors)")
                #expect(call.code == exit, "\(call.errors)")
                #expect(try snapshot(chain) == before)
            }
            let orders = try root.write("orders.csv", Shop.header)
            try refused(root.file("none.csv"), mapping, "file-notFound", 1)
            try refused(try root.write("columns.csv", "a,b\n1,2\n"), mapping, "file-columns", 1)
            try refused(root.path, mapping, "file-inputOutput", 3)
            try refused(orders, root.file("none.json"), "file-notFound", 1)
            try refused(orders, try root.write("bad.json", "{\"lianfen\": "), "mapping-invalid", 1)
            try refused(
                orders, try root.write("deep.json", String(repeating: "[", count: 100_000)), "mapping-invalid", 1)
            try refused(
                orders, try root.write("big.json", String(repeating: " ", count: 1_100_000)), "file-too-large", 3)
            // Bytes that are not in the encoding are bad rows, not a bad file.
            let latin = try root.write(
                "latin.csv", Array((Shop.header + "1,ann").utf8) + [0xE9] + Array(",1.00,done".utf8))
            let call = Call("import", latin, "--mapping", mapping, "--dir", chain, "--json")
            #expect(call.code == 0)
            #expect(call.json["rejected"].int == 1)
        }
    }

    /// An import waits for the next minute where openings are bounded, says so, and can be stopped there.
    @Test func openingsAreBounded() throws {
        try withTemporaryDirectory { root in
            let chain = root.file("chain")
            var parameters = Parameters()
            parameters.openingsPerMinuteMax = 1
            _ = try InitCommand.create(
                at: chain, chain: "slow", validators: 1, quota: 1000, passphrase: nil, parameters: parameters)
            let file = try root.write("orders.csv", Shop.header + "1,anna,1.00,done\n2,ben,1.00,done\n3,cy,1.00,done\n")
            let mapping = try root.write("shop.json", Shop().json)
            let child = try Child("import", file, "--mapping", mapping, "--dir", chain)
            try child.waitFor("as many accounts as this chain allows it in a minute (1)")
            child.interrupt()
            let code = child.wait()
            #expect(code == 4, "\(child.errors)")
            #expect(child.output.contains("Stopped before the end; run it again to go on."))
            #expect(try unit("SHOP", in: chain).minted == 0)
            var refused: Call?
            for name in ["a", "b", "c"] where refused == nil {
                let call = Call("wallet", "new", name, "--dir", chain, "--json")
                if call.code != 0 { refused = call }
                #expect(FileManager.default.fileExists(atPath: "\(chain)/wallets/\(name).wallet") == (call.code == 0))
            }
            #expect(try #require(refused).error["code"].text == "openings-too-many")
            #expect(refused?.code == 1)
        }
    }

    @Test func killedAtAnyMomentItGoesOn() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        let count = 12_000
        try withChain { root, chain in
            let rows = (1...count).map { "\($0),person \($0 % 900),\($0 % 50 + 1).00,done\n" }
            let points = (1...count).reduce(0) { $0 + $1 % 50 + 1 }
            let file = try root.write("orders.csv", Shop.header + rows.joined())
            let mapping = try root.write("shop.json", Shop().json)
            let words = ["import", file, "--mapping", mapping, "--dir", chain, "--json"]
            for _ in 0..<4 {
                let child = try Child(words)
                usleep(UInt32.random(in: 50_000...1_500_000, using: &random))
                child.kill()
                _ = child.wait()
            }
            let totals = Call(words).json
            #expect(totals["orders"].sum == [count, points], "seed \(seed)")
            let added = try #require(totals["vested"]["count"].int)
            #expect(totals["already"].int == count - added, "seed \(seed)")
            #expect(totals["rejected"].int == 0, "seed \(seed)")
            #expect(try unit("SHOP", in: chain).available == UInt64(points), "seed \(seed)")
            #expect(try Call.ok("audit", chain, "--json").json["ok"].flag == true, "seed \(seed)")
        }
    }
}
