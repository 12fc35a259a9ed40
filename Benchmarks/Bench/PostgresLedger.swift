import Glibc

/// A plain ledger of double entries in PostgreSQL, as somebody writes it who knows that database and wants it fast.
///
/// It leaves out what it could do without: foreign keys, an index of postings by account, the source of an order. It
/// checks no signatures, and nobody but its administrator can check what it says.
struct PostgresLedger {
    let server: PostgresServer
    let accounts: Int

    /// What each account begins with.
    static let opening = BenchChain.opening

    /// Numbers of accounts are from 1 on; the issuer is 0, and what it gives it owes.
    init(_ server: PostgresServer, accounts: Int = BenchChain.holders) throws(BenchError) {
        self.server = server
        self.accounts = accounts
        try server.query(Self.schema)
        try server.query(
            """
            INSERT INTO account VALUES (0, 1::bigint << 62);
            INSERT INTO account SELECT id, \(Self.opening) FROM generate_series(1, \(accounts)) id
            """)
        try server.query("VACUUM ANALYZE")
    }

    /// An order's line has the same key for ever and counts once. The room on the pages of accounts lets balances
    /// change without touching the index.
    private static let schema = """
        CREATE TABLE account (
            id integer PRIMARY KEY,
            balance bigint NOT NULL CHECK (balance >= 0)
        ) WITH (fillfactor = 20);

        CREATE TABLE transaction (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            key text NOT NULL UNIQUE,
            made_at timestamptz NOT NULL DEFAULT now()
        );

        CREATE TABLE posting (
            transaction bigint NOT NULL,
            account integer NOT NULL,
            amount bigint NOT NULL,
            order_number text,
            order_line integer
        );
        CREATE UNIQUE INDEX posting_natural_key ON posting (order_number, order_line) WHERE order_number IS NOT NULL;

        \(transfer)

        \(accrue)
        """

    /// True where it was done now, false where it had been done before. Balances change in the order of their accounts,
    /// so no two transfers wait for each other.
    private static let transfer = """
        CREATE FUNCTION transfer(key text, sender integer, receiver integer, amount bigint) RETURNS boolean
        LANGUAGE plpgsql AS $$
        #variable_conflict use_variable
        DECLARE
            made bigint;
        BEGIN
            INSERT INTO transaction (key) VALUES (key) ON CONFLICT DO NOTHING RETURNING id INTO made;
            IF made IS NULL THEN
                RETURN false;
            END IF;
            INSERT INTO posting (transaction, account, amount)
            VALUES (made, sender, -amount), (made, receiver, amount);
            IF sender < receiver THEN
                UPDATE account SET balance = balance - amount WHERE id = sender;
                UPDATE account SET balance = balance + amount WHERE id = receiver;
            ELSE
                UPDATE account SET balance = balance + amount WHERE id = receiver;
                UPDATE account SET balance = balance - amount WHERE id = sender;
            END IF;
            RETURN true;
        END $$;
        """

    /// How many lines of an order were done now; those that had been done before are left out. Two batches may write
    /// their postings at the same time; balances they change one after the other, and nobody waits in a circle.
    private static let accrue = """
        CREATE FUNCTION accrue(number text, accounts integer[], amounts bigint[]) RETURNS bigint
        LANGUAGE plpgsql AS $$
        #variable_conflict use_variable
        DECLARE
            made bigint;
            done bigint;
            total bigint;
        BEGIN
            INSERT INTO transaction (key) VALUES (number) ON CONFLICT DO NOTHING RETURNING id INTO made;
            IF made IS NULL THEN
                RETURN 0;
            END IF;
            WITH posted AS (
                INSERT INTO posting
                SELECT made, account, amount, number, line
                FROM unnest(accounts, amounts) WITH ORDINALITY AS given (account, amount, line)
                ON CONFLICT (order_number, order_line) WHERE order_number IS NOT NULL DO NOTHING
                RETURNING account, amount
            ), change AS (
                SELECT account, sum(amount)::bigint AS amount, count(*) AS lines FROM posted GROUP BY account
            )
            SELECT array_agg(account), array_agg(amount), coalesce(sum(lines), 0), coalesce(sum(amount), 0)
            FROM change INTO accounts, amounts, done, total;
            LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE;
            UPDATE account SET balance = balance + amount
            FROM unnest(accounts, amounts) AS change (account, amount) WHERE id = account;
            INSERT INTO posting (transaction, account, amount) VALUES (made, 0, -total);
            UPDATE account SET balance = balance - total WHERE id = 0;
            RETURN done;
        END $$;
        """

