import Canonical
import Chain
import JSON
import Wire

/// What a node begins with that joins: the tables at a certified height, for those who may read everything.
extension Gateway {
    private static let height = Route.Parameter.path("height", .number64, "The height of a snapshot that is there.")

    private static let index = Route.Parameter(
        name: "index", isInPath: true,
        schema: Schema(["type": "integer", "minimum": 0, "maximum": JSONValue(SnapshotManifest.chunksMax)]),
        about: "Its place in the manifest, from 0.")

    static let snapshotRoutes: [Route] = [
        Route(
            .get, "/v1/snapshots", "listSnapshots", "chain",
            "The snapshots that this node hands out, newest first. For validators and observers, by their key.",
            access: .token, answers: [.ok(Form<[SnapshotSummary]>.snapshots.stamped("snapshots"))], problems: [403]
        ) { call in
            let shelf = try call.shelf()
            var found: [SnapshotSummary] = []
            for height in try shelf.heights().suffix(SnapshotShelf.listedMax).reversed() {
                guard let manifest = try shelf.manifest(height) else { continue }
                found.append(SnapshotSummary(manifest))
            }
            call.answer(Form.snapshots.stamped("snapshots"), Stamped(found, call.chain.stamp))
        },
        Route(
            .get, "/v1/snapshots/{height}", "getSnapshot", "chain",
            "A snapshot's manifest: what is in it, and what proves it.", access: .token, parameters: [height],
            answers: [Route.Answer(status: 200, about: "The manifest.", content: .bytes)], problems: [403, 404]
        ) { call in
            let height = try call.path("height", .number64)
            guard let manifest = try call.shelf().manifest(height) else {
                throw Problem(.snapshotNotFound, field: "height")
            }
            call.answer(bytes: manifest.canonicalBytes, call.chain.stamp)
        },
        Route(
            .get, "/v1/snapshots/{height}/chunks/{index}", "getSnapshotChunk", "chain",
            "A chunk of a snapshot, by its place in the manifest, which has its digest.", access: .token,
            parameters: [height, index],
            answers: [Route.Answer(status: 200, about: "The chunk.", content: .bytes)], problems: [403, 404]
        ) { call in
            let height = try call.path("height", .number64)
            let index = try call.number("index", in: 0...UInt32(SnapshotManifest.chunksMax), else: 0)
            guard let bytes = try call.shelf().chunk(height, Int(index)) else {
                throw Problem(.snapshotNotFound, field: "index")
            }
            call.answer(bytes: bytes, call.chain.stamp)
        },
    ]
}

extension Call {
    /// The snapshots, where who asks may read everything.
    fileprivate func shelf() throws(Problem) -> SnapshotShelf {
        try requireWholeBlocks()
        return gateway.configuration.snapshots
            ?? SnapshotShelf(heights: { [] }, manifest: { _ in nil }, chunk: { _, _ in nil })
    }
}
