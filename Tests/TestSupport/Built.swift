import Foundation

/// Programs of this package, which stand beside the tests' own.
public enum Built {
    public static func path(_ name: String) -> String {
        let arguments = CommandLine.arguments
        let bundle = arguments.firstIndex(of: "--test-bundle-path").map { arguments[$0 + 1] }
        let beside = URL(fileURLWithPath: bundle ?? "/proc/self/exe").resolvingSymlinksInPath()
        return beside.deletingLastPathComponent().appendingPathComponent(name).path
    }
}
