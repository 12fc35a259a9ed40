import Canonical
import Chain
import Concurrency
import Crypto
import JSON
import Ledger
public import Node
import Storage
import Wire

/// A node's HTTP interface for tests of its clients: a running consortium behind a server that a test can make fail.
/// It answers what is asked in good form and guards nothing but what the clients' own rules rest on.
public final class LedgerServer: Sendable {
    public let server: ScriptedServer
    private let core: Core

    public var url: String { server.url }
    /// Requests that have come, as `GET /v1/chain`.
    public var requests: [String] { core.seen.withLock { $0 } }

    /// - Parameters:
    ///   - before: answers in the node's place, or nil.
    ///   - after: changes what the node answers.
    public init(
        _ consortium: Consortium, before: @escaping @Sendable (ServedRequest) -> Reply? = { _ in nil },
        after: @escaping @Sendable (ServedRequest, Reply) -> Reply = { $1 }
    ) {
        let core = Core(consortium)
        self.core = core
        server = ScriptedServer { request in
            core.seen.withLock { $0.append("\(request.method) \(request.target)") }
            return before(request) ?? after(request, core.answer(request))
        }
    }

    public func stop() { server.stop() }

    /// Makes all tokens worthless.
    public func forgetTokens() { core.tokens.withLock { $0 = [:] } }
}

private final class Core: Sendable {
    let consortium: Consortium
    let seen = Locked<[String]>([])
    let tokens = Locked<[String: Principal]>([:])
    private let challenges = Locked<[[UInt8]: Claimant]>([:])

    private var blocks: BlockStore { consortium.first.blocks }
    private var genesis: Digest { consortium.genesisHash }

    struct Refusal: Error {
        let status: Int
        let code: String
        var result: ResultCode?
    }

    init(_ consortium: Consortium) { self.consortium = consortium }

    func answer(_ request: ServedRequest) -> Reply {
        do {
            return try route(request)
        } catch let refusal as Refusal {
            var members: [JSONValue.Member] = [
                .init("title", .string(refusal.code)), .init("status", JSONValue(refusal.status)),
                .init("detail", .string(refusal.result?.text?.english ?? "The test's node refuses this.")),
                .init("code", .string(refusal.code)), .init("retryable", .bool([429, 503].contains(refusal.status))),
            ]
            if let result = refusal.result {
                members += [
                    .init("number", JSONValue(UInt32(result.rawValue))), .init("operation", 0),
                    .init(
                        "message",
                        ["en": .string(result.text?.english ?? ""), "zh": .string(result.text?.chinese ?? "")]),
                ]
            }
            return .text(
                JSONValue.object(members).text, status: refusal.status, ["Content-Type": "application/problem+json"])
        } catch { return .text("\(error)", status: 500) }
    }

    private var stamp: Stamp {
        get throws {
            let height = try blocks.height()
            return Stamp(height: height, stateRoot: try blocks.header(height)!.state)
        }
    }

    private func json<Value: Sendable>(_ form: Form<Stamped<Value>>, _ value: Value) throws -> Reply {
        .text(form.write(Stamped(value, try stamp)).text)
    }

    private func list<Item: Sendable>(_ form: Form<Item>, _ items: [Item], _ request: ServedRequest) throws -> Reply {
        var parameters: [String: String] = [:]
        for part in request.target.drop(while: { $0 != "?" }).dropFirst().split(separator: "&") {
            let words = part.split(separator: "=").map(String.init)
            parameters[words[0]] = words.count > 1 ? words[1] : ""
        }
        let first = parameters["cursor"].flatMap { Int($0) } ?? 0
        let count = parameters["limit"].flatMap { Int($0) } ?? Page<Item>.countDefault
        let end = min(first + count, items.count)
        let page = Page(Array(items[min(first, end)..<end]), next: end < items.count ? String(end) : nil, try stamp)
        return .text(form.page().write(page).text)
    }

