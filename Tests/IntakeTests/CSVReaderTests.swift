import Foundation
import Intake
import TestSupport
import Testing

@Suite struct CSVReaderTests {
    /// What a reader gives, in a form that can be compared and written down.
    private func read(
        _ bytes: [UInt8], _ format: CSVFormat = CSVFormat(), chunkBytes: Int = CSVReader.chunkBytesDefault
    ) throws -> [String] {
        let reader = try CSVReader(bytes: bytes, format: format, chunkBytes: chunkBytes)
        var steps = [reader.columns.joined(separator: "|")]
        while true {
            switch try reader.next() {
            case .end: return steps
            case .record: steps.append("\(reader.record.line): \(reader.record.fields.joined(separator: "|"))")
            case .malformed(let fault): steps.append("\(fault.line)-\(fault.lastLine)! \(fault.reason)")
            }
        }
    }

    private func read(_ text: String, _ format: CSVFormat = CSVFormat()) throws -> [String] {
        try read(Array(text.utf8), format)
    }

    @Test(arguments: [
        ("a,b\n1,2\n", ["a|b", "2: 1|2"]),
        ("a,b\n1,2", ["a|b", "2: 1|2"]),
        ("\u{FEFF}a,b\r\n1,2\r\n3,4\r\n", ["a|b", "2: 1|2", "3: 3|4"]),
        ("a,b\r1,2\n3,4\r\n5,6\r", ["a|b", "2: 1|2", "3: 3|4", "4: 5|6"]),
        ("a,b\n\n1,2\n\r\n\n3,4\n\n", ["a|b", "3: 1|2", "6: 3|4"]),
        ("a,b\n,\n\"\",\"\"\n", ["a|b", "2: |", "3: |"]),
        ("\"a\",\"b\"\"c\"\n\"1,\n2\",\"3\"\n4,5\n", ["a|b\"c", "2: 1,\n2|3", "4: 4|5"]),
        ("a,b\n\"x\r\ny\r\rz\",1\n2,3\n", ["a|b", "2: x\r\ny\r\rz|1", "6: 2|3"]),
        ("a,b\n1\"2,\"\"\"\"\n", ["a|b", "2: 1\"2|\""]),
        ("a\n\"\"\n\nx\n", ["a", "2: ", "4: x"]),
        ("a,b", ["a|b"]),
        (
            "a,b\n1,2,3\n4\n5,6\n",
            ["a|b", "2-2! has 3 columns where 2 are expected", "3-3! has 1 column where 2 are expected", "4: 5|6"]
        ),
        (
            "a,b\n1,2\n3,\"4\n5,6\n7,8\n",
            ["a|b", "2: 1|2", "3-5! the quote opened in column “b” on line 3 is never closed (lines 3 to 5)"]
        ),
        (
            "a,b\n1,\"2\n3\"x,4\n5,6\n",
            [
                "a|b",
                "2-3! column “b” has text after its closing quote (line 3); quotes inside a field are doubled "
                    + "(lines 2 to 3)",
                "4: 5|6",
            ]
        ),
        ("a,b\n1,x\0y\n2,3\n", ["a|b", "2-2! column “b” contains a zero byte", "3: 2|3"]),
        ("a,b\n1,\"x\0y\"\n", ["a|b", "2-2! column “b” contains a zero byte"]),
    ])
    func table(text: String, expected: [String]) throws {
        #expect(try read(text) == expected)
        for chunkBytes in 1...(text.utf8.count + 1) {
            #expect(try read(Array(text.utf8), chunkBytes: chunkBytes) == expected, "chunks of \(chunkBytes)")
        }
    }

    /// 订单,金额 / 甲乙丙,￥１ / U+3400 (four bytes, two of them digits) and U+1F600, then a character cut short.
    private static let chinese: [UInt8] =
        [0xB6, 0xA9, 0xB5, 0xA5, 0x2C, 0xBD, 0xF0, 0xB6, 0xEE, 0x0D, 0x0A]
        + [0x22, 0xBC, 0xD7, 0xD2, 0xD2, 0x22, 0x22, 0xB1, 0xFB, 0x22, 0x2C, 0xA3, 0xA4, 0xA3, 0xB1, 0x0D, 0x0A]
        + [0x81, 0x39, 0xEE, 0x39, 0x2C, 0x94, 0x39, 0xFC, 0x36, 0x0A]
        + [0x31, 0x2C, 0xB6, 0x0A]
        + [0x32, 0x2C, 0x81, 0x5C, 0x0A]

