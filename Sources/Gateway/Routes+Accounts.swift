import Chain
import Concurrency
import Crypto
import HTTPServer
import JSON
import Ledger
import Node
import Storage
import Wire

/// What the holder of a token may read: an account what is its own, an organisation what it opened and issues.
extension Gateway {
    private static let account = Route.Parameter.path("account", .account, "An account's id.")
    private static let unit = Route.Parameter.path("unit", .unit, "A unit's code.")

    static let accountRoutes: [Route] = [
        Route(
            .get, "/v1/accounts/{account}", "getAccount", "accounts",
            "An account: who opened it, which keys speak for it, whether it is frozen. For itself and its opener.",
            access: .token, parameters: [account], answers: [.ok(Form<AccountView>.accountView.stamped("account"))],
            problems: [403, 404, 503]
        ) { call in
            let id = try call.path("account", .account)
            let row = try call.chain.readFresh { (tables) throws(StorageError) in try tables.account(id) }
            switch call.principal {
            case .account(id), .validator, .observer: break
            // Whether an account that is not his to see exists, nobody learns.
            case .organisation(let organisation) where row.value?.opener == organisation: break
            default: throw Problem(.notYours)
            }
            guard let account = row.value else { throw Problem(.accountNotFound, field: "account") }
            call.answer(
                Form.accountView.stamped("account"), Stamped(AccountView(id: id, account: account), row.stamp))
        },
        Route(
            .get, "/v1/accounts/{account}/balances", "listBalances", "accounts",
            "What an account holds, unit by unit. For itself; an issuer sees its own units.", access: .token,
            parameters: [account, .query("cursor", .unit, "As an earlier page gave it."), .limit],
            answers: [.ok(Form<BalanceView>.balance.page())], problems: [403, 503]
        ) { call in
            let id = try call.path("account", .account)
            let after: UnitCode? = try call.query("cursor", .unit)
            let limit = try call.limit()
            try call.checkMayCount(id)
            let page = try call.chain.readFresh { (tables) throws(StorageError) -> [BalanceView] in
                var items: [BalanceView] = []
                for (unit, holding) in try tables.holdings(id) where after.map({ $0 < unit }) ?? true {
                    if case .organisation(let issuer) = call.principal, try tables.unit(unit)?.issuer != issuer {
                        continue
                    }
                    items.append(BalanceView(unit, holding))
                    if items.count > limit { break }
                }
                return items
            }
            call.answer(
                Form.balance.page(), Page(page.value, limit: limit, cursor: { $0.unit.description }, page.stamp))
        },
        Route(
            .get, "/v1/accounts/{account}/balances/{unit}", "getBalance", "accounts",
            "What an account holds of a unit; zeros where it holds none. For itself and the unit's issuer.",
            access: .token, parameters: [account, unit],
            answers: [.ok(Form<BalanceView>.balance.stamped("balance"))], problems: [403, 404, 503]
        ) { call in
            let (id, unit) = try call.countable()
            let row = try call.chain.readFresh { (tables) throws(StorageError) in try tables.holding(id, unit) }
            call.answer(Form.balance.stamped("balance"), Stamped(BalanceView(unit, row.value), row.stamp))
        },
        Route(
            .get, "/v1/accounts/{account}/balances/{unit}/lots", "listLots", "accounts",
            "The same by terms, in the order in which they are spent.", access: .token,
            parameters: [
                account, unit, .query("cursor", Form<UInt32>.lotIndex, "As an earlier page gave it."), .limit,
            ],
            answers: [.ok(Form<Lot>.lot.page())], problems: [403, 404, 503]
        ) { call in
            let (id, unit) = try call.countable()
            let from = Int(try call.number("cursor", in: 0...UInt32(Holding.lotsMax), else: 0))
            let limit = try call.limit()
            let row = try call.chain.readFresh { (tables) throws(StorageError) in
                try tables.holding(id, unit)?.lots ?? []
            }
            let items = Array(row.value.dropFirst(from).prefix(limit))
            let next = from + items.count < row.value.count ? String(from + items.count) : nil
            call.answer(Form.lot.page(), Page(items, next: next, row.stamp))
        },
        Route(
            .get, "/v1/accounts/{account}/balances/{unit}/proof", "proveBalance", "accounts",
            "Proves a balance to anybody who trusts the genesis. For itself and the unit's issuer.", access: .token,
            parameters: [account, unit],
            answers: [.okOrBytes(Form<[UInt8]>.hexadecimal(1...Proof.bytesMax).stamped("proof"))],
            problems: [403, 404, 503]
        ) { call in
            let (id, unit) = try call.countable()
            call.chain.node.prove(id, unit) { answer in
                guard case .proof(let proof) = answer else {
                    return call.send(Problem(call.chain.node.status.halted == nil ? .notReady : .nodeHalted).response)
                }
                let header = proof.headers[0]
                call.answer(proof: proof, Stamp(height: header.height, stateRoot: header.state))
            }
        },
        Route(
            .get, "/v1/accounts/{account}/transactions", "listTransactions", "accounts",
            "What concerned an account, newest first: all of what it signed, of the rest what names it. A page may be "
                + "short or empty and still have a next one.", access: .token,
            parameters: [
                account, .query("cursor", .placeText, "As an earlier page gave it."), .limit,
            ], answers: [.ok(Form<TransactionView>.transactionView.page())], problems: [403, 404, 503]
        ) { call in
            let id = try call.path("account", .account)
            guard call.principal == .account(id) || call.seesBlocks else { throw Problem(.notYours) }
            let cursor: Place? = try call.query("cursor", .placeText)
            let limit = try call.limit()
            let page = try call.chain.readBlocks { (head, _) throws(StorageError) in
                try call.history(of: .account(id), before: cursor, limit: limit, head)
            }
            call.answer(
                Form.transactionView.page(),
                Page(page.value.items, next: page.value.next.map { "\($0.height)-\($0.index)" }, page.stamp))
        },
        Route(
            .get, "/v1/accounts/{account}/events", "streamAccount", "accounts",
            "What concerns an account, as it is certified. With Last-Event-ID, what came after that height.",
            access: .token, parameters: [account],
            answers: [
                .events(
                    "transaction", Form<TransactionView>.transactionView,
                    "Events named transaction, their id the height.")
            ], problems: [403, 404]
        ) { call in
            let id = try call.path("account", .account)
            guard call.principal == .account(id) else { throw Problem(.notYours) }
            try call.streamTransactions()
        },
        Route(
            .get, "/v1/organisations/{organisation}/events", "streamOrganisation", "organisations",
            "What concerns an organisation, as it is certified. With Last-Event-ID, what came after that height.",
            access: .token,
            parameters: [.path("organisation", Form<UInt32>.organisationNumber, "An organisation's number.")],
            answers: [
                .events(
                    "transaction", Form<TransactionView>.transactionView,
                    "Events named transaction, their id the height.")
            ], problems: [403, 404]
        ) { call in
            let number = try call.number("organisation", in: 0...UInt32.max, else: 0)
            guard call.principal == .organisation(OrganisationID(number)) else { throw Problem(.notYours) }
            try call.streamTransactions()
        },
        Route(
            .get, "/v1/units", "listUnits", "units",
            "All kinds of points with their newest terms; for an issuer, its own with their totals.", access: .token,
            parameters: [.query("cursor", .unit, "As an earlier page gave it."), .limit],
            answers: [.ok(Form<UnitView>.unitView.page())], problems: [503]
        ) { call in
            let after: UnitCode? = try call.query("cursor", .unit)
            let limit = try call.limit()
            let page = try call.chain.readFresh { (tables) throws(StorageError) -> [UnitView] in
                var items: [UnitView] = []
                for unit in try tables.units(after: after, max: limit + 1) {
                    guard let program = try tables.program(unit.code, version: unit.version) else { continue }
                    items.append(UnitView(unit, program, withTotals: call.isIssuer(unit)))
                }
                return items
            }
            call.answer(
                Form.unitView.page(),
                Page(page.value, limit: limit, cursor: { $0.program.unit.description }, page.stamp))
        },
        Route(
            .get, "/v1/units/{unit}", "getUnit", "units",
            "A kind of points with its newest terms; for its issuer with its totals.", access: .token,
            parameters: [unit], answers: [.ok(Form<UnitView>.unitView.stamped("unit"))], problems: [404, 503]
        ) { call in
            let code = try call.path("unit", .unit)
            let row = try call.chain.readFresh { (tables) throws(StorageError) -> UnitView? in
                guard let unit = try tables.unit(code),
                    let program = try tables.program(code, version: unit.version)
                else { return nil }
                return UnitView(unit, program, withTotals: call.isIssuer(unit))
            }
            guard let unit = row.value else { throw Problem(.unitNotFound, field: "unit") }
            call.answer(Form.unitView.stamped("unit"), Stamped(unit, row.stamp))
        },
        Route(
            .get, "/v1/accruals/{unit}/{source}/{order}/{line}/{kind}", "getAccrual", "operations",
            "What was credited under a natural key, and what became of it. For its issuer and who earned it.",
            access: .token,
            parameters: [
                unit, .path("source", .source, "Whoever numbers the orders."),
                .path("order", .order, "The order's number."),
                .path("line", Form<UInt32>.organisationNumber, "The order's line."),
                .path("kind", Form<UInt8>.kindNumber, "0: purchase."),
            ], answers: [.ok(Form<AccrualView>.accrualView.stamped("accrual"))], problems: [403, 404, 503]
        ) { call in
            let code = try call.path("unit", .unit)
            let key = NaturalKey(
                source: try call.path("source", .source), order: try call.path("order", .order),
                line: try call.number("line", in: 0...UInt32.max, else: 0),
                kind: UInt8(try call.number("kind", in: 0...255, else: 0)))
            let row = try call.chain.readFresh {
                (tables) throws(StorageError) -> (issuer: OrganisationID, view: AccrualView?)? in
                guard let unit = try tables.unit(code) else { return nil }
                guard let line = try tables.accepted(key, issuer: unit.issuer) else { return (unit.issuer, nil) }
                let totals = try tables.totals(key, issuer: unit.issuer)
                let clawback = try tables.clawback(key, issuer: unit.issuer)
                return (
                    unit.issuer,
                    AccrualView(
                        line: line, vested: totals?.vested ?? (line.pending ? 0 : line.amount),
                        voided: totals?.voided ?? 0, clawedBack: clawback?.total ?? 0)
                )
            }
            guard let found = row.value else { throw Problem(.unitNotFound, field: "unit") }
            switch call.principal {
            case .organisation(found.issuer), .validator, .observer: break
            case .account(let id) where found.view?.line.account == id: break
            default: throw Problem(.notYours)
            }
            guard let view = found.view else { throw Problem(.accrualNotFound, field: "order") }
            call.answer(Form.accrualView.stamped("accrual"), Stamped(view, row.stamp))
        },
        Route(
            .get, "/v1/reservations/{hold}", "getReservation", "operations",
            "A reservation that stands. For its holder and the organisation it is for.", access: .token,
            parameters: [.path("hold", .digest, "A reservation's id.")],
            answers: [.ok(Form<Hold>.hold.stamped("reservation"))], problems: [404, 503]
        ) { call in
            let id = try call.path("hold", .digest)
            let row = try call.chain.readFresh { (tables) throws(StorageError) in try tables.hold(id) }
            // To others it is as if it were not there.
            guard let hold = row.value,
                call.principal == .account(hold.account) || call.principal == .organisation(hold.organisation)
                    || call.seesBlocks
            else { throw Problem(.reservationNotFound, field: "hold") }
            call.answer(Form.hold.stamped("reservation"), Stamped(hold, row.stamp))
        },
    ]
}

