import Crypto
import Foundation
import TestSupport
import Testing

@Suite struct CertificatesTests {
    @Test func theFirstEndOfSeveralCounts() throws {
        try withTemporaryDirectory { directory in
            for (name, days) in [("long", 400), ("short", 30), ("over", -1)] {
                try runScript(
                    """
                    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout \(name).key \
                        -subj /CN=\(name) -out \(name).csr 2>/dev/null
                    openssl x509 -req -in \(name).csr -signkey \(name).key -days \(days) -out \(name).pem 2>/dev/null
                    """, in: directory)
            }
            func read(_ names: String...) throws -> [UInt8] {
                try names.flatMap { [UInt8](try Data(contentsOf: directory.appendingPathComponent($0 + ".pem"))) }
            }
            let now = UInt64(Date().timeIntervalSince1970 * 1000)
            let (day, minute): (UInt64, UInt64) = (86_400_000, 60_000)
            let long = try #require(Certificates.end(pem: try read("long")))
            #expect((now + 400 * day - minute...now + 400 * day + minute).contains(long))
            let both = try #require(Certificates.end(pem: try read("long", "short")))
            #expect((now + 30 * day - minute...now + 30 * day + minute).contains(both))
            #expect(try Certificates.end(pem: read("short", "over"))! < now)
            #expect(try Certificates.end(pem: Array(read("long").dropFirst(100))) == nil)
            #expect(Certificates.end(pem: []) == nil)
        }
    }
}
