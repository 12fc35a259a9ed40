import Concurrency
import Foundation
import ServerKit
import Terminal
import TestSupport
import Testing

@testable import Commands

/// One call of the tool in this process, with what it wrote.
struct Call {
    let code: Int32
    /// The answer as bytes, and as text.
    let bytes: [UInt8]
    let output: String
    let errors: String

    init(_ words: String...) { self.init(words) }

    /// - Parameter input: what it reads from standard input.
    init(_ words: [String], input: [UInt8] = []) {
        let output = Locked<[UInt8]>([])
        let errors = Locked<[UInt8]>([])
        func sink(_ bytes: Locked<[UInt8]>) -> Sink {
            Sink { new in
                bytes.withLock { $0 += new }
                return true
            }
        }
        let left = Locked(input)
        let source = Source {
            left.withLock { left in
                // Cut as a pipe may cut it.
                let next = Array(left.prefix(1000))
                left.removeFirst(next.count)
                return next
            }
        }
        let streams = Streams(
            input: source, output: sink(output), errors: sink(errors), errorsAreTerminal: false, columns: 120)
        code = LianfenTool.tool.run(words, streams: streams).rawValue
        bytes = output.withLock { $0 }
        self.output = String(decoding: bytes, as: UTF8.self)
        self.errors = String(decoding: errors.withLock { $0 }, as: UTF8.self)
    }

    /// The answer of a call with `--json`.
    var json: JSON { JSON(lastLineOf: output) }
    /// What a failed call with `--json` said.
    var error: JSON { JSON(lastLineOf: errors)["error"] }

    /// Runs a call that has to succeed.
    @discardableResult
    static func ok(
        _ words: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Call {
        let call = Call(words)
        try #require(call.code == 0, "\(words): \(call.errors)", sourceLocation: sourceLocation)
        return call
    }
}

extension Child {
    /// The last line of the answer.
    var json: JSON { JSON(lastLineOf: output) }
    var error: JSON { JSON(lastLineOf: errors)["error"] }
}

/// Reads answers loosely: what is not there, or is of another kind, is nil.
struct JSON {
    let value: Any?

    init(_ value: Any?) { self.value = value }

    init(lastLineOf text: String) {
        let line = text.split(separator: "\n").last ?? ""
        value = try? JSONSerialization.jsonObject(with: Data(line.utf8), options: .fragmentsAllowed)
    }

    subscript(name: String) -> JSON { JSON((value as? [String: Any])?[name]) }
    subscript(index: Int) -> JSON {
        guard let items = value as? [Any], items.indices.contains(index) else { return JSON(nil) }
        return JSON(items[index])
    }

    var int: Int? { value as? Int }
    var text: String? { value as? String }
    var flag: Bool? { value as? Bool }
    var count: Int? { (value as? [Any])?.count }
    var isNull: Bool { value is NSNull }
    var names: [String] { (value as? [String: Any])?.keys.sorted() ?? [] }
    /// `{count, points}` of an import.
    var sum: [Int?] { [self["count"].int, self["points"].int] }
}

extension URL {
    /// The path of something in this directory.
    func file(_ name: String) -> String { appendingPathComponent(name).path }

    /// Writes a file into this directory, and answers its path.
    func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }

    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: appendingPathComponent(name))
        return file(name)
    }
}

/// A fresh directory with a development chain in it, at `chain`.
func withChain<R>(_ options: String..., body: (_ root: URL, _ chain: String) throws -> R) throws -> R {
    try withTemporaryDirectory { root in
        let chain = root.file("chain")
        let call = Call(["init", "--dev", "--dir", chain] + options)
        try #require(call.code == 0, "\(call.errors)")
        return try body(root, chain)
    }
}

/// Every file below a directory with its bytes, to see that nothing was changed.
func snapshot(_ directory: String) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: directory) {
        var isDirectory: ObjCBool = false
        let path = "\(directory)/\(name)"
        _ = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
        files[name] = isDirectory.boolValue ? Data() : try Data(contentsOf: URL(fileURLWithPath: path))
    }
    return files
}