extension Form where Value == Place {
    /// `HEIGHT-INDEX`, as cursors have it.
    static let placeText = Form(
        Schema(["type": "string", "pattern": "^(?:0|[1-9][0-9]{0,17})-(?:0|[1-9][0-9]{0,8})$"]),
        read: { (json: JSONValue) throws(JSONError) -> Place in
            guard case .string(let text) = json else { throw JSONError("", "is no cursor") }
            let parts = text.split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 2, let height = try? Form<UInt64>.number64.parse(.string(String(parts[0]))),
                let index = try? Form<UInt64>.number64.parse(.string(String(parts[1]))), index < 1_000_000_000
            else { throw JSONError("", "is none that a page gave") }
            return Place(height: height, index: UInt32(index))
        }, write: { .string("\($0.height)-\($0.index)") })
}

extension Form where Value == UInt32 {
    /// A number in a path: any of 32 bits.
    static let organisationNumber = Form(
        Schema(["type": "integer", "minimum": 0, "maximum": JSONValue(UInt32.max)]),
        read: { (_: JSONValue) throws(JSONError) -> UInt32 in throw JSONError("", "is read as a number") },
        write: { .integer(Int128($0)) })

    static let lotIndex = Form(
        Schema(["type": "integer", "minimum": 0, "maximum": JSONValue(Holding.lotsMax)]),
        read: { (_: JSONValue) throws(JSONError) -> UInt32 in throw JSONError("", "is read as a number") },
        write: { .integer(Int128($0)) })
}