    // MARK: Load

    /// Scripts of pgbench, with the values that they take.
    struct Load {
        /// What one transaction does: transfers, or lines.
        let each: Int
        fileprivate let arguments: [String]
    }

    /// Transfers of one point between two accounts, both drawn uniformly, each under a key of its own.
    func transfers() throws(BenchError) -> Load {
        let script = """
            \\set key random(1, \(Int64.max))
            \\set sender random(1, \(accounts))
            \\set receiver 1 + (:sender + random(0, \(accounts - 2))) % \(accounts)
            SELECT transfer(:key, :sender, :receiver, 1);
            """
        return Load(each: 1, arguments: ["-f", try write(script, to: "transfer.sql")])
    }

    /// Batches of lines over accounts that are drawn uniformly, each an order of its own. The lines come from the
    /// client, as ours do; there are so many sets of them.
    func accruals(lines: Int, sets: Int = 8) throws(BenchError) -> Load {
        var numbers = Numbers(seed: 0xACC)
        var arguments: [String] = []
        for set in 0..<sets {
            func list(_ range: ClosedRange<Int>) -> String {
                "{\((0..<lines).map { _ in "\(Int.random(in: range, using: &numbers))" }.joined(separator: ","))}"
            }
            let script = """
                \\set number random(1, \(Int64.max))
                SELECT accrue(:number, :accounts\(set), :amounts\(set));
                """
            arguments += ["-f", try write(script, to: "accrue-\(set).sql")]
            arguments += ["-D", "accounts\(set)=\(list(1...accounts))", "-D", "amounts\(set)=\(list(1...1000))"]
        }
        return Load(each: lines, arguments: arguments)
    }

    private func write(_ text: String, to name: String) throws(BenchError) -> String {
        let path = "\(server.path)/\(name)"
        guard let file = fopen(path, "w"), fputs("\(text)\n", file) >= 0, fclose(file) == 0,
            chmod(path, 0o644) == 0
        else {
            throw BenchError("directory", "cannot write \(path): \(String(cString: strerror(errno)))")
        }
        return path
    }

    /// Lets pgbench draw and send, each time with other numbers, since it takes them from the time.
    /// - Parameter bounds: when it ends, and whatever else it is to be told.
    func run(_ load: Load, clients: Int, _ bounds: [String]) throws(BenchError) -> PgbenchReport {
        let threads = min(clients, Self.clientThreadsMax)
        return try server.pgbench(["-c", "\(clients)", "-j", "\(threads)"] + bounds + load.arguments)
    }

    /// pgbench serves many clients with one thread, and one was not always enough.
    private static let clientThreadsMax = 2

    // MARK: What it holds

    /// - Throws: ``BenchError`` where it has not done all that it was given: so many transactions of a load.
    func check(_ load: Load, transactions: Int) throws(BenchError) {
        // Of a transfer there are two postings; of a batch one a line and the issuer's.
        let postings = transactions * (load.each + 1)
        let wanted = "\(transactions)|\(postings)|0|t"
        let found = try server.query(
            """
            SELECT (SELECT count(*) FROM transaction), count(*), coalesce(sum(amount), 0),
                (SELECT sum(balance) FROM account) = (1::bigint << 62) + \(Self.opening) * \(accounts)::numeric
            FROM posting
            """)
        guard found == [wanted] else {
            throw BenchError("load", "PostgreSQL's ledger holds \(found.joined()) where \(wanted) was its load")
        }
    }

    /// Bytes of its tables and indexes, and of the log since the beginning.
    func size() throws(BenchError) -> (tables: Double, log: Double) {
        let words = try server.query(
            "SELECT pg_database_size(current_database()), pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"
        ).joined().split(separator: "|").compactMap { Double($0) }
        guard words.count == 2 else { throw BenchError("postgresql", "PostgreSQL does not say how large it is") }
        return (words[0], words[1])
    }
}
