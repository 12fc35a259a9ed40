import Testing

@testable import Counts

@Suite struct CallgrindDumpTests {
    /// Two functions of ours call one of a library, whose name is given where it is first called.
    private static let dump = """
        # callgrind format
        version: 1
        events: Ir

        ob=(1) /home/me/Counts
        fl=(1) ???
        fn=(1) countedPass
        0 10
        cob=(2) /usr/lib/x86_64-linux-gnu/libcrypto.so.3
        cfi=(1)
        cfn=(2) SHA256_Init
        calls=2 0
        0 500
        +3 5

        fn=(3) another
        * 7

        ob=(2)
        fn=(2)
        0 480
        -2 20

        ob=(3) /usr/lib/x86_64-linux-gnu/libc.so.6
        fn=(4) malloc
        0 100

        totals: 622

        """

    @Test func instructionsAreCountedWhereTheyAreExecuted() throws {
        let dump = try CallgrindDump(Self.dump)
        #expect(
            dump.byObject == [
                "/home/me/Counts": 22, "/usr/lib/x86_64-linux-gnu/libcrypto.so.3": 500,
                "/usr/lib/x86_64-linux-gnu/libc.so.6": 100,
            ])
        #expect(dump.parts == (122, 500))
    }

    @Test func aSumThatDiffersIsRefused() {
        #expect(throws: CallgrindDump.Malformed.self) {
            try CallgrindDump(Self.dump.replacing("totals: 622", with: "totals: 1122"))
        }
        #expect(throws: CallgrindDump.Malformed.self) {
            try CallgrindDump(Self.dump.replacing("totals: 622", with: ""))
        }
    }

    @Test func aRunIsANameAndACount() {
        #expect(Callgrind.Run("decode\t1000\t-77")?.count == 1000)
        for line in ["decode", "decode\t0\t1", "decode\tmany\t1", ""] { #expect(Callgrind.Run(line) == nil) }
    }
}