    @Test func gb18030() throws {
        let format = CSVFormat(encoding: .gb18030)
        let expected = [
            "订单|金额", "2: 甲乙\"丙|￥１", "3: \u{3400}|\u{1F600}", "4-4! the text is not valid GB18030", "5: 2|乗",
        ]
        for chunkBytes in 1...(Self.chinese.count + 1) {
            #expect(try read(Self.chinese, format, chunkBytes: chunkBytes) == expected, "chunks of \(chunkBytes)")
        }
        // The mark of GB18030 itself is skipped.
        #expect(try read([0x84, 0x31, 0x95, 0x33] + Self.chinese, format) == expected)
    }

    @Test func theRecordOfARejectIsShown() throws {
        let reader = try CSVReader(bytes: Self.chinese, format: CSVFormat(encoding: .gb18030))
        _ = try reader.next()
        #expect(reader.text(of: reader.raw) == "\"甲乙\"\"丙\",￥１")
        _ = try reader.next()
        guard case .malformed(let fault) = try reader.next() else {
            Issue.record("a cut character was accepted")
            return
        }
        #expect(reader.text(of: fault.raw) == "1,\u{FFFD}")
    }

    @Test(
        arguments: [
            [0xFF], [0xC0, 0xAF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xC3],
            [0xE2, 0x82], [0x80], [0xF5, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
        ] as [[UInt8]])
    func invalidUTF8IsARejectOfItsRow(bytes: [UInt8]) throws {
        let expected = ["a,b", "2-2! the text is not valid UTF-8", "3: 1|2"].map { $0.replacing("a,b", with: "a|b") }
        #expect(try read(Array("a,b\nx".utf8) + bytes + Array(",y\n1,2\n".utf8)) == expected)
        #expect(try read(Array("a,b\n\"x".utf8) + bytes + Array("\",y\n1,2\n".utf8)) == expected)
    }

    /// The halves of a character in two fields do not make a character.
    @Test func aCharacterAcrossFieldsIsInvalid() throws {
        let text: [UInt8] = Array("a,b\n".utf8) + [0xC3, 0x2C, 0xA9, 0x0A]
        #expect(try read(text) == ["a|b", "2-2! the text is not valid UTF-8"])
    }

    @Test func delimitersAndNamedColumns() throws {
        #expect(try read("a;b\n1,5;2\n", CSVFormat(delimiter: .semicolon)) == ["a|b", "2: 1,5|2"])
        #expect(try read("a\tb\n1\t2\n", CSVFormat(delimiter: .tab)) == ["a|b", "2: 1|2"])
        #expect(try read("1,2\n3,4\n", CSVFormat(columns: ["x", "y"])) == ["x|y", "1: 1|2", "2: 3|4"])
    }

    @Test(
        arguments: [
            ([], CSVFormat(), "is empty: the first line has to name the columns"),
            ([0xFF, 0xFE, 0x61, 0x00], CSVFormat(), "is UTF-16 text; save it as UTF-8 or GB18030"),
            (
                [0xEF, 0xBB, 0xBF, 0x61], CSVFormat(encoding: .gb18030),
                "begins with the mark of UTF-8, but the mapping says gb18030"
            ),
            (
                Array("a,\"b\n1,2\n".utf8), CSVFormat(),
                "the header cannot be read: the quote opened in column 2 on line 1"
            ),
            (
                [UInt8](repeating: 0x2C, count: CSVReader.columnsMax), CSVFormat(),
                "has 1025 columns; at most 1024 are read"
            ),
        ] as [([UInt8], CSVFormat, String)])
    func unreadableFiles(bytes: [UInt8], format: CSVFormat, reason: String) {
        let error = #expect(throws: IntakeError.self) { try CSVReader(bytes: bytes, format: format) }
        #expect(error?.reason.hasPrefix(reason) == true, "\(error?.reason ?? "")")
    }

    @Test func missingFilesAndDirectories() throws {
        try withTemporaryDirectory { directory in
            var error = #expect(throws: IntakeError.self) { try CSVReader(path: directory.path) }
            #expect(error?.reason == "is a directory, not a CSV file")
            error = #expect(throws: IntakeError.self) { try CSVReader(path: directory.path + "/none.csv") }
            #expect(error?.code == .notFound)
        }
    }

    @Test(arguments: [CSVReader.chunkBytesDefault, 1 << 23])
    func longFieldsAndRecords(chunkBytes: Int) throws {
        let field = [UInt8](repeating: 0x78, count: CSVReader.fieldBytesMax)
        let record = [UInt8](repeating: 0x78, count: CSVReader.recordBytesMax)
        var text = Array("a,b\n".utf8) + field + Array(",2\n".utf8)
        text += field + Array("x,4\n".utf8)
        // Between quotes nothing is a record, however long it is.
        text += Array("5,\"".utf8) + record + Array("\n6,7\r\n\"\"8,9\"\"\",\"x\"\n".utf8)
        text += record + Array("\r\n10,11\n".utf8)
        text += Array("12,\"".utf8) + record + Array("\n13,14\n".utf8)
        let steps = try read(text, chunkBytes: chunkBytes).map { $0.count > 1000 ? "long" : $0 }
        let overlong = "the record is longer than 1048576 bytes; perhaps a quote is never closed"
        #expect(
            steps == [
                "a|b", "long", "3-3! column “a” is longer than 65536 bytes", "4-6! \(overlong) (lines 4 to 6)",
                "7-7! \(overlong)", "8: 10|11", "9-10! \(overlong) (lines 9 to 10)",
            ])
    }

