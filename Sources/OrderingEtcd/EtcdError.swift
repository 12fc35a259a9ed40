import HTTPClient
import JSON

/// Why a call to etcd came to nothing.
struct EtcdError: Error, CustomStringConvertible {
    enum Kind {
        /// Nobody could be asked: nothing happened.
        case unreachable
        /// No answer came, or one that leaves it open: it may have happened.
        case unknown
        /// The token is none, or none any more: nothing happened.
        case unauthenticated
        /// The cluster takes no more for want of space: nothing happened.
        case full
        /// The answer is larger than the caller takes. What was asked for may have happened.
        case oversized
        /// etcd says no: nothing happened.
        case refused
    }

    let kind: Kind
    let reason: String
    let place: String

    var description: String { "\(place): \(reason)" }

    init(_ kind: Kind, _ reason: String, place: String) {
        self.kind = kind
        self.reason = reason
        self.place = place
    }

    init(_ error: HTTPClientError) {
        let kind: Kind =
            switch error.code {
            case .connect, .resolve, .tls: .unreachable
            case .invalidRequest: .refused
            case .tooLarge: .oversized
            default: .unknown
            }
        self.init(kind, error.reason, place: error.place)
    }

    /// What a failure's body says, which carries the codes of gRPC.
    init(_ response: HTTPClientResponse, place: String) {
        let body = try? JSONValue(parsing: response.body)
        var sentence = "etcd answers with status \(response.status)"
        if case .string(let text)? = body?["error"] { sentence = "etcd says: \(JSONError.shortened(text))" }
        var code: Int128 = -1
        if case .integer(let number)? = body?["code"] { code = number }
        let kind: Kind =
            switch code {
            case Self.codeUnauthenticated: .unauthenticated
            // Somebody's password or rights were changed while this call was under way.
            case Self.codeInvalidArgument where sentence.contains("revision of auth store is old"): .unauthenticated
            // Without any token, etcd 3.4 only says that a user's name is empty.
            case Self.codeInvalidArgument where sentence.contains("user name is empty"): .unauthenticated
            case Self.codeExhausted: sentence.contains("space exceeded") ? .full : .refused
            case Self.codeInvalidArgument, Self.codePermissionDenied, Self.codePreconditionFailed: .refused
            default: .unknown
            }
        self.init(kind, sentence, place: place)
    }

    private static let codeInvalidArgument: Int128 = 3
    private static let codePermissionDenied: Int128 = 7
    private static let codeExhausted: Int128 = 8
    private static let codePreconditionFailed: Int128 = 9
    private static let codeUnauthenticated: Int128 = 16
}
