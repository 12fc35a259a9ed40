import Concurrency
import Crypto

extension Benchmark {
    /// What no ledger that checks signatures with this library can exceed on this machine.
    public static let verifyLimit = Benchmark(
        "verify-limit", "raw Ed25519 verifications a second on all cores, 200-byte messages"
    ) { setting in
        let cores = processorCount()
        let runs = setting.measured({ _ in }) { verificationsASecond(threads: cores) }
        var figure = Figure("verify-limit", unit: "1/s", runs: runs)
        let perCore = figure.value / Double(cores)
        figure.details.append(.init("perCore", perCore))
        if perCore < believablePerCore {
            figure.doubts.append(
                "a core verified \(Int(perCore)) signatures a second where \(Int(believablePerCore)) are usual: the "
                    + "machine was too busy to believe this run")
        }
        return [figure]
    }

    /// A core of the class of machine that the floors are meant for does more.
    static let believablePerCore = 19_000.0

    private static func verificationsASecond(threads: Int) -> Double {
        let key = SecretKey()
        let message = randomBytes(200)
        let signature = key.sign(message)
        let publicKey = key.publicKey
        let done = Locked(0)
        let start = Machine.now()
        let workers = (0..<threads).map { _ in
            WorkerThread("verify") {
                var count = 0
                while Machine.now() - start < nanoseconds {
                    for _ in 0..<50 where publicKey.verifies(signature, of: message) { count += 1 }
                }
                done.withLock { $0 += count }
            }
        }
        for worker in workers { worker.join() }
        return Double(done.withLock { $0 }) / Machine.seconds(since: start)
    }

    private static let nanoseconds: UInt64 = 500_000_000
}