extension Form where Value == UInt8 {
    static let kindNumber = Form(
        Schema(["type": "integer", "minimum": 0, "maximum": 255]),
        read: { (_: JSONValue) throws(JSONError) -> UInt8 in throw JSONError("", "is read as a number") },
        write: { .integer(Int128($0)) })
}

extension Call {
    /// Validators and observers may read whole blocks, and so everything.
    var seesBlocks: Bool {
        switch principal {
        case .validator, .observer: true
        default: false
        }
    }

    func isIssuer(_ unit: Unit) -> Bool { principal == .organisation(unit.issuer) || seesBlocks }

    /// Whether the token may ask for an account's amounts at all; for an issuer the units decide.
    func checkMayCount(_ id: AccountID) throws(Problem) {
        switch principal {
        case .account(id), .organisation, .validator, .observer: return
        default: throw Problem(.notYours)
        }
    }

    /// Account and unit of the path, where the token may see what the one holds of the other.
    func countable() throws(Problem) -> (AccountID, UnitCode) {
        let id = try path("account", .account)
        let unit = try path("unit", .unit)
        try checkMayCount(id)
        let row = try chain.readFresh { (tables) throws(StorageError) in try tables.unit(unit) }
        if case .organisation(let issuer) = principal, row.value?.issuer != issuer { throw Problem(.notYours) }
        guard row.value != nil else { throw Problem(.unitNotFound, field: "unit") }
        return (id, unit)
    }

