public import SQLite

/// Who is which account, in a small database beside the node and never on the chain.
///
/// An account's id is random, so nothing on the chain can be traced to a person without this file; deleting a row here
/// is what makes a person unknown. A row is on the disk before the call that made it returns, so an account is never
/// opened on the chain for a person that a crash then forgets.
///
/// A person is a key of one source, as the source writes it, compared byte by byte. Used from one thread.
public final class People {
    /// The length of an account id.
    public static let accountBytes = 16
    /// The most persons of one call.
    public static let personsMax = 100_000
    /// The longest key of a person.
    public static let personBytesMax = 200
    /// The longest name of a source.
    public static let sourceBytesMax = 16

    /// What a database of this kind says of itself: `LFpe`, schema 1.
    public static let identity = Database.Identity(application: 0x4C46_7065, version: 1)

    public struct Assignment: Equatable, Sendable {
        public let person: String
        /// ``People/accountBytes`` random bytes.
        public let account: [UInt8]
        /// The row was made by this call.
        public let isNew: Bool
        /// The account is known to stand on the chain. While it is not, opening it has to be tried again, since an
        /// import may have been stopped between the row and the chain.
        public let isOpened: Bool
    }

    private let database: Database

    /// Opens the database, and creates it where there is none. Its file can be read by its owner only.
    /// - Throws: ``SQLite/SQLiteError`` when it cannot be opened or is not a database of this kind and format.
    public convenience init(path: String) throws(SQLiteError) {
        do throws(SQLiteError) {
            try self.init(Database(path: path, identity: Self.identity))
        } catch {
            guard error.code == .notFound else { throw error }
            try Database.create(path: path, identity: Self.identity, schema: schema)
            try self.init(Database(path: path, identity: Self.identity))
        }
    }

    /// Opens the database for reading, which changes nothing.
    /// - Returns: nil where there is none.
    public static func reading(path: String) throws(SQLiteError) -> People? {
        do throws(SQLiteError) {
            return try People(Database(path: path, identity: identity, access: .read))
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    /// Writes all that is known now into another file, while it is used on.
    /// - Parameter path: of a file that must not be there yet.
    public func copy(to path: String) throws(SQLiteError) { try database.copy(to: path) }

    private init(_ database: Database) throws(SQLiteError) {
        self.database = database
    }

    /// The accounts of these persons, in their order; who has none gets one. All in one synced transaction.
    ///
    /// Calling it again gives the same accounts. A person who stands twice in `persons` gets one account, and
    /// `isNew` the first time only.
    /// - Throws: ``SQLite/SQLiteError``; no row is made then.
    public func accounts(for persons: [String], source: String) throws(SQLiteError) -> [Assignment] {
        var random = SystemRandomNumberGenerator()
        return try accounts(for: persons, source: source, using: &random)
    }

    /// As ``accounts(for:source:)``, with the randomness passed in.
    public func accounts<Generator: RandomNumberGenerator>(
        for persons: [String], source: String, using random: inout Generator
    ) throws(SQLiteError) -> [Assignment] {
        try check(persons, source)
        let find = try database.prepare(findSQL)
        let insert = try database.prepare("INSERT INTO person(source, person, account, opened) VALUES(?1, ?2, ?3, 0)")
        try find.bind(1, source)
        try insert.bind(1, source)
        // Made before the transaction: its closure cannot hold `random`.
        var fresh: [[UInt8]] = []
        fresh.reserveCapacity(persons.count)
        for _ in persons {
            fresh.append((0..<Self.accountBytes).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
        return try database.transaction { () throws(SQLiteError) in
            var assignments: [Assignment] = []
            assignments.reserveCapacity(persons.count)
            for (person, account) in zip(persons, fresh) {
                if let known = try Self.find(person, find) {
                    assignments.append(known)
                    continue
                }
                try insert.bind(2, person)
                try insert.bind(3, account)
                try insert.run()
                assignments.append(Assignment(person: person, account: account, isNew: true, isOpened: false))
            }
            return assignments
        }
    }

    /// The accounts these persons have already, in their order; nil for who has none. Changes nothing.
    public func existing(for persons: [String], source: String) throws(SQLiteError) -> [Assignment?] {
        try check(persons, source)
        let find = try database.prepare(findSQL)
        try find.bind(1, source)
        var found: [Assignment?] = []
        for person in persons { found.append(try Self.find(person, find)) }
        return found
    }

    /// Records that these accounts stand on the chain, in one synced transaction. Accounts that are not here are
    /// ignored.
    public func markOpened(_ accounts: [[UInt8]]) throws(SQLiteError) {
        let update = try database.prepare("UPDATE person SET opened = 1 WHERE account = ?1")
        try database.transaction { () throws(SQLiteError) in
            for account in accounts {
                try update.bind(1, account)
                try update.run()
            }
        }
    }

    /// How many persons there are, of all sources.
    public func count() throws(SQLiteError) -> Int { Int(try database.integer("SELECT count(*) FROM person")) }

    /// Reads the whole database and compares it with itself.
    /// - Throws: ``SQLite/SQLiteError`` `.corrupt` where it is damaged.
    public func verify() throws(SQLiteError) { try database.verify() }

    /// Ends the use of the database; later calls throw.
    public func close() { database.close() }

    private static func find(_ person: String, _ statement: Statement) throws(SQLiteError) -> Assignment? {
        try statement.bind(2, person)
        guard try statement.step() else { return nil }
        defer { statement.reset() }
        return Assignment(
            person: person, account: statement.bytes(0), isNew: false, isOpened: statement.integer(1) != 0)
    }

    private func check(_ persons: [String], _ source: String) throws(SQLiteError) {
        func refuse(_ reason: String) -> SQLiteError { SQLiteError(.constraint, reason, place: database.path) }
        guard (1...Self.sourceBytesMax).contains(source.utf8.count),
            source.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw refuse("the name of a source has 1 to \(Self.sourceBytesMax) ASCII characters") }
        guard persons.count <= Self.personsMax else {
            throw refuse("\(persons.count) persons at once; at most \(Self.personsMax) are allowed")
        }
        guard persons.allSatisfy({ (1...Self.personBytesMax).contains($0.utf8.count) }) else {
            throw refuse("the key of a person has 1 to \(Self.personBytesMax) bytes")
        }
    }
}

private let findSQL: StaticString = "SELECT account, opened FROM person WHERE source = ?1 AND person = ?2"

/// The default collation compares bytes, which is what keys need. The version stands in the file's header and once
/// more as a row, for whoever looks at the file with other tools.
private let schema: StaticString = """
    BEGIN;
    CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO meta(name, value) VALUES('schema', 1);
    CREATE TABLE person(
        source TEXT NOT NULL,
        person TEXT NOT NULL,
        account BLOB NOT NULL UNIQUE CHECK(length(account) = 16),
        opened INTEGER NOT NULL CHECK(opened IN (0, 1)),
        PRIMARY KEY(source, person)
    ) STRICT, WITHOUT ROWID;
    COMMIT;
    """
