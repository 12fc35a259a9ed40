import Canonical
import Chain
import Concurrency
import Crypto
import HTTPClient
import JSON
import Ledger
import Node
import Testing
import Wire

@testable import Gateway

/// Snapshots are for those who may read everything, and come as they were written.
@Suite struct SnapshotRouteTests {
    private struct Written: Sendable {
        let manifest: SnapshotManifest
        let chunks: [[UInt8]]
    }

    /// A mall that hands out a snapshot of itself, once there is one.
    private static func with(_ body: @escaping @Sendable (Mall, Written) throws -> Void) async throws {
        let written = Locked<Written?>(nil)
        try await Mall.with(configure: { configuration in
            configuration.snapshots = SnapshotShelf(
                heights: { written.withLock { $0 }.map { [$0.manifest.height] } ?? [] },
                manifest: { height in
                    written.withLock { $0 }.flatMap { $0.manifest.height == height ? $0.manifest : nil }
                },
                chunk: { height, index in
                    guard let found = written.withLock({ $0 }), found.manifest.height == height,
                        found.chunks.indices.contains(index)
                    else { return nil }
                    return found.chunks[index]
                })
        }) { mall in
            try mall.publish()
            _ = try mall.open()
            // The tables of a running node may move on meanwhile.
            var made: Written?
            for _ in 0..<20 where made == nil {
                var chunks: [[UInt8]] = []
                let manifest = try? Snapshot.write(mall.consortium.first.blocks, genesis: mall.genesis) {
                    (_, bytes) throws(SnapshotError) in chunks.append(bytes)
                }
                made = manifest.map { Written(manifest: $0, chunks: chunks) }
            }
            let snapshot = try #require(made)
            written.withLock { $0 = snapshot }
            try body(mall, snapshot)
        }
    }

    @Test func validatorsAndObserversGetThem() async throws {
        try await Self.with { mall, written in
            let manifest = written.manifest
            for token in [
                try mall.token(.validator(OrganisationID(1)), mall.voting[0]),
                try mall.token(.observer(mall.observer.publicKey), mall.observer),
            ] {
                let list = try mall.get("/v1/snapshots", token: token)
                #expect(list.status == 200)
                #expect(list.json["snapshots"] == Form.snapshots.write([SnapshotSummary(manifest)]))
                let whole = try mall.get("/v1/snapshots/\(manifest.height)", token: token)
                #expect(try SnapshotManifest(canonicalBytes: whole.response.body) == manifest)
                for (index, chunk) in written.chunks.enumerated() {
                    let reply = try mall.get("/v1/snapshots/\(manifest.height)/chunks/\(index)", token: token)
                    #expect(reply.status == 200 && reply.response.body == chunk)
                }
                for path in ["/\(manifest.height + 1)", "/\(manifest.height)/chunks/\(written.chunks.count)"] {
                    let reply = try mall.get("/v1/snapshots" + path, token: token)
                    #expect(reply.status == 404 && reply.code == "snapshot-not-found", "\(path)")
                }
                for path in ["/x", "/1/chunks/x", "/1/chunks/-1", "/1/chunks/99999999999"] {
                    #expect(try mall.get("/v1/snapshots" + path, token: token).status == 400, "\(path)")
                }
            }
        }
    }

    @Test func nobodyElseDoes() async throws {
        try await Self.with { mall, written in
            let height = written.manifest.height
            let holder = try mall.open()
            for path in ["/v1/snapshots", "/v1/snapshots/\(height)", "/v1/snapshots/\(height)/chunks/0"] {
                #expect(try mall.get(path).code == "token-missing")
                #expect(try mall.get(path, token: mall.token(holder)).code == "not-yours")
                let organisation = try mall.token(.organisation(OrganisationID(1)), mall.issuing[0])
                #expect(try mall.get(path, token: organisation).code == "not-yours")
            }
        }
    }

    @Test func withoutAnyThereAreNone() async throws {
        try await Mall.with { mall in
            let token = try mall.token(.validator(OrganisationID(1)), mall.voting[0])
            #expect(try mall.get("/v1/snapshots", token: token).json["snapshots"] == .array([]))
            #expect(try mall.get("/v1/snapshots/1", token: token).code == "snapshot-not-found")
        }
    }
}
