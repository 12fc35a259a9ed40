import Crypto
import JSON
import Wire

/// The interface as an OpenAPI 3.1 document, made from the routes and the forms that the gateway works with.
enum OpenAPI {
    static func document(_ routes: [Route]) -> JSONValue {
        var definitions = Problem.schema.definitions
        func use(_ schema: Schema) -> JSONValue {
            definitions.merge(schema.definitions) { first, _ in first }
            return schema.json
        }
        var paths: [(path: String, members: [JSONValue.Member])] = []
        for route in routes {
            let operation = JSONValue.Member(route.method.rawValue.lowercased(), operation(route, use))
            if let index = paths.firstIndex(where: { $0.path == route.path }) {
                paths[index].members.append(operation)
            } else {
                paths.append((route.path, [operation]))
            }
        }
        return .object([
            .init("openapi", "3.1.0"),
            .init(
                "info",
                [
                    "title": "Lianfen 联分", "version": "1",
                    "summary": "A points ledger that rival malls share and none can falsify.",
                    "description": .string(about),
                    "license": ["name": "Apache 2.0", "identifier": "Apache-2.0"],
                ]),
            .init("servers", [["url": "/"]]),
            .init(
                "tags",
                .array(
                    tags.map { ["name": .string($0.name), "description": .string($0.about)] })),
            .init("paths", .object(paths.map { .init($0.path, .object($0.members)) })),
            .init(
                "components",
                .object([
                    .init(
                        "securitySchemes",
                        [
                            "token": [
                                "type": "http", "scheme": "bearer",
                                "description": "From POST /v1/tokens, for a signed challenge.",
                            ]
                        ]),
                    .init("headers", headers(use)),
                    .init(
                        "schemas",
                        .object(definitions.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) })),
                ])),
        ])
    }

    /// Header fields of answers. Those that every answer of a route has are required, so that a check of an answer sees
    /// to them; the others belong to some statuses.
    private static func headers(_ use: (Schema) -> JSONValue) -> JSONValue {
        func always(_ about: String, _ schema: JSONValue) -> JSONValue {
            ["description": .string(about), "required": true, "schema": schema]
        }
        func sometimes(_ about: String, _ schema: JSONValue) -> JSONValue {
            ["description": .string(about), "schema": schema]
        }
        return [
            "Lianfen-Height": always(
                "The certified height at which the answer stands.", use(Form<UInt64>.number64.schema)),
            "Lianfen-State-Root": always("The state root of that height.", use(Form<Digest>.digest.schema)),
            "X-Request-Id": always("Names this request in the node's log.", ["type": "string"]),
            "Idempotent-Replayed": sometimes(
                "The answer is the stored one of an earlier request with the same Idempotency-Key.",
                ["type": "string", "const": "true"]),
            "Location": sometimes("Where the transaction can be looked up.", ["type": "string"]),
            "Retry-After": sometimes(
                "Seconds after which it makes sense to try again.", ["type": "integer", "minimum": 1]),
            "Allow": sometimes("The methods that the path takes.", ["type": "string"]),
            "WWW-Authenticate": sometimes("How to come back with a token.", ["type": "string"]),
        ]
    }

    /// Names of the header fields that a status comes with, beside those of every answer.
    private static func fields(_ status: Int, _ route: Route) -> [String] {
        switch status {
        case 202: ["Location", "Retry-After"]
        case 200..<300, 409: route.method == .post ? ["Idempotent-Replayed"] : []
        case 401: ["WWW-Authenticate"]
        case 405: ["Allow"]
        case 429, 503: ["Retry-After"]
        default: []
        }
    }

    private static func references(_ names: [String]) -> JSONValue {
        .object(names.map { .init($0, ["$ref": .string("#/components/headers/\($0)")]) })
    }

    private static let about = """
        Amounts, heights, times and nonces, whatever is 64 bits wide, are strings of digits. Times are milliseconds \
        since 1970 UTC. Every answer stands at one certified height and says which, with the state root of it. What \
        changes the ledger is a transaction signed by whom it concerns; the node never sees a private key. Sending the \
        same transaction again is always safe, and answers with what it did the first time; beyond that every POST \
        takes an Idempotency-Key. Problems are RFC 9457 documents with a stable code, in English and Chinese.
        """

    private static let tags: [(name: String, about: String)] = [
        ("chain", "What everybody may read: blocks, headers, certificates."),
        ("transactions", "Submitting transactions, preparing them, looking them up."),
        ("operations", "One route a kind of operation."),
        ("accounts", "What the holder of a token may read of accounts."),
        ("organisations", "What concerns an organisation."),
        ("units", "Kinds of points."),
        ("sessions", "Tokens, for signed challenges."),
        ("peers", "What the nodes of a consortium say to each other."),
        ("node", "The node itself."),
    ]

    /// Statuses that any route may answer with.
    private static func problems(_ route: Route) -> [Int] {
        var all = Set(route.problems + [400, 404, 405, 406, 408, 429, 431, 500, 503])
        if route.access != .everybody { all.insert(401) }
        if route.method == .post { all.formUnion([409, 413, 415, 422]) }
        return all.sorted()
    }

    private static func operation(_ route: Route, _ use: (Schema) -> JSONValue) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("operationId", .string(route.id)), .init("tags", [.string(route.tag)]),
            .init("summary", .string(route.summary)),
        ]
        switch route.access {
        case .everybody: break
        case .everybodyAndMore: members.append(.init("security", [[:], ["token": []]]))
        case .token: members.append(.init("security", [["token": []]]))
        }
        var parameters = route.parameters.map { parameter -> JSONValue in
            [
                "name": .string(parameter.name), "in": parameter.isInPath ? "path" : "query",
                "required": .bool(parameter.isInPath), "description": .string(parameter.about),
                "schema": use(parameter.schema),
            ]
        }
        func header(_ name: String, _ about: String, _ schema: JSONValue) {
            parameters.append([
                "name": .string(name), "in": "header", "required": false, "description": .string(about),
                "schema": schema,
            ])
        }
        if route.method == .post, route.keepsAnswers {
            header(
                "Idempotency-Key",
                "The client's own name of this request: the same key and body get the same answer for a day, another "
                    + "body is refused.",
                ["type": "string", "pattern": "^[!-~](?:[ -~]{0,253}[!-~])?$"])
        }
        if route.body?.isTransaction == true {
            header(
                "Prefer",
                "wait=SECONDS: how long to wait for the certificate, up to 30. Other preferences count for nothing.",
                ["type": "string", "examples": ["wait=0", "wait=5"]])
        }
        if case .events? = route.answers.first?.content {
            header(
                "Last-Event-ID", "The id of the last event that was received.",
                use(Form<UInt64>.number64.schema))
        }
        if !parameters.isEmpty { members.append(.init("parameters", .array(parameters))) }
        if let body = route.body {
            var content: [JSONValue.Member] = []
            if body.takesJSON { content.append(.init("application/json", ["schema": use(body.schema)])) }
            if body.takesBytes {
                content.append(
                    .init(
                        "application/octet-stream",
                        [
                            "schema": [
                                "type": "string", "format": .string(body.format), "contentEncoding": "binary",
                            ]
                        ]))
            }
            members.append(.init("requestBody", ["required": true, "content": .object(content)]))
        }
        members.append(.init("responses", responses(route, use)))
        return .object(members)
    }

    private static func responses(_ route: Route, _ use: (Schema) -> JSONValue) -> JSONValue {
        var responses: [JSONValue.Member] = route.answers.map { answer in
            let bytes: JSONValue.Member = .init(
                "application/octet-stream", ["schema": ["type": "string", "contentEncoding": "binary"]])
            let content: [JSONValue.Member] =
                switch answer.content {
                case .json(let schema): [.init("application/json", ["schema": use(schema)])]
                case .jsonOrBytes(let schema): [.init("application/json", ["schema": use(schema)]), bytes]
                case .bytes: [bytes]
                case .events(let name, let schema):
                    [
                        .init(
                            "text/event-stream", ["schema": event(name, use(schema), use(Form<UInt64>.number64.schema))]
                        )
                    ]
                }
            return .init(
                "\(answer.status)",
                [
                    "description": .string(answer.about),
                    "headers": references(
                        ["Lianfen-Height", "Lianfen-State-Root", "X-Request-Id"] + fields(answer.status, route)),
                    "content": .object(content),
                ])
        }
        for status in problems(route) {
            var members: [JSONValue.Member] = [.init("description", .string(reasons[status] ?? "A problem."))]
            let names = fields(status, route)
            if !names.isEmpty { members.append(.init("headers", references(names))) }
            members.append(.init("content", ["application/problem+json": ["schema": use(Problem.schema)]]))
            responses.append(.init("\(status)", .object(members)))
        }
        return .object(responses)
    }

    /// One event of a stream. OpenAPI has a word for that from 3.2 on; until then the schema of a stream is read as
    /// that of each event in it.
    private static func event(_ name: String, _ data: JSONValue, _ id: JSONValue) -> JSONValue {
        [
            "type": "object", "description": "One event of the stream. Lines that begin with a colon are comments.",
            "properties": [
                "id": id, "event": ["type": "string", "const": .string(name)],
                "data": ["type": "string", "contentMediaType": "application/json", "contentSchema": data],
            ],
            "required": ["id", "event", "data"],
        ]
    }

    private static let reasons: [Int: String] = [
        400: "The request is malformed; field says where.", 401: "Without a valid token or signature.",
        403: "It belongs to others.", 404: "There is no such thing.", 405: "Another method.",
        406: "Not in that media type.", 408: "The request did not come in time.",
        409: "The ledger refused it, in a certified block or before one.", 413: "Too large.",
        415: "Another media type, charset or encoding.", 422: "The Idempotency-Key was used with another body.",
        429: "Too many; wait as long as Retry-After says.", 431: "The head is too large.",
        500: "Something went wrong on this node.", 503: "Not now; wait as long as Retry-After says.",
    ]
}
