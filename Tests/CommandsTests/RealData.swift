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

    static let orders = root.file("olist-sample/olist_orders_dataset.csv")
    static let invoices = root.file("istanbul-malls/customer_shopping_data.csv")

    static func mapping(_ name: String) -> String { package.file("examples/mappings/\(name).json") }
}
