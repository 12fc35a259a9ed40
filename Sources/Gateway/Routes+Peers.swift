import Canonical
import Chain
import HTTPServer
import JSON
import Ledger
import Node
import Storage
import Wire

/// What nodes of a consortium say to each other. Nothing of it is believed: votes, certificates and blocks carry their
/// own proof, and who sends others costs no more than these bounds.
extension Gateway {
    /// Votes that one validator may bring a second: far more than it has blocks to vote on, and few enough that
    /// checking the signatures of as many wrong ones does not hold a node up.
    static let votesPerSecond: UInt64 = 512

    static let peerRoutes: [Route] = [
        Route(
            .post, "/v1/votes", "takeVotes", "peers",
            "Takes votes, as canonical bytes: the genesis hash and at most \(VoteList.countMax) of them. For "
                + "validators, by their key. A vote that does not hold is dropped.",
            access: .token,
            body: Route.Body(
                schema: Schema([:]), takesBytes: true, takesJSON: false, format: "lianfen-votes",
                bytesMax: VoteList.bytesMax),
            answers: [.ok(Form<VotesTaken>.votesTaken, "How many were handed to the node.")], problems: [403],
            keepsAnswers: false
        ) { call in
            guard case .validator(let sender) = call.principal else { throw Problem(.notYours) }
            let list: VoteList = try call.decodedBody("votes")
            guard list.genesis == call.chain.genesisHash else {
                throw Problem(
                    .bodyMalformed,
                    "They are of the chain \(list.genesis), and this node's is "
                        + "\(call.chain.genesisHash).", field: "genesis")
            }
            let cost = UInt64(max(1, list.votes.count))
            guard call.gateway.voteLimit.allows("\(sender)", cost: cost, now: call.chain.clock()) else {
                throw Problem(.tooManyRequests, "A validator brings at most \(votesPerSecond) votes a second.")
            }
            for vote in list.votes { call.chain.node.take(vote) }
            call.answer(Form.votesTaken.write(VotesTaken(count: UInt32(list.votes.count))), call.chain.stamp)
        },
        Route(
            .get, "/v1/finals", "getFinals", "peers",
            "The final blocks above a height, certificate by certificate, as canonical bytes: some mebibytes, or none. "
                + "For validators and observers, by their key.", access: .token,
            parameters: [
                .query("above", .number64, "The height up to which they are known; the genesis where missing.")
            ],
            answers: [Route.Answer(status: 200, about: "The blocks.", content: .bytes)], problems: [403]
        ) { call in
            try call.requireWholeBlocks()
            let above: UInt64 = try call.query("above", .number64) ?? 0
            let finals = try call.chain.readBlocks { (head, tables) throws(StorageError) -> [FinalBlocks] in
                above < head ? try tables.finals(above: above) : []
            }
            call.answer(bytes: FinalBlocksList(finals.value).canonicalBytes, finals.stamp)
        },
        Route(
            .get, "/v1/blocks/{height}/sub-roots", "getSubRoots", "peers",
            "The roots of all tables at a certified height, as canonical bytes whose digest is the header's state "
                + "root: with them a node that came apart finds the table. For validators and observers, by their key.",
            access: .token, parameters: [.path("height", .number64, "A certified height.")],
            answers: [Route.Answer(status: 200, about: "Names and roots, in ascending order.", content: .bytes)],
            problems: [403, 404]
        ) { call in
            try call.requireWholeBlocks()
            let height = try call.path("height", .number64)
            let found = try call.chain.readBlocks { (head, tables) throws(StorageError) in
                height <= head ? try tables.roots(height) : nil
            }
            guard let roots = found.value else { throw Problem(.heightNotFound, field: "height") }
            call.answer(bytes: roots.canonicalBytes, found.stamp)
        },
    ]
}

/// What became of votes.
struct VotesTaken: Sendable {
    let count: UInt32
}

extension Form where Value == VotesTaken {
    static let votesTaken = Form(
        Schema([
            "type": "object", "properties": ["votes": ["type": "integer", "minimum": 0]], "required": ["votes"],
        ]),
        read: { (json: JSONValue) throws(JSONError) in
            guard case .integer(let count)? = json["votes"], let count = UInt32(exactly: count) else {
                throw JSONError("", "is not the answer to votes")
            }
            return VotesTaken(count: count)
        }, write: { ["votes": JSONValue($0.count)] })
}

extension Call {
    /// Whole blocks are for validators and observers.
    func requireWholeBlocks() throws(Problem) {
        switch principal {
        case .validator, .observer: return
        default: throw Problem(.notYours)
        }
    }

    /// The body as a value in its canonical form.
    func decodedBody<Value: Canonical>(_ what: String) throws(Problem) -> Value {
        let bytesMax = route.body?.bytesMax ?? 0
        guard request.body.count <= bytesMax else {
            throw Problem(.server(.bodyTooLarge), "This path takes at most \(bytesMax) bytes.")
        }
        do throws(DecodingError) { return try Value(canonicalBytes: request.body) } catch {
            throw Problem(.bodyMalformed, "They are no \(what): \(error).", field: what)
        }
    }
}
