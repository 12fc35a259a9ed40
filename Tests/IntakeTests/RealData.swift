import Foundation

/// The data sets that are never part of the project: at `../shared/data` from the package's root, or where the
/// environment says.
enum RealData {
    static let root: URL = {
        if let path = ProcessInfo.processInfo.environment["LIANFEN_DATA"] { return URL(fileURLWithPath: path) }
        return package.appendingPathComponent("../shared/data").standardizedFileURL
    }()

    static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static let isPresent = FileManager.default.fileExists(atPath: root.path)

    static func file(_ name: String) -> String { root.appendingPathComponent(name).path }

    static func mapping(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: package.appendingPathComponent("examples/mappings/\(name).json")))
    }
}
