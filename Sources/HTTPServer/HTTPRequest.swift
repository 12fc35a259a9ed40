/// A whole request, its body included.
///
/// The head is one array of bytes; texts are made of it when they are asked for.
public struct HTTPRequest: Sendable {
    /// As sent, in the case in which it was sent.
    public let method: String
    /// The body; empty where there was none.
    public let body: [UInt8]
    /// The client's numeric address, without port.
    public let peer: String

    let head: RequestHead

    init(head: RequestHead, method: String, body: [UInt8], peer: String) {
        self.head = head
        self.method = method
        self.body = body
        self.peer = peer
    }

    /// A request that no socket brought: for tests of an application.
    public init(
        method: String, target: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        peer: String = "127.0.0.1"
    ) {
        var head = RequestHead()
        head.setTarget(Array(target.utf8))
        for (name, value) in headers { head.append(name: name.utf8, value: value.utf8) }
        self.init(head: head, method: method, body: body, peer: peer)
    }

    /// The same without its body, for who waits with an answer: bodies are counted only while they are read and
    /// handled.
    public var withoutBody: HTTPRequest { HTTPRequest(head: head, method: method, body: [], peer: peer) }

    /// The path as sent, percent signs and all, without the query.
    public var path: String { String(decoding: head.path, as: UTF8.self) }

    /// The segments of the path between slashes, decoded: none for `/`, an empty last one where the path ends with a
    /// slash. Nil where an escape is broken, where the text is not UTF-8 or holds a zero byte, or where the path does
    /// not begin with a slash.
    /// - Complexity: the length of the path, at each call.
    public var segments: [String]? { URICoding.segments(head.path) }

    /// The parameters after `?`, decoded, in their order; `+` stands for a space; the value is nil where there is no
    /// `=`. Nil where an escape is broken, or where the text is not UTF-8 or holds a zero byte.
    /// - Complexity: the length of the query, at each call.
    public var query: [(name: String, value: String?)]? { URICoding.parameters(head.query) }

    /// All header fields in the order in which they were sent.
    /// - Complexity: the length of the head, at each call.
    public var headers: [(name: String, value: String)] {
        head.fields.map {
            (String(decoding: head.name($0), as: UTF8.self), String(decoding: head.value($0), as: UTF8.self))
        }
    }

    /// The first value of a field, by its name in any case.
    public func header(_ name: String) -> String? {
        head.first(name.utf8).map { String(decoding: head.value($0), as: UTF8.self) }
    }
}
