import HTTPServer
import JSON
import Ledger
import Wire

/// One request to a route: its parameters read, its answer given once.
struct Call: Sendable {
    let gateway: Gateway
    let route: Route
    var request: HTTPRequest
    let exchange: HTTPExchange
    /// By name, as they stand in the path.
    let pathValues: [(name: String, text: String)]
    let queryValues: [(name: String, text: String)]
    /// Who reads, where a token was sent.
    let principal: Principal?
    /// Whether the answer is asked for as canonical bytes.
    let wantsBytes: Bool
    /// The same with its key and its end.
    let holder: Sessions.Holder?
    /// Under which its answer is kept.
    var claim: Idempotency.Claim?
    /// The transaction that its body is, where that was read before.
    var decoded: Transaction?

    func with(claim: Idempotency.Claim) -> Call {
        var call = self
        call.claim = claim
        return call
    }

    /// The same without its body: for what waits.
    var withoutBody: Call {
        var call = self
        call.request = request.withoutBody
        call.decoded = nil
        return call
    }

    var chain: ChainReader { gateway.chain }

    /// Runs the route; what it throws is the answer.
    func run() {
        do { try route.handle(self) } catch let problem as Problem {
            send(problem.response)
        } catch {
            send(Problem(.internalFailure).response)
        }
    }

    func path<Value>(_ name: String, _ form: Form<Value>) throws(Problem) -> Value {
        try read(pathValues.first { $0.name == name }?.text ?? "", name, form)
    }

    func query<Value>(_ name: String, _ form: Form<Value>) throws(Problem) -> Value? {
        guard let found = queryValues.first(where: { $0.name == name }) else { return nil }
        return try read(found.text, name, form)
    }

    private func read<Value>(_ text: String, _ name: String, _ form: Form<Value>) throws(Problem) -> Value {
        do throws(JSONError) { return try form.parse(.string(text)) } catch {
            throw Self.invalid(name, error.reason)
        }
    }

    /// A wrong parameter; cursors have a problem of their own, since whoever sends one is to begin again without it.
    private static func invalid(_ name: String, _ reason: String) -> Problem {
        Problem(name == "cursor" ? .cursorInvalid : .parameterInvalid, reason, field: name)
    }

    /// A parameter that is a small number.
    func number(_ name: String, in range: ClosedRange<UInt32>, else fallback: UInt32) throws(Problem) -> UInt32 {
        guard
            let text = queryValues.first(where: { $0.name == name })?.text
                ?? pathValues.first(where: { $0.name == name })?.text
        else { return fallback }
        let isPlain = text.utf8.allSatisfy { (0x30...0x39).contains($0) } && (text == "0" || text.utf8.first != 0x30)
        guard isPlain, let number = UInt32(text), range.contains(number) else {
            throw Self.invalid(name, "it takes a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func limit() throws(Problem) -> Int {
        Int(try number("limit", in: 1...UInt32(Page<Int>.countMax), else: UInt32(Page<Int>.countDefault)))
    }

    /// The body as the form has it. Text that is no JSON, or doubtful JSON, is another problem than a wrong member.
    func body<Value>(_ form: Form<Value>) throws(Problem) -> Value {
        let bytesMax = route.body?.bytesMax ?? 0
        guard request.body.count <= bytesMax else {
            throw Problem(.server(.bodyTooLarge), "This path takes at most \(bytesMax) bytes.")
        }
        let json: JSONValue
        do throws(JSONError) {
            json = try JSONValue(parsing: request.body, bytesMax: bytesMax, numbers: .anyWhole)
        } catch {
            throw Problem(.bodyMalformed, error.reason, field: error.path)
        }
        do throws(JSONError) { return try form.parse(json) } catch { throw Problem(error) }
    }

    // MARK: Answers

    func answer<Value>(_ form: Form<Stamped<Value>>, _ value: Stamped<Value>) {
        answer(form.write(value), value.stamp)
    }

    func answer<Value>(_ form: Form<Page<Value>>, _ value: Page<Value>) { answer(form.write(value), value.stamp) }

    func answer(_ json: JSONValue, _ stamp: Stamp, status: Int = 200) {
        send(
            HTTPResponse(
                status: status, headers: [("Content-Type", "application/json")], body: .bytes(json.bytes)), stamp)
    }

    func answer(bytes: [UInt8], _ stamp: Stamp) {
        send(
            HTTPResponse(status: 200, headers: [("Content-Type", "application/octet-stream")], body: .bytes(bytes)),
            stamp)
    }

    /// - Parameter staysTrue: whether the same request would always get this answer. Where nothing is said, what
    ///   succeeded.
    func send(_ response: HTTPResponse, _ stamp: Stamp? = nil, staysTrue: Bool? = nil) {
        let stamp = stamp ?? chain.stamp
        keep(response, stamp, staysTrue: staysTrue ?? (200..<300).contains(response.status))
        gateway.send(response, stamp, request, exchange)
    }
}
