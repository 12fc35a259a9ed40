import Concurrency
import HTTPServer
import Testing

import class Foundation.ProcessInfo
import struct Foundation.URL

@testable import Gateway

/// The tables of docs/api.md say what the code says.
/// `LIANFEN_WRITE_DOCS=1 swift test --filter APIDocumentTests` writes them.
struct APIDocumentTests {
    static let routes: String = {
        var lines = ["| route | who | what |", "|---|---|---|"]
        for route in Gateway.routes {
            let who =
                switch route.access {
                case .everybody: "everybody"
                case .everybodyAndMore: "everybody; with a token more"
                case .token: "token"
                }
            var what = route.summary
            // Routes of operations say it in both languages; the page is English.
            if let end = what.lastIndex(where: { $0 == "." }) { what = String(what[...end]) }
            if route.takesBytes { what += " JSON or bytes." }
            lines.append("| `\(route.method.rawValue) \(route.path)` | \(who) | \(what) |")
        }
        return lines.joined(separator: "\n")
    }()

    /// One writes at a time.
    private static let page = Locked(())

    /// What whoever wrote the client does about each.
    static let advice: [String: String] = [
        "path-unknown": "Mend the path.",
        "method-not-allowed": "Mend the method.",
        "not-acceptable": "Mend `Accept`.",
        "media-type-unsupported": "Send `application/json`, or bytes where the route takes them.",
        "charset-unsupported": "Send UTF-8.",
        "body-malformed": "Send one JSON object, or the bytes of one transaction.",
        "field-invalid": "Mend what `field` names.",
        "parameter-invalid": "Mend what `field` names.",
        "cursor-invalid": "Begin with the first page.",
        "header-invalid": "Mend what `field` names.",
        "transaction-too-large": "Send fewer lines a transaction.",
        "transaction-impossible": "Mend what `field` names.",
        "height-not-found": "Wait until it is certified.",
        "history-not-here": "Ask a node that has been there from the genesis on.",
        "snapshot-not-found": "List the snapshots that are there.",
        "transaction-not-found": "Once its `validUntil` has passed: it never will be. Build a new one.",
        "account-not-found": "Open it.",
        "unit-not-found": "Publish it, or mend the code.",
        "accrual-not-found": "Nothing; or credit it.",
        "reservation-not-found": "Look at the receipt of its commit or release.",
        "organisation-not-found": "Look at the list of organisations.",
        "proposal-not-found": "Look at the receipt of its last approval; propose it again where it has lapsed.",
        "token-missing": "Get a token.",
        "token-invalid": "Get another; the node may have started anew.",
        "token-expired": "Get another.",
        "key-not-valid": "Use a key that is valid now.",
        "challenge-invalid": "Ask for another challenge, and sign it within two minutes.",
        "not-yours": "Ask with the token of whom it concerns.",
        "idempotency-key-reused": "Find out why one key names two requests.",
        "idempotency-in-flight": "Send the same again in a moment.",
        "too-many-requests": "Wait as long as `Retry-After` says.",
        "sender-busy": "Wait for answers; put many lines into one transaction.",
        "pool-full": "Send the same again later.",
        "disk-nearly-full": "Use another node, or send it again later.",
        "node-halted": "Use another node; tell whoever runs it.",
        "node-follows": "Use a validator's node.",
        "node-stale": "Use another node, or wait.",
        "rules-too-old": "Have the members decide on the rules first (`GET /v1/software` tells who knows which).",
        "not-ready": "Send the same again in a moment.",
        "internal": "Send the same again; tell whoever runs the node the `X-Request-Id`.",
        "malformed": "Mend the client.",
        "host": "Mend the client.",
        "encoding-unsupported": "Send the body without `Content-Encoding`.",
        "head-too-large": "Send fewer or shorter headers.",
        "body-too-large": "Send fewer lines a transaction.",
        "bodies-full": "Send the same again later.",
        "answers-full": "Read your answers; send the same again.",
        "connections-full": "Use fewer connections; try again later.",
        "streams-full": "Use fewer streams; try again later.",
        "request-timeout": "Send the same again, faster.",
        "answer-timeout": "Send the same again.",
        "stopping": "Use another node, or wait.",
    ]

    static var kinds: [Problem.Kind] { Problem.Kind.all + HTTPServerProblem.allCases.map { .server($0) } }

    static let problems: String = {
        var lines = ["| code | status | meaning | what to do |", "|---|---|---|---|"]
        let sorted = kinds.enumerated().sorted { ($0.element.status, $0.offset) < ($1.element.status, $1.offset) }
        for (_, kind) in sorted {
            lines.append("| `\(kind.code)` | \(kind.status) | \(kind.english) | \(advice[kind.code] ?? "") |")
        }
        return lines.joined(separator: "\n")
    }()

    @Test(arguments: ["routes", "problems"])
    func theTableSaysWhatTheCodeSays(_ name: String) throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = root.appendingPathComponent("docs/api.md")
        let table = name == "routes" ? Self.routes : Self.problems
        let (begin, end) = ("<!-- \(name) -->\n", "<!-- end of \(name) -->\n")
        try Self.page.withLock { _ in
            var page = try String(contentsOf: file, encoding: .utf8)
            let from = try #require(page.range(of: begin)?.upperBound)
            let to = try #require(page.range(of: end)?.lowerBound)
            let wanted = "\n" + table + "\n\n"
            if ProcessInfo.processInfo.environment["LIANFEN_WRITE_DOCS"] != nil, page[from..<to] != wanted {
                page.replaceSubrange(from..<to, with: wanted)
                try page.write(to: file, atomically: true, encoding: .utf8)
            }
            let there = try String(contentsOf: file, encoding: .utf8)
            #expect(there.contains(begin + wanted + end), "write it anew with LIANFEN_WRITE_DOCS=1")
        }
    }

    /// What the page says of statuses holds for what the documents say of themselves.
    @Test func whatMaySucceedLaterSaysSo() {
        for kind in Self.kinds where kind.code != Problem.Kind.idempotencyInFlight.code {
            #expect(kind.isRetryable == [408, 429, 500, 503].contains(kind.status), "\(kind.code)")
        }
        #expect(Problem.Kind.idempotencyInFlight.isRetryable)
    }

    @Test func eachCodeHasItsAdvice() {
        let codes = Self.kinds.map(\.code)
        #expect(Set(codes).count == codes.count)
        #expect(Set(codes) == Set(Self.advice.keys))
    }
}
