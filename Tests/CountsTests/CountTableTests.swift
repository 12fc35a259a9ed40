import Testing

@testable import Counts

@Suite struct CountTableTests {
    private let file = CountTable(
        compiler: "6.3.1",
        rows: [.init(name: "decode", own: 10_000, crypto: 0), .init(name: "hash", own: 200, crypto: 5000)])

    private func now(_ rows: (String, Int, Int)..., compiler: String = "6.3.1") -> CountTable {
        CountTable(compiler: compiler, rows: rows.map { .init(name: $0.0, own: $0.1, crypto: $0.2) })
    }

    @Test func whatIsWrittenIsReadBack() throws {
        #expect(try CountTable(parsing: file.text) == file)
        #expect(file.text.hasSuffix("name\town\tcrypto\ndecode\t10000\t0\nhash\t200\t5000\n"))
    }

    @Test(arguments: [
        "decode 1 2", "decode\t1", "decode\t1\t2\t3", "\t1\t2", "decode\tone\t2", "decode\t1.5\t2",
        "decode\t1\t2\ndecode\t1\t2",
    ])
    func whatIsNoTableIsRefused(text: String) {
        #expect(throws: CountTable.Malformed.self) { try CountTable(parsing: text) }
    }

    @Test func twoInAHundredAreToleratedInEitherDirection() {
        #expect(file.differences(from: now(("decode", 10_200, 0), ("hash", 204, 5100))) == [])
        #expect(file.differences(from: now(("decode", 9800, 0), ("hash", 196, 4900))) == [])
        #expect(
            file.differences(from: now(("decode", 10_201, 0), ("hash", 200, 5000))) == [
                "decode takes 10201 instructions, and the file says 10000 (+2 %): it has become slower. Find out why."
            ])
        #expect(
            file.differences(from: now(("decode", 5000, 0), ("hash", 200, 5000))) == [
                "decode takes 5000 instructions, and the file says 10000 (-50 %): it has become faster. Write that "
                    + "down, so that it stays."
            ])
    }

    @Test func cryptographyIsHeldByItself() {
        let differences = file.differences(from: now(("decode", 10_000, 1), ("hash", 200, 10_000)))
        #expect(
            differences == [
                "decode takes 1 instructions in cryptographic libraries, and the file says 0: it has become slower. "
                    + "Find out why.",
                "hash takes 10000 instructions in cryptographic libraries, and the file says 5000 (+100 %): it has "
                    + "become slower. Find out why.",
            ])
    }

    @Test func pathsThatCameOrWentAreSaid() {
        #expect(
            file.differences(from: now(("hash", 200, 5000), ("store", 1, 1))) == [
                "decode stands in the file and was not counted.", "store was counted and does not stand in the file.",
            ])
    }

    /// Another compiler is an explanation, and no excuse.
    @Test func anotherCompilerIsSaidWhereSomethingDiffers() {
        #expect(file.differences(from: now(("decode", 10_000, 0), ("hash", 200, 5000), compiler: "6.4")) == [])
        let differences = file.differences(from: now(("decode", 20_000, 0), ("hash", 200, 5000), compiler: "6.4"))
        #expect(differences.count == 2)
        #expect(differences.last == "The file is of Swift 6.3.1, and this is a build of Swift 6.4.")
    }

    @Test func pathsHaveNamesOfTheirOwn() {
        let names = HotPath.all.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(!names.contains { $0.contains("\t") || $0.isEmpty })
    }
}
