import Concurrency
import Crypto
public import HTTPClient

/// A bucket of a store that speaks the S3 protocol, of which the names under one prefix are used.
///
/// Requests are signed by libcurl. What may be tried again is, a few times: every request here may arrive twice.
public struct S3Place: BackupPlace {
    public struct Configuration: Sendable {
        /// Scheme, host and port of the store.
        public let endpoint: String
        public let bucket: String
        /// Stands before all names, ends with `/` unless it is empty.
        public let prefix: String
        public let signing: HTTPClientConfiguration.Signing
        /// PEM file of the authorities that vouch for the store; none: the machine's.
        public let authorities: String?

        public init(
            endpoint: String, bucket: String, prefix: String, signing: HTTPClientConfiguration.Signing,
            authorities: String? = nil
        ) {
            self.endpoint = endpoint
            self.bucket = bucket
            self.prefix = prefix.isEmpty || prefix.hasSuffix("/") ? prefix : prefix + "/"
            self.signing = signing
            self.authorities = authorities
        }
    }

    public let title: String
    private let base: String
    private let prefix: String
    private let http: HTTPClient
    private let cancellation = HTTPCancellation()

    static let triesMax = 4
    private static let requestMilliseconds = 120_000
    /// Bytes of one page of names.
    private static let pageBytesMax = 4 << 20
    /// Pages of a thousand names.
    private static let pagesMax = 2000
    private static let errorBytesMax = 16 << 10

    /// Connects to nothing yet.
    public init(_ configuration: Configuration) throws(BackupError) {
        title = "s3://\(configuration.bucket)/\(configuration.prefix) at \(configuration.endpoint)"
        base = "\(configuration.endpoint)/\(configuration.bucket)"
        prefix = configuration.prefix
        var client = HTTPClientConfiguration()
        client.signing = configuration.signing
        client.connectionsMax = 2
        if let file = configuration.authorities { client.authorities = .file(file) }
        do throws(HTTPClientError) { http = try HTTPClient(client) } catch {
            throw .place("use \(title)", reason: "\(error.place): \(error.reason)")
        }
    }

    public func put(_ name: String, _ bytes: [UInt8]) throws(BackupError) {
        let answer = try ask(
            "PUT", object(name), [HTTPField("Content-Type", "application/octet-stream")], body: bytes,
            answerMax: Self.errorBytesMax, doing: "put \(name) into")
        guard answer.status == 200 else { throw refusal(answer, "put \(name) into") }
    }

    public func get(_ name: String, max: Int) throws(BackupError) -> [UInt8]? {
        let doing = "read \(name) from"
        let answer = try ask("GET", object(name), answerMax: Swift.max(max, Self.errorBytesMax), doing: doing)
        switch answer.status {
        case 200:
            guard answer.body.count <= max else { throw .differs(name) }
            return answer.body
        case 404 where S3Answer.code(answer.body) != "NoSuchBucket": return nil
        default: throw refusal(answer, doing)
        }
    }

    public func names() throws(BackupError) -> [String] {
        var names: [String] = []
        var continuation: String?
        for _ in 0..<Self.pagesMax {
            // In ascending order of the parameters' names, as the signature wants them.
            var query = "list-type=2&max-keys=1000&prefix=\(Self.encoded(prefix))"
            if let continuation { query = "continuation-token=\(Self.encoded(continuation))&" + query }
            let answer = try ask("GET", "\(base)?\(query)", answerMax: Self.pageBytesMax, doing: "list")
            guard answer.status == 200 else { throw refusal(answer, "list") }
            guard let page = S3Answer.page(answer.body) else {
                throw .place("list \(title)", reason: "the answer is no list of objects")
            }
            for key in page.keys where key.hasPrefix(prefix) { names.append(String(key.dropFirst(prefix.count))) }
            guard let next = page.continuation else { return names }
            continuation = next
        }
        throw .place("list \(title)", reason: "it has more than \(1000 * Self.pagesMax) objects")
    }

    public func remove(_ name: String) throws(BackupError) {
        let answer = try ask("DELETE", object(name), answerMax: Self.errorBytesMax, doing: "remove \(name) from")
        guard [200, 204, 404].contains(answer.status) else { throw refusal(answer, "remove \(name) from") }
    }

    public func cancel() { cancellation.cancel() }

    // MARK: Requests

    private func object(_ name: String) -> String { "\(base)/\(Self.encoded(prefix + name, keeping: "/"))" }

    private func ask(
        _ method: String, _ url: String, _ headers: [HTTPField] = [], body: [UInt8]? = nil, answerMax: Int,
        doing: String
    ) throws(BackupError) -> HTTPClientResponse {
        let digest = SHA256.hash(body ?? [])
        var request = HTTPClientRequest(
            method, url, headers: headers + [HTTPField("x-amz-content-sha256", digest.description)], body: body)
        request.totalMilliseconds = Self.requestMilliseconds
        request.bodyBytesMax = answerMax
        var (backoff, random) = (Backoff(), SystemRandomNumberGenerator())
        for tried in 1... {
            do throws(HTTPClientError) {
                let answer = try http.perform(request, until: cancellation)
                if answer.status < 500 || tried == Self.triesMax { return answer }
            } catch {
                if error.code == .cancelled { throw .ended }
                let isFinal = [.tls, .invalidRequest, .tooLarge].contains(error.code)
                if isFinal || tried == Self.triesMax {
                    throw .place("\(doing) \(title)", reason: "\(error.place): \(error.reason)")
                }
            }
            _ = Waiter<Int>().wait(within: UInt64(backoff.next(using: &random)))
        }
        preconditionFailure("the last try answers")
    }

    private func refusal(_ answer: HTTPClientResponse, _ doing: String) -> BackupError {
        let code = S3Answer.code(answer.body)
        let meaning =
            switch code {
            case "SignatureDoesNotMatch"?: "the secret is not that of the access key, or the machine's clock is wrong"
            case "InvalidAccessKeyId"?: "it does not know the access key"
            case "AccessDenied"?: "the access key may not do this"
            case "NoSuchBucket"?: "there is no such bucket"
            case "RequestTimeTooSkewed"?: "this machine's clock is wrong"
            default: "it answers \(answer.status)"
            }
        return .place("\(doing) \(title)", reason: meaning + (code.map { " (\($0))" } ?? ""))
    }

    /// Percent-encoded as the signature wants it: all but letters, digits and `-._~`.
    private static func encoded(_ text: String, keeping: String = "") -> String {
        var out = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                out.unicodeScalars.append(Unicode.Scalar(byte))
            case _ where keeping.utf8.contains(byte): out.unicodeScalars.append(Unicode.Scalar(byte))
            default: out += "%" + hex([byte]).uppercased()
            }
        }
        return out
    }
}
