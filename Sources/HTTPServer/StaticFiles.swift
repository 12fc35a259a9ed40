/// Files that do not change while the program runs, such as its pages, answered from memory.
///
/// Each has an entity tag, a form in gzip made once at the start where that is smaller, and the headers that keep a
/// page from loading or being framed by what is not ours.
public struct StaticFiles: Sendable {
    public struct File: Sendable {
        /// As in the address, with its slash: `/index.html`.
        public let path: String
        /// The media type, with its character set.
        public let type: String
        public let bytes: [UInt8]
        /// How long a client may use it without asking, in seconds; 0: it asks each time, and gets 304 if nothing
        /// changed.
        public let maxAgeSeconds: Int

        public init(path: String, type: String, bytes: [UInt8], maxAgeSeconds: Int = 0) {
            self.path = path
            self.type = type
            self.bytes = bytes
            self.maxAgeSeconds = maxAgeSeconds
        }
    }

    /// What a page may load, and who may show it in a frame.
    public static let contentSecurityPolicy =
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

    /// Smaller files are not worth the work of unpacking.
    private static let gzipBytesMin = 256

    private struct Form: Sendable {
        let bytes: [UInt8]
        let tag: String
    }

    private struct Entry: Sendable {
        let plain: Form
        let gzip: Form?
        let headers: [(name: String, value: String)]
    }

    private let entries: [String: Entry]

    /// - Parameter index: the file that stands for `/`.
    /// - Complexity: packs every file once.
    public init(_ files: [File], index: String? = "/index.html") {
        var entries: [String: Entry] = [:]
        for file in files {
            let tag = Self.digest(file.bytes)
            let packed = file.bytes.count < Self.gzipBytesMin ? nil : gzip(file.bytes)
            let gzip = packed.flatMap { $0.count < file.bytes.count ? Form(bytes: $0, tag: "\"\(tag)-gzip\"") : nil }
            entries[file.path] = Entry(
                plain: Form(bytes: file.bytes, tag: "\"\(tag)\""), gzip: gzip,
                headers: [
                    ("Content-Type", file.type),
                    ("Cache-Control", file.maxAgeSeconds > 0 ? "public, max-age=\(file.maxAgeSeconds)" : "no-cache"),
                    ("Vary", "Accept-Encoding"), ("Content-Security-Policy", Self.contentSecurityPolicy),
                    ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
                    ("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Resource-Policy", "same-origin"),
                ])
        }
        if let index, let entry = entries[index] { entries["/"] = entry }
        self.entries = entries
    }

    /// Whether there is a file at that path, whatever the method.
    public func contains(path: String) -> Bool { entries[path] != nil }

    /// The answer to a `GET` or `HEAD` of a file; nil where the path names none, or for another method.
    public func response(to request: HTTPRequest) -> HTTPResponse? {
        guard request.method == "GET" || request.method == "HEAD", let entry = entries[request.path] else { return nil }
        let takesGzip = request.header("Accept-Encoding").map(Self.acceptsGzip) ?? false
        let form = takesGzip ? entry.gzip ?? entry.plain : entry.plain
        var headers = entry.headers
        headers.append(("ETag", form.tag))
        if let wanted = request.header("If-None-Match"), Self.matches(wanted, form.tag) {
            return HTTPResponse(status: 304, headers: headers)
        }
        if takesGzip, entry.gzip != nil { headers.append(("Content-Encoding", "gzip")) }
        return HTTPResponse(status: 200, headers: headers, body: .shared(form.bytes))
    }

    /// The list of tags of `If-None-Match`, compared weakly.
    private static func matches(_ list: String, _ tag: String) -> Bool {
        list.split(separator: ",").contains { item in
            let item = trimmed(item)
            return item == "*" || item == tag || item.hasPrefix("W/") && item.dropFirst(2) == tag
        }
    }

    private static func acceptsGzip(_ list: String) -> Bool {
        list.split(separator: ",").contains { item in
            let parts = item.split(separator: ";").map(trimmed)
            guard let coding = parts.first, coding.lowercased() == "gzip" || coding == "*" else { return false }
            // A quality of nothing but zeros means: not this one.
            return !parts.dropFirst().contains { part in
                let part = part.lowercased()
                return part.hasPrefix("q=") && part.dropFirst(2).allSatisfy { $0 == "0" || $0 == "." }
            }
        }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }

    /// FNV-1a of 64 bits: tells versions of our own files apart, and protects nothing.
    private static func digest(_ bytes: [UInt8]) -> String {
        var digest: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return String(digest, radix: 16)
    }
}