    /// Whatever the fields, what is written as CSV is read back the same.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let pieces = ["", "a", "\"", ",", "\n", "\r\n", "\r", ";", "é", "积分", "\t", " ", "\"\"", "x y"]
        let delimiter = try #require(CSVFormat.Delimiter.allCases.randomElement(using: &random))
        let separator = String(Character(Unicode.Scalar(delimiter.rawValue)))
        let columns = Int.random(in: 1...5, using: &random)
        let rows = (0..<50).map { _ in
            (0..<columns).map { _ in
                (0..<Int.random(in: 0...4, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }
                    .joined()
            }
        }
        var text = ""
        for row in rows {
            let fields = row.map { field in
                let mustQuote =
                    field.isEmpty || field.utf8.contains { [0x22, 0x0A, 0x0D, delimiter.rawValue].contains($0) }
                let quoted = "\"\(field.replacing("\"", with: "\"\""))\""
                return mustQuote || Bool.random(using: &random) ? quoted : field
            }
            text += fields.joined(separator: separator) + (["\n", "\r\n", "\r"].randomElement(using: &random) ?? "")
        }
        let format = CSVFormat(delimiter: delimiter, columns: (0..<columns).map { "c\($0)" })
        let reader = try CSVReader(
            bytes: Array(text.utf8), format: format, chunkBytes: Int.random(in: 1...200, using: &random))
        for row in rows {
            #expect(try reader.next() == .record, "seed \(seed)")
            #expect(reader.record.fields.map { Array($0.utf8) } == row.map { Array($0.utf8) }, "seed \(seed)")
        }
        #expect(try reader.next() == .end)
    }

    /// Any bytes are read to the end without a trap, and the same whatever the chunks are.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func anyBytes(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let alphabet: [UInt8] = [0x22, 0x22, 0x2C, 0x2C, 0x0A, 0x0D, 0x61, 0x31, 0x81, 0x39, 0xC3, 0xA9, 0x00, 0xFF]
        let bytes = (0..<Int.random(in: 0...300, using: &random)).map { _ in
            alphabet.randomElement(using: &random) ?? 0
        }
        for encoding in CSVFormat.Encoding.allCases {
            let format = CSVFormat(encoding: encoding)
            let whole = Result { try read(bytes, format, chunkBytes: bytes.count + 1) }
            for chunkBytes in [1, 2, 3, 7] {
                let parts = Result { try read(bytes, format, chunkBytes: chunkBytes) }
                switch (whole, parts) {
                case (.success(let a), .success(let b)): #expect(a == b, "seed \(seed), chunks of \(chunkBytes)")
                case (.failure, .failure): break
                default: Issue.record("seed \(seed): chunks of \(chunkBytes) change the outcome")
                }
            }
        }
    }
}
