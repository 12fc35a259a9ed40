import TestSupport
import Testing

@testable import Ledger

@Suite struct HoldingTests {
    /// A transfer that the receiver has no room for takes from the sender before that is known.
    @Test(arguments: UInt64(1)...20) func whatIsGivenBackIsWhereItWas(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<50 {
            var holding = Holding()
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let terms = LotTerms(
                    expiry: .random(in: 1...3, using: &random), restriction: .random(in: 0...1, using: &random),
                    version: .random(in: 1...2, using: &random), class: .granted)
                holding.add(.random(in: 1...9, using: &random), terms: terms)
            }
            _ = holding.hold(.random(in: 0...holding.available, using: &random))
            let before = holding
            let amount = UInt64.random(in: 0...holding.available, using: &random)
            let portions = holding.take(amount)
            #expect(portions.reduce(0) { $0 + $1.amount } == amount)
            #expect(holding.available == before.available - amount)
            holding.giveBack(portions)
            #expect(holding == before)
        }
    }
}
