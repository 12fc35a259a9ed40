import Canonical
import Crypto
import JSON
import Ledger
import Terminal
import Wire

/// A kind of file that founders send each other.
struct FoundingFile<Value> {
    private let form: Form<Value>
    private let what: String
    /// What no form tells: the place and the reason of what is wrong.
    private let fault: (Value) -> JSONError?

    private static var bytesMax: Int { JSONValue.textBytesMax }

    /// - Throws: where the file is none of its kind, or a signature in it does not hold.
    func read(_ file: String) throws -> Value {
        let bytes = try Files.read(file, max: Self.bytesMax)
        let value: Value
        do throws(JSONError) { value = try form.parse(try JSONValue(parsing: bytes)) } catch {
            throw CommandError.founding(file, error.path, "\(error.reason) (read as \(what))")
        }
        if let fault = fault(value) { throw CommandError.founding(file, fault.path, fault.reason) }
        return value
    }
}

extension FoundingFile where Value == FoundingRequest {
    static var request: FoundingFile {
        FoundingFile(form: .foundingRequest, what: "a founder's request") { request in
            request.signatureFailed.map { index in
                JSONError(
                    "$.signatures[\(index)]",
                    "does not hold: what is signed was changed, or the key is not this organisation's; have it send "
                        + "its request.json again")
            }
        }
    }
}

extension FoundingFile where Value == FoundingApproval {
    static var approval: FoundingFile {
        FoundingFile(form: .foundingApproval, what: "a founder's approval") { approval in
            approval.verifies
                ? nil
                : JSONError(
                    "$.signature",
                    "is not by the governing key that this genesis has for \(approval.organisation); have it send its "
                        + "approval.json again")
        }
    }
}

extension CommandError {
    /// What is wrong with a file of a founding, and where.
    static func founding(_ file: String, _ place: String, _ reason: String) -> CommandError {
        CommandError(code: "founding", field: "\(file): \(place)", reason: reason)
    }
}

/// A genesis as a file has it, held against the one that it should be.
struct GenesisFile {
    let path: String
    let bytes: [UInt8]

    init(path: String, bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
    }

    init(_ path: String) throws { self.init(path: path, bytes: try Files.read(path)) }

    /// Reads it.
    /// - Parameters:
    ///   - wanted: what it should be, but for the fields in `drawn`; names the field where the bytes are no genesis.
    ///   - whose: who says so.
    func read(like wanted: Genesis, drawn: Set<String> = [], _ whose: String) throws -> Genesis {
        do { return try Genesis(canonicalBytes: bytes) } catch {
            let right = wanted.canonicalBytes
            let differing = (0...max(right.count, bytes.count)).first { offset in
                let here = offset < bytes.count ? bytes[offset] : nil
                let there = offset < right.count ? right[offset] : nil
                return here != there && wanted.field(at: offset).map { !drawn.contains($0) } ?? true
            }
            let offset = differing ?? max(0, error.offset - 1)
            throw CommandError.founding(
                path, wanted.field(at: offset) ?? "$",
                "the file is no genesis: \(error); from byte \(offset) on it differs from \(whose). Get it again, and "
                    + "compare the hash by voice")
        }
    }

    /// Holds it against the one that it should be, field by field.
    /// - Parameter whose: who says what a place should have.
    func check(_ genesis: Genesis, like wanted: Genesis, _ whose: (String) -> String) throws {
        // By their bytes: texts that look alike may be equal and have another hash.
        guard genesis.hash != wanted.hash else { return }
        let form = Form<Genesis>.genesisFields
        guard let found = form.write(genesis).difference(from: form.write(wanted)) else {
            preconditionFailure("two that are not equal differ in a field")
        }
        throw CommandError.founding(
            path, found.path,
            "is \(found.hereText), and \(found.thereText) \(whose(found.path)); this is another genesis: get the right "
                + "one, and compare its hash by voice")
    }
}

extension JSONValue.Difference {
    var hereText: String { Self.text(here) }
    var thereText: String { Self.text(there) }

    private static func text(_ value: JSONValue?) -> String {
        switch value {
        case .none: "not there"
        case .array, .object: "there"
        case .some(let value): value.text
        }
    }
}

extension String {
    /// The same with another beginning.
    func replacingPrefix(_ prefix: String, by other: String) -> String {
        hasPrefix(prefix) ? other + dropFirst(prefix.count) : self
    }
}
