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

    /// A ring of its own.
    func log() throws -> EtcdLog {
        let configuration = try cluster.withLock { there in
            if there == nil {
                try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
                there = try EtcdCluster(in: directory)
            }
            return there!.configuration(chain: "chain-\(UUID().uuidString)")
        }
        let log = try EtcdLog(configuration, epoch: Self.epoch)
        try log.found()
        return log
    }
}

extension EtcdCluster {
    /// How a node speaks to it.
    func configuration(chain: String, secured: Bool = true) -> EtcdConfiguration {
        var configuration = EtcdConfiguration(endpoints: endpoints, chain: chain)
        configuration.authorities = .file(authority)
        configuration.identity = .init(certificateFile: clientCertificate, keyFile: clientKey)
        if secured { configuration.login = .init(user: Self.user, password: Self.password) }
        return configuration
    }
}
