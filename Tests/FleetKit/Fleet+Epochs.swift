import Foundation
public import JSON

/// The operators' commands that begin the order anew.
extension Fleet {
    public struct Signed {
        public let file: String
        public let bytes: String?
        public let certified: Int128
        public let last: Int128
    }

    /// An organisation's word for an epoch; its node does not run.
    public func sign(_ index: Int, number: Int, _ words: String...) throws -> Signed {
        let file = machines[index].directory + "/statement-\(number)-\(UUID().uuidString)"
        let answer = try epoch(["sign", "--number", "\(number)", "--out", file] + words, at: index)
        guard case .string(let bytes)? = answer["bytes"] else { throw Failed("no bytes: \(answer.text)") }
        return Signed(
            file: file, bytes: bytes, certified: answer["certified"]?.number ?? -1, last: answer["last"]?.number ?? -1)
    }

    @discardableResult
    public func epoch(_ words: [String], at index: Int) throws -> JSONValue {
        let output = try Self.run(["epoch"] + words + ["--dir", machines[index].directory, "--json"])
        return try JSONValue(parsing: Array(output.utf8))
    }
}