    private func route(_ request: ServedRequest) throws -> Reply {
        let parts = request.path.split(separator: "/").dropFirst().map { unescaped(String($0)) }
        switch (request.method, parts.first ?? "", parts.count) {
        case ("GET", "chain", 1):
            let height = try blocks.height()
            let set = ValidatorSet(consortium.genesis)
            return try json(
                Form.chainHead.stamped("chain"),
                ChainHead(
                    chain: consortium.genesis.chain, genesis: genesis, validator: OrganisationID(1), rulesVersion: 1,
                    time: try blocks.header(height)!.time, executed: height, certified: height,
                    validators: UInt32(set.count), quorum: UInt32(set.quorum)))
        case ("GET", "genesis", 1): return bytes(consortium.genesis)
        case ("GET", "blocks", 3):
            guard let height = UInt64(parts[1]) else { throw Refusal(status: 400, code: "malformed") }
            if parts[2] == "header" { return bytes(try found(try blocks.header(height))) }
            return bytes(try found(try blocks.certificate(above: height - 1)))
        case ("GET", "events", 1): return follow(request)
        case ("POST", "challenges", 1):
            let claimant = try Form.claimant.parse(try JSONValue(parsing: request.body))
            let challenge = randomBytes(32)
            challenges.withLock { $0[challenge] = claimant }
            let answer = WithBytes(Challenge(bytes: challenge, expiresAt: wallClockMilliseconds() + 60_000), [0])
            return .text(Form.challenge.write(answer).text, status: 201)
        case ("POST", "tokens", 1):
            let asked = try Form.tokenRequest.parse(try JSONValue(parsing: request.body))
            let message = Challenge.signedBytes(genesis: genesis, challenge: asked.challenge)
            guard challenges.withLock({ $0.removeValue(forKey: asked.challenge) }) == asked.claimant,
                try speaks(asked.claimant), asked.claimant.key.verifies(asked.signature, of: message)
            else { throw Refusal(status: 401, code: "challenge-refused") }
            let text = base64URL(randomBytes(24))
            tokens.withLock { $0[text] = asked.claimant.principal }
            return .text(
                Form.token.write(Token(text: text, expiresAt: wallClockMilliseconds() + 600_000)).text, status: 201)
        case ("POST", "transactions", 1): return try submit(request)
        case ("GET", "transactions", 2...3):
            let id = try found(Digest(hex: parts[1]))
            if parts.count == 3 {
                _ = try reader(request)
                return bytes(try found(try blocks.receiptProof(id, genesis: genesis)))
            }
            let principal = try? reader(request)
            let view = try found(try transactions { $0.id == id }.first)
            let isParty = view.whole!.transaction.signers.contains { signer in
                switch (signer.party, principal) {
                case (.account(let a), .account(let b)?): a == b
                case (.organisation(let a), .organisation(let b)?): a == b
                default: false
                }
            }
            return try json(Form.transactionView.stamped("transaction"), isParty ? view : view.withoutContent)
        case ("GET", "units", 2):
            _ = try reader(request)
            let code = try found(UnitCode(parts[1]))
            let unit = try found(try blocks.unit(code))
            let program = Program(
                unit: code, decimals: unit.decimals, currency: unit.currency, faceMinor: 1, facePoints: 1)
            return try json(Form.unitView.stamped("unit"), UnitView(unit, program, withTotals: false))
        case ("GET", "accruals", 6):
            let unit = try found(try blocks.unit(try found(UnitCode(parts[1]))))
            guard case .organisation(unit.issuer) = try reader(request) else {
                throw Refusal(status: 403, code: "forbidden")
            }
            let key = try Form.naturalKey.parse([
                "source": .string(parts[2]), "order": .string(parts[3]), "line": JSONValue(Int(parts[4]) ?? -1),
                "kind": JSONValue(Int(parts[5]) ?? -1),
            ])
            let line = try found(try blocks.accepted(key, issuer: unit.issuer))
            return try json(
                Form.accrualView.stamped("accrual"), AccrualView(line: line, vested: 0, voided: 0, clawedBack: 0))
        case ("GET", "accounts", 2...5): return try account(request, parts)
        default: throw Refusal(status: 404, code: "not-found")
        }
    }

    private func account(_ request: ServedRequest, _ parts: [String]) throws -> Reply {
        let id = try AccountID(text: parts[1])
        let account = try found(try blocks.account(id))
        let principal = try reader(request)
        guard principal == .account(id) || principal == .organisation(account.opener) else {
            throw Refusal(status: 403, code: "forbidden")
        }
        if parts.count == 2 {
            return try json(Form.accountView.stamped("account"), AccountView(id: id, account: account))
        }
        if parts[2] == "transactions" {
            return try list(Form.transactionView, try transactions { $0.body.concerns(id) }, request)
        }
        if parts.count == 3 {
            return try list(Form.balance, try blocks.holdings(id).map { BalanceView($0.unit, $0.holding) }, request)
        }
        let unit = try found(UnitCode(parts[3]))
        let holding = try blocks.holding(id, unit)
        if parts.count == 4 { return try json(Form.balance.stamped("balance"), BalanceView(unit, holding)) }
        if parts[4] == "lots" { return try list(Form.lot, holding?.lots ?? [], request) }
        guard case .proof(let proof) = consortium.first.prove(id, unit) else {
            throw Refusal(status: 503, code: "halted")
        }
        return bytes(proof)
    }

