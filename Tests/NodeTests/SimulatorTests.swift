import Foundation
import Simulation
import Testing

@Suite("simulator") struct SimulatorTests {
    private static let environment = ProcessInfo.processInfo.environment

    /// A hundred, two thousand in a soak, or the one that is named.
    private static let seeds: [UInt64] =
        if let seed = environment["LIANFEN_SEED"].flatMap({ UInt64($0) }) {
            [seed]
        } else {
            Array(1...(environment["LIANFEN_SOAK"] == nil ? 100 : 2000))
        }

    @Test func stormsPass() {
        var failures: [String] = []
        for seed in Self.seeds {
            do { _ = try Simulator(.storm(seed: seed)).run() } catch { failures.append("\(error)") }
            if failures.count == 3 { break }
        }
        #expect(failures.isEmpty, "\(failures.joined(separator: "\n\n"))")
    }

    @Test func lineup() {
        for seed in Self.seeds {
            do {
                let o = try Simulator(.storm(seed: seed)).run()
                print("SEED \(seed) ok h\(o.height) e\(o.events) c\(o.crashes) a\(o.answered)")
            } catch { print("SEED \(seed)", "\(error)".prefix { $0 != "\n" }) }
        }
    }
}
