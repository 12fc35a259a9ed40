import Concurrency
import EtcdKit
import Foundation
import HTTPClient
import Ordering
import OrderingEtcd

/// One real cluster for all tests that do it no harm, each with a chain of its own name.
final class Rings: Sendable {
    static let shared = Rings()
    static let epoch = OrderingEpoch(number: 0, bytes: [UInt8](repeating: 7, count: 16), firstHeight: 1)

    private let cluster = Locked<EtcdCluster?>(nil)
    private let directory: URL

    private init() {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("lianfen-rings-\(UUID().uuidString)")
    }

    /// The way to a place for a ring of its own.
    func place() throws -> EtcdConfiguration {
        try cluster.withLock { there in
            if there == nil {
                try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
                there = try EtcdCluster(in: directory)
            }
            return there!.configuration(chain: "chain-\(UUID().uuidString)")
        }
    }

    /// A ring of its own.
    func log() throws -> EtcdLog {
        let log = try EtcdLog(try place(), epoch: Self.epoch)
        try log.found()
        return log
    }
}

extension EtcdCluster {
    /// How a node speaks to it.
    /// - Parameter hurried: whether it gives up soon, to see what is made of that. Otherwise it has the patience that a
    ///   disk wants which other tests are busy with.
    func configuration(chain: String, secured: Bool = true, hurried: Bool = false) -> EtcdConfiguration {
        var configuration = EtcdConfiguration(endpoints: endpoints, chain: chain)
        configuration.authorities = .file(authority)
        configuration.identity = .init(certificateFile: clientCertificate, keyFile: clientKey)
        configuration.answerMilliseconds = hurried ? 1_500 : 20_000
        configuration.readMilliseconds = hurried ? 3_000 : 60_000
        if secured { configuration.login = .init(user: Self.user, password: Self.password) }
        return configuration
    }

    /// Begins a chain's ring; answers its head.
    @discardableResult
    func begin(chain: String, secured: Bool = true, epoch: OrderingEpoch) throws -> UInt64 {
        let log = try EtcdLog(configuration(chain: chain, secured: secured), epoch: epoch)
        defer { log.stop() }
        try log.found()
        return try log.readHead()
    }
}
