import JSON
import Wire

/// Reads what a node answered.
struct AnswerReader {
    let json: JSONValue
    /// Where this value stands in the answer.
    private let path: String

    init(_ json: JSONValue, path: String = "$") {
        self.json = json
        self.path = path
    }

    /// - Throws: `.answerMalformed` for what is no JSON.
    init(_ body: [UInt8], bytesMax: Int) throws(NodeClientError) {
        do throws(JSONError) { self.init(try JSONValue(parsing: body, bytesMax: bytesMax)) } catch {
            throw Self.malformed(error)
        }
    }

    static func malformed(_ error: JSONError) -> NodeClientError {
        NodeClientError(
            .answerMalformed, "The node's answer is not what its interface describes: \(error.reason).",
            field: error.path)
    }

    /// A member, or nil where it is missing or null.
    func optional(_ name: String) -> AnswerReader? {
        guard let member = json[name], member != .null else { return nil }
        return AnswerReader(member, path: path + JSONError.part(name))
    }

    /// The value itself.
    func value<Value>(_ form: Form<Value>) throws(NodeClientError) -> Value {
        do throws(JSONError) { return try form.parse(json) } catch {
            throw Self.malformed(JSONError(path + error.path.dropFirst(), error.reason))
        }
    }

    func value<Value>(_ name: String, _ form: Form<Value>) throws(NodeClientError) -> Value {
        guard let member = optional(name) else {
            throw Self.malformed(JSONError(path + JSONError.part(name), "is missing"))
        }
        return try member.value(form)
    }

    func optionalText(_ name: String) -> String? {
        guard case .string(let text)? = optional(name)?.json else { return nil }
        return text
    }

    func optionalInteger(_ name: String) -> Int? {
        guard case .integer(let number)? = optional(name)?.json else { return nil }
        return Int(exactly: number)
    }
}