    /// Blocks that one page of a history looks through.
    private static var blocksMax: Int { 512 }
    /// Bytes of transactions that one page shows, but for the last.
    private static var shownBytesMax: Int { 1 << 20 }

    func history(
        of principal: Principal, before cursor: Place?, limit: Int, _ head: UInt64
    ) throws(StorageError) -> (items: [TransactionView], next: Place?) {
        let visibility = Visibility(chain: chain, principal: principal)
        var items: [TransactionView] = []
        var height = min(cursor?.height ?? .max, head)
        var (looked, shown) = (0, 0)
        for _ in 0..<Self.blocksMax where height > 0 {
            guard let block = try chain.blockOfPage(height, after: items.count) else { break }
            var index = block.transactions.count
            // The cursor's own block goes on below the cursor.
            if let cursor, cursor.height == height { index = min(index, Int(cursor.index)) }
            while index > 0 {
                index -= 1
                if let view = try visibility.viewIfConcerned(index, of: block) {
                    items.append(view)
                    shown += block.transactions[index].bytes.count
                }
                if items.count == limit || shown >= Self.shownBytesMax {
                    return (items, Place(height: height, index: UInt32(index)))
                }
            }
            height -= 1
            looked += block.byteCount
            if looked >= Gateway.pageBytesMax { break }
        }
        // All of the block above the next place was looked at.
        return (items, height > 0 ? Place(height: height, index: UInt32(Entry.transactionsMax)) : nil)
    }

    /// Transactions that concern the token's holder, block by block. Only the last event of a block has its height as
    /// the id, and those before it the height before: who loses the line inside a block is told the block again.
    func streamTransactions() throws(Problem) {
        let visibility = Visibility(chain: chain, principal: principal)
        try stream { (block) throws(StorageError) -> [UInt8]? in
            var views: [TransactionView] = []
            for index in block.transactions.indices {
                if let view = try visibility.viewIfConcerned(index, of: block) { views.append(view) }
            }
            guard !views.isEmpty else { return nil }
            let height = block.header.height
            return views.enumerated().flatMap { index, view in
                EventStream.event(
                    "transaction", id: index == views.count - 1 ? height : height - 1,
                    Form<TransactionView>.transactionView.write(view))
            }
        }
    }
}
