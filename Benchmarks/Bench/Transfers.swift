import Crypto
import Ledger
import Wallet

extension Benchmark {
    /// Single-operation transfers, each signed by its sender.
    static let transfers: [Benchmark] = [
        Benchmark(
            "signed-transfer", "signed transfers a second, decoded to certified, senders and receivers uniform",
            ratioTo: verifyLimit.name, floor: .ratioAtLeast(0.6), goal: .ratioAtLeast(0.8)
        ) { try transfers($0, "signed-transfer", draw: .uniform) },
        Benchmark(
            "signed-transfer-zipf", "the same, receivers by Zipf's law: the first of 10,000 takes a tenth",
            ratioTo: verifyLimit.name
        ) { try transfers($0, "signed-transfer-zipf", draw: .zipf) },
        Benchmark(
            "signed-transfer-hot", "the same, every transfer to one account", ratioTo: verifyLimit.name
        ) { try transfers($0, "signed-transfer-hot", draw: .hot) },
    ]

    /// Transfers of a run: some five seconds' worth, of which begin and end are a small part.
    private static let transfersARun = 150_000
    /// Enough to fill several entries.
    private static let transfersUnderWay = 16_384

    private static func transfers(_ setting: Setting, _ name: String, draw: Draw) throws -> [Figure] {
        let chain = try BenchChain.prepared("holders", in: setting.directory, holders: BenchChain.holders)
        return try chain.running { running in
            [
                try throughput(
                    setting, name,
                    load: { run in signedTransfers(chain, count: transfersARun, run: run, draw: draw) },
                    submit: { load in try running.submit(load, window: transfersUnderWay, threads: 2) })
            ]
        }
    }

    /// Signed on all cores and encoded, before anything is measured.
    static func signedTransfers(
        _ chain: BenchChain, count: Int, run: Int, draw: Draw, holders: Int = BenchChain.holders
    ) -> [[UInt8]] {
        var numbers = Numbers(seed: UInt64(run) << 8 | 0xBE)
        var order = Array(0..<count)
        // Sender by sender, since a key takes memory that is locked; then in an order of its own.
        let drawn = order.map { _ in Int.random(in: 0..<holders, using: &numbers) }.sorted()
        order.shuffle(using: &numbers)
        let receivers = order.map { _ in draw.next(&numbers) % holders }
        let signed = inParallel(count: count) { range, _ in
            var signer: (holder: Int, author: Author)?
            return range.map { index in
                let from = drawn[index]
                let to = receivers[index] == from ? (from + 1) % holders : receivers[index]
                if signer?.holder != from {
                    signer = (from, Author(.account(BenchChain.account(from)), BenchChain.holderKey(from)))
                }
                return chain.encoded(
                    [
                        .transfer(
                            from: BenchChain.account(from), to: BenchChain.account(to), unit: BenchChain.unit, amount: 1
                        )
                    ], by: signer!.author)
            }
        }
        return order.map { signed[$0] }
    }
}

/// How accounts are drawn.
enum Draw: Sendable {
    case uniform, zipf, hot

    /// Sums of 1/rank, for drawing by Zipf's law with exponent 1.
    private static let sums: [Double] = {
        var sum = 0.0
        return (1...BenchChain.holders).map { rank in
            sum += 1 / Double(rank)
            return sum
        }
    }()

    func next(_ numbers: inout Numbers) -> Int {
        switch self {
        case .uniform: return Int.random(in: 0..<BenchChain.holders, using: &numbers)
        case .hot: return 0
        case .zipf:
            let drawn = Double.random(in: 0..<Self.sums.last!, using: &numbers)
            var (low, high) = (0, Self.sums.count - 1)
            while low < high {
                let middle = (low + high) / 2
                if Self.sums[middle] > drawn { high = middle } else { low = middle + 1 }
            }
            return low
        }
    }
}
