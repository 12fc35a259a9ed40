import Canonical
import Chain
import Crypto
import HTTPServer
import JSON
import Ledger
import Node
import Storage
import Wire

/// What everybody may read: the chain without anybody's accounts or amounts.
extension Gateway {
    private static let height = Route.Parameter.path("height", .number64, "A certified height.")

    /// Bytes of entries that one page of blocks, or of a history, looks at: a thread of the server serves others, too.
    static let pageBytesMax = 4 << 20

    static let chainRoutes: [Route] = [
        Route(
            .get, "/v1/chain", "getChain", "chain", "Where this node stands.",
            answers: [.ok(Form<ChainHead>.chainHead.stamped("chain"))]
        ) { call in
            let status = call.chain.node.status
            let genesis = call.chain.genesis
            call.answer(
                Form.chainHead.stamped("chain"),
                Stamped(
                    ChainHead(
                        chain: genesis.chain, genesis: call.chain.genesisHash,
                        validator: call.gateway.configuration.validator, rulesVersion: status.rulesVersion,
                        time: status.time, executed: status.executed, certified: status.certified,
                        validators: UInt32(call.chain.set.count), quorum: UInt32(call.chain.set.quorum)),
                    Stamp(height: status.committed, stateRoot: status.stateRoot)))
        },
        Route(
            .get, "/v1/software", "getSoftware", "chain",
            "What the program of this node knows. A program from before this path knows version 1 of the rules alone.",
            answers: [.ok(Form<Software>.software.stamped("software"))]
        ) { call in
            call.answer(
                Form.software.stamped("software"),
                Stamped(Software(rules: call.gateway.configuration.rulesKnown), call.chain.stamp))
        },
        Route(
            .get, "/v1/genesis", "getGenesis", "chain",
            "What all members agreed on. Its hash names the chain: compare it with one that you trust.",
            answers: [.okOrBytes(Form<Genesis>.genesis.stamped("genesis"))]
        ) { call in
            if call.wantsBytes { return call.answer(bytes: call.chain.genesis.canonicalBytes, call.chain.stamp) }
            call.answer(Form.genesis.stamped("genesis"), Stamped(call.chain.genesis, call.chain.stamp))
        },
        Route(
            .get, "/v1/validators", "getValidators", "chain", "Those who vote at a height.",
            parameters: [.query("at", .number64, "A certified height; the newest where it is missing.")],
            answers: [.ok(Form<ValidatorSet>.validators.stamped("validators"))], problems: [404]
        ) { call in
            let at: UInt64? = try call.query("at", .number64)
            let found = try call.chain.read { (tables) throws(StorageError) -> ValidatorSet? in
                let head = try tables.height()
                return at ?? head <= head ? try tables.set(at: at ?? head) : nil
            }
            guard let set = found.value else { throw Problem(.heightNotFound, field: "at") }
            call.answer(Form.validators.stamped("validators"), Stamped(set, found.stamp))
        },
        Route(
            .get, "/v1/validators/changes", "listValidatorChanges", "chain",
            "Changes of those who vote, each proved by those who voted before: for a light client.",
            parameters: [.query("after", .number64, "Changes announced after this height; all where it is missing.")],
            answers: [.okOrBytes(Form<LightSteps>.lightSteps.stamped("changes"))]
        ) { call in
            let after: UInt64 = try call.query("after", .number64) ?? 0
            let found = try call.chain.readBlocks { (_, tables) throws(StorageError) in
                LightSteps(try tables.lightSteps(after: after, max: LightSteps.pageCountMax))
            }
            if call.wantsBytes { return call.answer(bytes: found.value.canonicalBytes, found.stamp) }
            call.answer(Form.lightSteps.stamped("changes"), found)
        },
        Route(
            .get, "/v1/blocks", "listBlocks", "chain", "Certified blocks, newest first.",
            parameters: [
                .query("cursor", .number64, "As an earlier page gave it."), .limit,
            ], answers: [.ok(Form<BlockSummary>.blockSummary.page())], problems: [404]
        ) { call in
            let cursor: UInt64? = try call.query("cursor", .number64)
            let limit = try call.limit()
            typealias Found = (items: [BlockSummary], next: String?)
            let page = try call.chain.readBlocks { (head, _) throws(StorageError) -> Found in
                var height = min(cursor ?? .max, head)
                var items: [BlockSummary] = []
                var byteCount = 0
                while true {
                    guard let block = try call.chain.blockOfPage(height, after: items.count) else { break }
                    items.append(block.summary)
                    byteCount += block.byteCount
                    if height == 0 { return (items, nil) }
                    height -= 1
                    // Large blocks make short pages.
                    if items.count == limit || byteCount >= pageBytesMax { break }
                }
                return (items, String(height))
            }
            call.answer(Form.blockSummary.page(), Page(page.value.items, next: page.value.next, page.stamp))
        },
        Route(
            .get, "/v1/blocks/{height}", "getBlock", "chain",
            "A block: its header, and of each transaction what everybody may know.", parameters: [height],
            answers: [.ok(Form<BlockSummary>.blockSummary.stamped("block"))], problems: [404]
        ) { call in
            let height = try call.path("height", .number64)
            let block = try call.chain.readBlocks { (head, _) throws(StorageError) in
                height <= head ? try call.chain.block(height) : nil
            }
            guard let contents = block.value else { throw Problem(.heightNotFound, field: "height") }
            call.answer(Form.blockSummary.stamped("block"), Stamped(contents.summary, block.stamp))
        },
        Route(
            .get, "/v1/blocks/{height}/header", "getHeader", "chain",
            "What validators sign of a block; the bytes are what they sign the hash of.", parameters: [height],
            answers: [.okOrBytes(Form<Header>.header.withBytes("header", max: 1024).stamped("header"))],
            problems: [404]
        ) { call in
            let height = try call.path("height", .number64)
            let header = try call.chain.read { (tables) throws(StorageError) -> Header? in
                let head = try tables.height()
                return height <= head ? try tables.header(height) : nil
            }
            guard let value = header.value else { throw Problem(.heightNotFound, field: "height") }
            let bytes = value.canonicalBytes
            if call.wantsBytes { return call.answer(bytes: bytes, header.stamp) }
            call.answer(
                Form.header.withBytes("header", max: 1024).stamped("header"),
                Stamped(WithBytes(value, bytes), header.stamp))
        },
        Route(
            .get, "/v1/blocks/{height}/certificate", "getCertificate", "chain",
            "What makes a block final: the certificate of the lowest height from this one on that has one.",
            parameters: [height],
            answers: [
                .okOrBytes(Form<Certificate>.certificate.withBytes("certificate", max: 16_384).stamped("certificate"))
            ], problems: [404]
        ) { call in
            let height = try call.path("height", .number64)
            let certificate = try call.chain.read { (tables) throws(StorageError) -> Certificate? in
                let head = try tables.height()
                return height > 0 && height <= head ? try tables.certificate(above: height - 1) : nil
            }
            guard let value = certificate.value else { throw Problem(.heightNotFound, field: "height") }
            let bytes = value.canonicalBytes
            if call.wantsBytes { return call.answer(bytes: bytes, certificate.stamp) }
            call.answer(
                Form.certificate.withBytes("certificate", max: 16_384).stamped("certificate"),
                Stamped(WithBytes(value, bytes), certificate.stamp))
        },
        Route(
            .get, "/v1/blocks/{height}/entry", "getEntry", "chain",
            "The whole block as it was ordered. For validators and observers, by their key.", access: .token,
            parameters: [height],
            answers: [Route.Answer(status: 200, about: "The ordered bytes.", content: .bytes)], problems: [403, 404]
        ) { call in
            try call.requireWholeBlocks()
            let height = try call.path("height", .number64)
            let raw = try call.chain.read { (tables) throws(StorageError) -> [UInt8]? in
                let head = try tables.height()
                return height > 0 && height <= head ? try tables.block(height) : nil
            }
            guard let bytes = raw.value else { throw Problem(.heightNotFound, field: "height") }
            call.answer(bytes: bytes, raw.stamp)
        },
        Route(
            .get, "/v1/events", "streamBlocks", "chain",
            "Every certified block as an event. With Last-Event-ID, those after that height.",
            answers: [
                .events("block", Form<BlockSummary>.blockSummary, "Events named block, their id the height.")
            ], problems: [404]
        ) { call in
            let (frames, chain) = (call.gateway.frames, call.chain)
            try call.stream { (block) throws(StorageError) in frames.frame(block, head: chain.stamp.height) }
        },
        Route(
            .get, "/healthz", "getHealth", "node", "Whether the process is up.",
            answers: [.ok(Form<String>.health, "It is.")]
        ) { call in
            call.answer(["status": "up"], call.chain.stamp)
        },
        Route(
            .get, "/readyz", "getReadiness", "node", "Whether work may be sent here.",
            answers: [.ok(Form<String>.health, "It may.")], problems: [503]
        ) { call in
            let readiness = call.gateway.readiness
            guard readiness.isReady else {
                throw Problem(.notReady, "The node is \(readiness.reason).")
            }
            call.answer(["status": .string(readiness.reason)], call.chain.stamp)
        },
        Route(
            .get, "/openapi.json", "getOpenAPI", "node", "This interface as an OpenAPI 3.1 document.",
            answers: [
                Route.Answer(status: 200, about: "The document.", content: .json(Schema(["type": "object"])))
            ]
        ) { call in
            call.send(
                HTTPResponse(
                    status: 200, headers: [("Content-Type", "application/json")],
                    body: .bytes(call.gateway.openAPI)))
        },
    ]
}