    private func submit(_ request: ServedRequest) throws -> Reply {
        let transaction = try Transaction(envelope: request.body)
        // A repeat gets the first receipt.
        if try blocks.place(transaction.id) == nil {
            switch consortium.first.submit(transaction) {
            case .refused(.signatureInvalid): throw Refusal(status: 401, code: "signature-invalid")
            case .refused(.expired): throw Refusal(status: 409, code: "expired", result: .expired)
            case .refused: throw Refusal(status: 503, code: "busy")
            case .receipt(let receipt, _) where receipt.result.isRefusal:
                throw Refusal(status: 409, code: receipt.result.name, result: receipt.result)
            case .receipt, .proof: break
            }
        }
        let view = try found(try transactions { $0.id == transaction.id }.first)
        if let result = view.result, result.isRefusal { throw Refusal(status: 409, code: result.name, result: result) }
        let answer = SubmissionAnswer(
            transaction: view.withoutContent, receipt: view.whole?.receipt,
            stamp: Stamp(height: view.place!.height, stateRoot: try blocks.header(view.place!.height)!.state))
        return .text(Form.submission.write(answer).text)
    }

    /// All certified transactions, newest first.
    private func transactions(_ isWanted: (Transaction) -> Bool) throws -> [TransactionView] {
        var views: [TransactionView] = []
        var height = try blocks.height()
        while height > 0 {
            views += try transactions(at: height, isWanted).reversed()
            height -= 1
        }
        return views
    }

    private func transactions(at height: UInt64, _ isWanted: (Transaction) -> Bool) throws -> [TransactionView] {
        guard let raw = try blocks.block(height), let previous = try blocks.header(height - 1),
            let header = try blocks.header(height), let receipts = try blocks.receipts(height),
            let entry = try? Entry(
                raw: raw, position: height, previous: previous.entry, genesis: genesis,
                set: ValidatorSet(consortium.genesis))
        else { return [] }
        return zip(entry.transactions, receipts).enumerated().compactMap { index, pair in
            guard isWanted(pair.0) else { return nil }
            return TransactionView(
                id: pair.0.id, state: .certified, kinds: pair.0.body.operations.map(\.kind), result: pair.1.result,
                place: Place(height: height, index: UInt32(index)), time: header.time,
                whole: .init(transaction: TransactionText(pair.0), receipt: pair.1))
        }
    }

    private func follow(_ request: ServedRequest) -> Reply {
        let first = request.headers["last-event-id"].flatMap { UInt64($0) }.map { $0 + 1 }
        return .script { [self] peer in
            peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\n")
            var next = first ?? ((try? blocks.height()) ?? 0) + 1
            while true {
                guard let height = try? blocks.height() else { return }
                while next <= height, let header = try? blocks.header(next) {
                    let summaries = ((try? transactions(at: next) { _ in true }) ?? []).map {
                        TransactionSummary(id: $0.id, index: $0.place!.index, kinds: $0.kinds, result: $0.result!)
                    }
                    let block = Form.blockSummary.write(BlockSummary(header: header, transactions: summaries)).text
                    guard peer.send("id: \(next)\nevent: block\ndata: \(block)\n\n") else { return }
                    next += 1
                }
                guard peer.send(":\n\n") else { return }
                _ = Waiter<Int>().wait(within: 10)
            }
        }
    }

    private func reader(_ request: ServedRequest) throws -> Principal {
        let text = request.headers["authorization"] ?? ""
        guard text.hasPrefix("Bearer "), let principal = tokens.withLock({ $0[String(text.dropFirst(7))] }) else {
            throw Refusal(status: 401, code: "token-invalid")
        }
        return principal
    }

    /// Whether a key speaks for whom it claims.
    private func speaks(_ claimant: Claimant) throws -> Bool {
        switch claimant.principal {
        case .account(let id): try blocks.account(id)?.isValid(claimant.key, at: try blocks.height()) ?? false
        case .organisation(let id):
            consortium.genesis.organisations.contains { $0.id == id && $0.issuingKey == claimant.key }
        case .validator, .observer: false
        }
    }

    private func bytes(_ value: some Canonical) -> Reply { .bytes(200, headers: [:], value.canonicalBytes) }

    private func found<Value>(_ value: Value?) throws -> Value {
        guard let value else { throw Refusal(status: 404, code: "not-found") }
        return value
    }

    private func unescaped(_ text: String) -> String {
        var out: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%"), let raw = unhex(String(decoding: rest.prefix(2), as: UTF8.self)) else {
                out.append(byte)
                continue
            }
            out += raw
            rest = rest.dropFirst(2)
        }
        return String(decoding: out, as: UTF8.self)
    }
}

extension TransactionView {
    /// What everybody may see of it.
    fileprivate var withoutContent: TransactionView {
        TransactionView(id: id, state: state, kinds: kinds, result: result, place: place, time: time)
    }
}

extension TransactionBody {
    /// Whether it names the account, as far as tests need it.
    fileprivate func concerns(_ account: AccountID) -> Bool {
        signers.contains { $0.party == .account(account) }
            || operations.contains { operation in
                switch operation {
                case .open(let list): list.lines.contains { $0.account == account }
                case .accrue(let list): list.lines.contains { $0.account == account }
                case .transfer(let from, let to, _, _): from == account || to == account
                default: false
                }
            }
    }
}
