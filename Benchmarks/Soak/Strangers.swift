import Bench
import Glibc

/// Clients that do it wrong: requests that have to be refused, each with its status, and connections that lead to
/// nothing.
struct Strangers {
    private let port: Int
    /// Requests of which only a part has come.
    private var halves: [Int32] = []
    private(set) var refused = 0
    private(set) var empty = 0

    private static let emptyARound = 10
    /// The oldest leaves when there are more, before the node's patience with a head ends.
    private static let halvesMax = 5

    init(port: Int) { self.port = port }

    private static func post(_ body: [UInt8], _ fields: [String] = []) -> [UInt8] {
        HTTPLoad.request("POST /v1/transactions", ["Content-Type: application/json"] + fields, body: body)
    }

    private static func post(_ text: String, _ fields: [String] = []) -> [UInt8] { post(Array(text.utf8), fields) }

    private static let cases: [(status: String, request: [UInt8])] = [
        ("400", post([UInt8](repeating: UInt8(ascii: "["), count: 50_000))),
        ("400", post(#"{"nonce": "1", "nonce": "2"}"#)),
        ("400", post(#"{"nonce": 1.0}"#)),
        ("400", post([0x22, 0xFF, 0xFE, 0x22])),
        ("400", post("{}", ["Transfer-Encoding: chunked"])),
        ("401", HTTPLoad.request("GET /v1/units", ["Authorization: Bearer none"])),
        ("404", HTTPLoad.request("GET /v1/nothing")),
        ("415", HTTPLoad.request("POST /v1/transactions", ["Content-Type: text/html"], body: Array("{}".utf8))),
        ("431", HTTPLoad.request("GET /v1/chain", ["X-Long: " + String(repeating: "x", count: 20_000)])),
    ]

    /// - Throws: ``BenchError`` where a wrong request is answered in another way than it has to be.
    mutating func round() throws {
        for (status, request) in Self.cases {
            let socket = try HTTPLoad.connect(port)
            defer { close(socket) }
            try Listeners.say(request, socket)
            var answer = [UInt8](repeating: 0, count: 4096)
            let count = recv(socket, &answer, answer.count, 0)
            let text = String(decoding: answer.prefix(max(0, count)), as: UTF8.self)
            guard text.hasPrefix("HTTP/1.1 \(status) ") else {
                let line = String(decoding: request.prefix(60), as: UTF8.self)
                throw BenchError("soak", "\(line) was answered \(text.prefix(200)) and not \(status)")
            }
            refused += 1
        }
        for _ in 0..<Self.emptyARound {
            close(try HTTPLoad.connect(port))
            empty += 1
        }
        let half = try HTTPLoad.connect(port)
        try Listeners.say(
            Array("POST /v1/transactions HTTP/1.1\r\nHost: soak\r\nContent-Length: 100\r\n\r\n{".utf8), half)
        halves.append(half)
        if halves.count > Self.halvesMax { close(halves.removeFirst()) }
    }

    mutating func leave() {
        for socket in halves { close(socket) }
        halves = []
    }
}
