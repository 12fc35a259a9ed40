public import Crypto
import JSON
public import Ledger
public import Wire

/// Looking things up. Nothing here is proved; see the proofs for what is.
extension NodeClient {
    /// Items of all pages of one call.
    public static let itemsMax = 100_000
    private static let pagesMax = 10_000

    /// What the node says of a transaction; nil where it knows none. With the identity of a party, what that may see.
    public func transaction(_ id: TransactionID) throws(NodeClientError) -> TransactionView? {
        try asking { (node) throws(NodeClientError) in
            try checkChain(at: node)
            return try transaction(id, at: node)
        }
    }

    func transaction(_ id: TransactionID, at node: Node) throws(NodeClientError) -> TransactionView? {
        do throws(NodeClientError) {
            return try read("/v1/transactions/\(id)", at: node, token: identity != nil)
                .value("transaction", .transactionView)
        } catch {
            guard error.status == 404 else { throw error }
            return nil
        }
    }

    /// A unit with its newest terms; nil where none of this code is published. Needs any identity.
    public func unit(_ code: UnitCode) throws(NodeClientError) -> UnitView? {
        try readIfThere("/v1/units/\(escaped(code.description))", needsToken: true)?.value("unit", .unitView)
    }

    /// The member organisations, those that are suspended or have left too.
    public func organisations() throws(NodeClientError) -> [OrganisationView] {
        try pages("/v1/organisations", .organisationView, max: Self.itemsMax, needsToken: false)
    }

    /// Proposals that are neither carried nor lapsed.
    public func proposals() throws(NodeClientError) -> [ProposalView] {
        try pages("/v1/proposals", .proposalView, max: Self.itemsMax, needsToken: false)
    }

    /// An account, for itself and for who opened it; nil where there is none.
    public func account(_ id: AccountID) throws(NodeClientError) -> Stamped<AccountView>? {
        try readIfThere("/v1/accounts/\(id)", needsToken: true)?.value(Form.accountView.stamped("account"))
    }

    /// What an account has, unit by unit: all of it for the account, an issuer's own units for the issuer.
    public func balances(of account: AccountID) throws(NodeClientError) -> [BalanceView] {
        try pages("/v1/accounts/\(account)/balances", .balance, max: Self.itemsMax)
    }

    /// What an account has of one unit; zeros where it has nothing.
    public func balance(of account: AccountID, unit: UnitCode) throws(NodeClientError) -> Stamped<BalanceView> {
        try read("/v1/accounts/\(account)/balances/\(escaped(unit.description))", needsToken: true)
            .value(Form.balance.stamped("balance"))
    }

    /// The lots of a holding, in the order in which they are spent.
    public func lots(of account: AccountID, unit: UnitCode) throws(NodeClientError) -> [Lot] {
        try pages(
            "/v1/accounts/\(account)/balances/\(escaped(unit.description))/lots", .lot, max: Holding.lotsMax)
    }

    /// The newest transactions that concern an account, newest first, at most `max`.
    public func transactions(of account: AccountID, max: Int) throws(NodeClientError) -> [TransactionView] {
        try pages("/v1/accounts/\(account)/transactions", .transactionView, max: max)
    }

    /// Whether an order line was credited already, under its natural key within the unit's issuer. Needs the issuer.
    public func isAccrued(_ key: NaturalKey, unit: UnitCode) throws(NodeClientError) -> Bool {
        // A path has the same text as JSON has.
        guard case .object(let members) = Form.naturalKey.write(key) else { preconditionFailure("a key is an object") }
        func part(_ name: String) -> String {
            guard case .string(let text)? = members.first(where: { $0.name == name })?.value else { return "" }
            return escaped(text)
        }
        let path =
            "/v1/accruals/\(escaped(unit.description))/\(part("source"))/\(part("order"))/\(key.line)/\(key.kind)"
        return try readIfThere(path, needsToken: true) != nil
    }

    /// Reads page after page.
    private func pages<Item: Sendable>(
        _ path: String, _ form: Form<Item>, max: Int, needsToken: Bool = true
    ) throws(NodeClientError) -> [Item] {
        let paged = form.page()
        var items: [Item] = []
        var cursor: String?
        var pagesRead = 0
        while true {
            let limit = min(Page<Item>.countMax, max - items.count)
            let rest = cursor.map { "&cursor=\(escaped($0))" } ?? ""
            let page = try read("\(path)?limit=\(limit)\(rest)", needsToken: needsToken).value(paged)
            items += page.items.prefix(limit)
            // A page may be empty and still have a next one; a node that never comes to an end is left.
            pagesRead += 1
            guard let next = page.next, next != cursor, items.count < max, pagesRead < Self.pagesMax else {
                return items
            }
            cursor = next
        }
    }
}
