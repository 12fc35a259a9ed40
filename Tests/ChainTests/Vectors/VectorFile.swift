import Foundation
import Testing

/// The golden vectors, which other implementations are held to. An ordinary run compares them with what this one makes;
/// with LIANFEN_WRITE_VECTORS in the environment it writes them.
enum VectorFile {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static let isWriting = ProcessInfo.processInfo.environment["LIANFEN_WRITE_VECTORS"] != nil

    static func check(_ name: String, about: String, _ fields: [(String, VectorValue)]) throws {
        let value = VectorValue.object([("about", .text(about))] + fields)
        try check("Tests/Fixtures/vectors/\(name).json", Array((value.text() + "\n").utf8))
    }

    /// Compares a file's bytes, or writes them.
    static func check(_ path: String, _ bytes: [UInt8]) throws {
        let file = root.appendingPathComponent(path)
        if isWriting {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(bytes).write(to: file)
        }
        let stored = try Data(contentsOf: file)
        // The place, not the whole of both: a file may be long.
        let first = zip(stored, bytes).enumerated().first { $1.0 != $1.1 }?.offset ?? min(stored.count, bytes.count)
        #expect(Array(stored) == bytes, "\(path) differs at byte \(first)")
    }
}
