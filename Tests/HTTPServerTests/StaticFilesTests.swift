import HTTPServer
import Testing

@Suite struct StaticFilesTests {
    private static let page = Array(String(repeating: "<p>points</p>\n", count: 100).utf8)
    private static let files = StaticFiles([
        StaticFiles.File(path: "/index.html", type: "text/html; charset=utf-8", bytes: page),
        StaticFiles.File(path: "/small.txt", type: "text/plain", bytes: Array("small".utf8), maxAgeSeconds: 60),
    ])

    private static func get(_ target: String, _ headers: [(String, String)] = [], method: String = "GET")
        -> HTTPResponse?
    {
        files.response(
            to: HTTPRequest(method: method, target: target, headers: headers.map { (name: $0.0, value: $0.1) }))
    }

    private static func header(_ name: String, of response: HTTPResponse?) -> String? {
        response?.headers.first { $0.name == name }?.value
    }

    private static func bytes(_ response: HTTPResponse?) -> [UInt8]? {
        if case .shared(let bytes) = response?.body { bytes } else { nil }
    }

    @Test func servesAFileWithItsHeaders() {
        let response = Self.get("/?x=1")
        #expect(response?.status == 200)
        #expect(Self.bytes(response) == Self.page)
        #expect(Self.header("Content-Type", of: response) == "text/html; charset=utf-8")
        #expect(Self.header("Cache-Control", of: response) == "no-cache")
        #expect(Self.header("X-Content-Type-Options", of: response) == "nosniff")
        #expect(Self.header("Content-Security-Policy", of: response)?.contains("frame-ancestors 'none'") == true)
        #expect(Self.header("Cache-Control", of: Self.get("/small.txt")) == "public, max-age=60")
        #expect(Self.get("/none") == nil)
        #expect(Self.get("/../index.html") == nil)
        #expect(Self.get("/index.html", method: "POST") == nil)
        #expect(Self.get("/index.html", method: "HEAD")?.status == 200)
    }

    @Test(arguments: [
        ("gzip", true), ("deflate, gzip;q=0.5", true), ("*", true), ("GZIP", true), ("gzip;q=0", false),
        ("gzip; q=0.000", false), ("br", false), ("", false),
    ])
    func packsWhereTheClientMay(_ accepts: String, _ isPacked: Bool) {
        let response = Self.get("/", [("accept-encoding", accepts)])
        #expect((Self.header("Content-Encoding", of: response) == "gzip") == isPacked)
        #expect(Self.header("Vary", of: response) == "Accept-Encoding")
        #expect(Self.bytes(response).map { $0.count < Self.page.count } == isPacked)
        #expect(Self.header("Content-Encoding", of: Self.get("/small.txt", [("accept-encoding", accepts)])) == nil)
    }

    @Test func saysThatNothingHasChanged() throws {
        for accepts in ["gzip", "identity"] {
            let tag = try #require(Self.header("ETag", of: Self.get("/", [("Accept-Encoding", accepts)])))
            for list in [tag, "\"other\", W/\(tag)", "*"] {
                let response = Self.get("/", [("Accept-Encoding", accepts), ("If-None-Match", list)])
                #expect(response?.status == 304)
                #expect(Self.header("ETag", of: response) == tag)
            }
            #expect(Self.get("/", [("Accept-Encoding", accepts), ("If-None-Match", "\"other\"")])?.status == 200)
        }
        #expect(Self.header("ETag", of: Self.get("/")) != Self.header("ETag", of: Self.get("/small.txt")))
    }

    /// What was packed is what the usual tool unpacks.
    @Test func gzipUnpacks() throws {
        let packed = try #require(Self.bytes(Self.get("/", [("Accept-Encoding", "gzip")])))
        #expect(try tool("gzip", ["-dc"], input: packed) == Self.page)
    }
}
