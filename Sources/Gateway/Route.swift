import HTTPServer
import JSON
import Wire

/// One operation of the interface: everything that is said of it, and what it does. The dispatcher and the OpenAPI
/// document are both made from these rows.
struct Route: Sendable {
    enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
    }

    /// Who may ask.
    enum Access: Sendable {
        case everybody
        /// Everybody; who has a token may see more.
        case everybodyAndMore
        case token
    }

    struct Parameter: Sendable {
        let name: String
        let isInPath: Bool
        let schema: Schema
        let about: String
    }

    struct Body: Sendable {
        let schema: Schema
        /// Whether canonical bytes are taken as well, or alone.
        var takesBytes = false
        var takesJSON = true
        /// What the bytes are.
        var format = "lianfen-transaction"
        /// Whether it is a signed transaction.
        var isTransaction = false
        /// Bytes of it that are read.
        var bytesMax = JSONValue.textBytesMax
    }

    enum Content: Sendable {
        case json(Schema)
        case jsonOrBytes(Schema)
        case bytes
        /// Server-sent events of one name, and what their data is.
        case events(String, Schema)
    }

    struct Answer: Sendable {
        let status: Int
        let about: String
        let content: Content
    }

    let method: Method
    /// With `{name}` for what is a parameter.
    let path: String
    let id: String
    let tag: String
    let summary: String
    let access: Access
    let parameters: [Parameter]
    let body: Body?
    let answers: [Answer]
    /// Statuses of problems that it may answer, beside those that every route may.
    let problems: [Int]
    let handle: @Sendable (Call) throws -> Void
    /// Whether answers may be kept for who sends the same under the same key; not where they are secrets.
    let keepsAnswers: Bool

    init(
        _ method: Method, _ path: String, _ id: String, _ tag: String, _ summary: String,
        access: Access = .everybody, parameters: [Parameter] = [], body: Body? = nil, answers: [Answer],
        problems: [Int] = [], keepsAnswers: Bool = true, handle: @escaping @Sendable (Call) throws -> Void
    ) {
        self.method = method
        self.path = path
        self.id = id
        self.tag = tag
        self.summary = summary
        self.access = access
        self.parameters = parameters
        self.body = body
        self.answers = answers
        self.problems = problems
        self.keepsAnswers = keepsAnswers
        self.handle = handle
    }

    var takesBytes: Bool {
        answers.contains { if case .jsonOrBytes = $0.content { true } else { false } }
    }
}

extension Route.Parameter {
    static func path<Value>(_ name: String, _ form: Form<Value>, _ about: String) -> Self {
        Self(name: name, isInPath: true, schema: form.schema, about: about)
    }

    static func query<Value>(_ name: String, _ form: Form<Value>, _ about: String) -> Self {
        Self(name: name, isInPath: false, schema: form.schema, about: about)
    }

    static let limit = Self(
        name: "limit", isInPath: false,
        schema: Schema([
            "type": "integer", "minimum": 1, "maximum": JSONValue(Page<Int>.countMax),
            "default": JSONValue(Page<Int>.countDefault),
        ]), about: "Items of the page, at most.")
}

extension Route.Answer {
    static func ok<Value>(_ form: Form<Value>, _ about: String = "Done.") -> Self {
        Self(status: 200, about: about, content: .json(form.schema))
    }

    static func events<Value>(_ name: String, _ form: Form<Value>, _ about: String) -> Self {
        Self(status: 200, about: about, content: .events(name, form.schema))
    }

    static func okOrBytes<Value>(_ form: Form<Value>, _ about: String = "Done.") -> Self {
        Self(status: 200, about: about, content: .jsonOrBytes(form.schema))
    }
}

/// Finds the route of a path, segment by segment.
struct RouteTree: Sendable {
    private struct Node: Sendable {
        var literals: [String: Int] = [:]
        var parameter: Int?
        var routes: [String: Route] = [:]
    }

    enum Match {
        /// The route, and what stands for its parameters in the order of the path.
        case route(Route, [String])
        case otherMethods([String])
        case nothing
    }

    private var nodes: [Node] = [Node()]

    init(_ routes: [Route]) {
        for route in routes {
            var at = 0
            for segment in route.path.split(separator: "/") {
                let isParameter = segment.hasPrefix("{")
                if let next = isParameter ? nodes[at].parameter : nodes[at].literals[String(segment)] {
                    at = next
                    continue
                }
                nodes.append(Node())
                if isParameter {
                    nodes[at].parameter = nodes.count - 1
                } else {
                    nodes[at].literals[String(segment)] = nodes.count - 1
                }
                at = nodes.count - 1
            }
            precondition(nodes[at].routes[route.method.rawValue] == nil, "a path has one route a method")
            nodes[at].routes[route.method.rawValue] = route
        }
    }

    func find(_ method: String, _ segments: [String]) -> Match {
        var at = 0
        var values: [String] = []
        for segment in segments {
            if let next = nodes[at].literals[segment] {
                at = next
            } else if let next = nodes[at].parameter, !segment.isEmpty {
                values.append(segment)
                at = next
            } else {
                return .nothing
            }
        }
        let routes = nodes[at].routes
        if let route = routes[method == "HEAD" ? "GET" : method] { return .route(route, values) }
        return routes.isEmpty ? .nothing : .otherMethods(routes.keys.sorted())
    }
}