extension Form where Value == String {
    fileprivate static let health = Form<String>(
        Schema([
            "type": "object", "properties": ["status": ["type": "string"]], "required": ["status"],
        ]), read: { (_: JSONValue) throws(JSONError) in "" }, write: { .string($0) })
}

extension Call {
    /// Answers with events, beginning after `Last-Event-ID`, or with what comes from now on.
    func stream(_ frame: @escaping EventStream.Frame) throws(Problem) {
        var height = chain.stamp.height
        if let text = request.header("Last-Event-ID") {
            guard let last = try? Form<UInt64>.number64.parse(.string(text)) else {
                throw Problem(.headerInvalid, "it takes the id of an event", field: "Last-Event-ID")
            }
            // One beyond the head is of another chain, or of a node that knows more; it waits for what comes.
            height = min(last, height)
            do throws(StorageError) { try chain.tables.checkHistory(of: height + 1) } catch {
                throw chain.failure(error)
            }
        }
        let (gateway, holder) = (gateway, holder)
        let address = gateway.clientAddress(request)
        guard holder != nil || gateway.takeStream(address) else {
            throw Problem(.tooManyRequests, "As many streams as may be are open from there.")
        }
        let stream = EventStream(
            chain: chain, after: height, budget: gateway.streamBytes,
            isOpen: { holder.map { (try? gateway.sessions.check($0)) != nil } ?? true },
            gone: { if holder == nil { gateway.giveStreamBack(address) } }, frame: frame)
        send(
            HTTPResponse(
                status: 200, headers: [("Content-Type", "text/event-stream"), ("X-Accel-Buffering", "no")],
                body: .stream(stream)))
    }
}
