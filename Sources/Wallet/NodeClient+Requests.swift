import Concurrency
import HTTPClient
import JSON
import Ledger

/// Requests, their answers, and which failures are worth another try.
extension NodeClient {
    /// Reads JSON, with a few tries.
    func read(_ path: String, needsToken: Bool = false) throws(NodeClientError) -> AnswerReader {
        try asking { (node) throws(NodeClientError) in
            try checkChain(at: node)
            return try read(path, at: node, token: needsToken)
        }
    }

    /// Reads bytes in their canonical form, with a few tries.
    /// - Parameter mayComeLater: whether what a node does not have may only have come to others before it.
    func readBytes(
        _ path: String, needsToken: Bool = false, mayComeLater: Bool = false
    ) throws(NodeClientError) -> [UInt8] {
        try asking { (node) throws(NodeClientError) in
            try checkChain(at: node)
            do throws(NodeClientError) { return try readBytes(path, at: node, token: needsToken) } catch {
                throw mayComeLater && error.status == 404 && nodes.count > 1 ? error.worthAnotherTry : error
            }
        }
    }

    /// Reads JSON that may not be there: nil for a status of 404.
    func readIfThere(_ path: String, needsToken: Bool = false) throws(NodeClientError) -> AnswerReader? {
        do throws(NodeClientError) { return try read(path, needsToken: needsToken) } catch {
            guard error.status == 404 else { throw error }
            return nil
        }
    }

    // MARK: One try

    func read(_ path: String, at node: Node, token: Bool = false) throws(NodeClientError) -> AnswerReader {
        let answer = try get(path, at: node, accept: "application/json", token: token)
        return try AnswerReader(answer.body, bytesMax: limits.answerBytesMax)
    }

    func readBytes(_ path: String, at node: Node, token: Bool = false) throws(NodeClientError) -> [UInt8] {
        try get(path, at: node, accept: "application/octet-stream", token: token).body
    }

    private func get(
        _ path: String, at node: Node, accept: String, token: Bool
    ) throws(NodeClientError) -> HTTPClientResponse {
        var request = HTTPClientRequest("GET", node.url + path, headers: [HTTPField("Accept", accept)])
        request.totalMilliseconds = limits.requestMilliseconds
        return try token ? sendWithToken(request, at: node) : send(request)
    }

    /// Sends once; a status of 400 or more becomes an error.
    func send(_ request: HTTPClientRequest) throws(NodeClientError) -> HTTPClientResponse {
        var request = request
        request.bodyBytesMax = limits.answerBytesMax
        request.connectMilliseconds = limits.connectMilliseconds
        let response: HTTPClientResponse
        do throws(HTTPClientError) { response = try http.perform(request, until: cancellation) } catch {
            throw Self.failure(error)
        }
        guard response.status < 300 else { throw Self.problem(response) }
        return response
    }

    static var stopped: NodeClientError { NodeClientError(.stopped, "The client was stopped.", mayHaveArrived: true) }

    /// What a failed request means.
    static func failure(_ error: HTTPClientError) -> NodeClientError {
        let sentence = "\(error.place): \(error.reason)"
        switch error.code {
        case .connect, .resolve: return NodeClientError(.unreachable, sentence, isRetryable: true)
        case .timeout, .interrupted:
            return NodeClientError(.unreachable, sentence, isRetryable: true, mayHaveArrived: true)
        case .tls: return NodeClientError(.tls, sentence)
        case .cancelled: return stopped
        case .invalidRequest: return NodeClientError(.urlInvalid, sentence)
        default: return NodeClientError(.answerMalformed, sentence, mayHaveArrived: true)
        }
    }

    /// What is believed of a `Retry-After`.
    private static let retryAfterSecondsMax = 86_400

    /// What an answer of failure says of itself; one that is not of this interface (a proxy's) by its status.
    static func problem(_ response: HTTPClientResponse) -> NodeClientError {
        let asked = response.header("retry-after").flatMap { Int($0) }.flatMap {
            (0...retryAfterSecondsMax).contains($0) ? $0 * 1000 : nil
        }
        let isTransient = [429, 502, 503, 504].contains(response.status)
        let mayHaveArrived = response.status >= 500
        guard let answer = try? AnswerReader(response.body, bytesMax: problemBytesMax),
            let code = answer.optionalText("code")
        else {
            return NodeClientError(
                .init(rawValue: "http-\(response.status)"), "The answer has the status \(response.status).",
                isRetryable: isTransient, status: response.status, retryAfterMilliseconds: asked,
                mayHaveArrived: mayHaveArrived)
        }
        var isRetryable = isTransient
        if case .bool(let flag)? = answer.optional("retryable")?.json { isRetryable = flag }
        let texts = answer.optional("message")
        return NodeClientError(
            .init(rawValue: code),
            answer.optionalText("detail") ?? texts?.optionalText("en") ?? answer.optionalText("title") ?? code,
            chinese: texts?.optionalText("zh"), field: answer.optionalText("field"), isRetryable: isRetryable,
            refusal: refusal(answer, code, response.status),
            operation: answer.optionalInteger("operation"), line: answer.optionalInteger("line"),
            status: response.status, retryAfterMilliseconds: asked, mayHaveArrived: mayHaveArrived)
    }

    /// The ledger's refusal by its number; one before the ledger by its name, which is the same.
    private static func refusal(_ answer: AnswerReader, _ code: String, _ status: Int) -> ResultCode? {
        if let number = answer.optionalInteger("number").flatMap({ UInt16(exactly: $0) }) {
            return ResultCode(rawValue: number)
        }
        return status == 409 ? ResultCode.texts.first { $0.name == code }?.code : nil
    }

    private static let problemBytesMax = 1 << 16
}

/// A path's part with everything escaped that means something in a URL.
func escaped(_ part: String) -> String {
    var out = ""
    for byte in part.utf8 {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
            out.unicodeScalars.append(Unicode.Scalar(byte))
        default:
            let digits = String(byte, radix: 16, uppercase: true)
            out += "%" + (digits.count == 1 ? "0" : "") + digits
        }
    }
    // Alone these would be read as directories.
    return out == "." ? "%2E" : out == ".." ? "%2E%2E" : out
}
