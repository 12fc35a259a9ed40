import Concurrency
import Crypto
import SQLite

/// Remembers what a POST with an `Idempotency-Key` was answered, so that sending it again does nothing and answers the
/// same: same key and body → the first answer; another body → refused; while the first is being answered → told so.
///
/// Claims and answers are written by one thread, as many together as wait, and a claim is on the disk before what it
/// is for is done. Kept for a day.
final class Idempotency: Sendable {
    enum Verdict: Sendable {
        /// Nobody was here before, or the one who was has left no answer.
        case fresh(Claim)
        case stored(StoredAnswer)
        case inFlight
        case reused
        /// The store cannot be used; nothing may be done under the key.
        case failed
    }

    struct StoredAnswer: Sendable {
        let status: Int
        let type: String
        let body: [UInt8]
        let height: UInt64
        let stateRoot: [UInt8]
    }

    /// Whose key it is, and the key: others' keys of the same text are other keys.
    struct Key: Hashable, Sendable {
        let scope: Digest
        let text: String
    }

    /// One request's hold on a key. Whoever comes after its end has another one, so that a late answer of the first
    /// never stands under the second.
    struct Claim: Hashable, Sendable {
        let key: Key
        fileprivate let number: UInt64
    }

    private enum Job: Sendable {
        case claim(Key, fingerprint: Digest, done: @Sendable (Verdict) -> Void)
        case finish(Claim, StoredAnswer)
        case release(Claim)
        case abandon(Claim)
    }

    static let keyCharactersMax = 255
    static let dayMilliseconds: UInt64 = 86_400_000
    /// Answers that are kept, whatever their age, and claims that may wait for the disk.
    private static let rowsMax: Int64 = 1_000_000
    private static let jobsMax = 16_384
    /// Bytes of an answer that is kept.
    private static let bodyBytesMax = 64 << 10
    private static let identity = Database.Identity(application: 0x6C66_6777, version: 1)

    private let jobs = Mailbox<Job>(countMax: jobsMax)
    private let thread: WorkerThread

    /// - Throws: ``SQLiteError`` where the file cannot be used.
    init(path: String, clock: @escaping @Sendable () -> UInt64) throws(SQLiteError) {
        try Database.create(
            path: path, identity: Self.identity,
            schema: """
                CREATE TABLE answers (
                    scope BLOB NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL, at INTEGER NOT NULL,
                    status INTEGER, type TEXT, body BLOB, height INTEGER, root BLOB,
                    PRIMARY KEY (scope, key)) WITHOUT ROWID;
                CREATE INDEX answers_at ON answers (at);
                """)
        // Opened once here, so that what is wrong with the file is said at the start.
        try Database(path: path, identity: Self.identity).close()
        thread = WorkerThread("idempotency") { [jobs] in
            guard let writer = try? Writer(path: path, identity: Self.identity, clock: clock) else {
                while let batch = jobs.take(within: nil) { Writer.refuse(batch) }
                return
            }
            while let batch = jobs.take(within: nil) { writer.run(batch) }
            writer.close()
        }
    }

    /// `done` is called once, from the store's thread or this one.
    func claim(_ key: Key, fingerprint: Digest, done: @escaping @Sendable (Verdict) -> Void) {
        if !jobs.post(.claim(key, fingerprint: fingerprint, done: done)) { done(.failed) }
    }

    /// The answer, for whoever sends the same again. A large one is not kept: what it tells is found out again.
    func finish(_ claim: Claim, _ answer: StoredAnswer) {
        jobs.insist(answer.body.count <= Self.bodyBytesMax ? .finish(claim, answer) : .release(claim))
    }

    /// There is no answer that will stay true, and something may have happened: the same body may be sent again, and no
    /// other.
    func release(_ claim: Claim) { jobs.insist(.release(claim)) }

    /// Nothing happened: the key is free again.
    func abandon(_ claim: Claim) { jobs.insist(.abandon(claim)) }

    func stop() {
        jobs.close()
        thread.join()
    }

    /// What the thread works with.
    private final class Writer {
        private let database: Database
        private let find: Statement
        private let add: Statement
        private let answer: Statement
        private let remove: Statement
        private let age: Statement
        private let clock: @Sendable () -> UInt64
        /// Being answered by this process.
        private var inFlight: [Key: UInt64] = [:]
        private var claims: UInt64 = 0
        private var sinceTrim = 0

        init(path: String, identity: Database.Identity, clock: @escaping @Sendable () -> UInt64) throws(SQLiteError) {
            database = try Database(path: path, identity: identity)
            find = try database.prepare(
                """
                SELECT fingerprint, status, type, body, height, root FROM answers
                WHERE scope = ?1 AND key = ?2 AND at > ?3
                """)
            add = try database.prepare(
                "INSERT OR REPLACE INTO answers (scope, key, fingerprint, at) VALUES (?1, ?2, ?3, ?4)")
            answer = try database.prepare(
                """
                UPDATE answers SET status = ?3, type = ?4, body = ?5, height = ?6, root = ?7
                WHERE scope = ?1 AND key = ?2
                """)
            remove = try database.prepare("DELETE FROM answers WHERE scope = ?1 AND key = ?2")
            age = try database.prepare(
                "DELETE FROM answers WHERE (scope, key) IN (SELECT scope, key FROM answers WHERE at <= ?1 LIMIT 4096)")
            self.clock = clock
        }

        func close() { database.close() }

        static func refuse(_ batch: [Job]) {
            for case .claim(_, _, let done) in batch { done(.failed) }
        }

        func run(_ batch: [Job]) {
            var verdicts: [(verdict: Verdict, done: @Sendable (Verdict) -> Void)] = []
            let before = inFlight
            do throws(SQLiteError) {
                try database.transaction { () throws(SQLiteError) in
                    for job in batch {
                        switch job {
                        case .claim(let key, let fingerprint, let done):
                            verdicts.append((try claim(key, fingerprint), done))
                        case .finish(let claim, let stored):
                            if end(claim) { try finish(claim.key, stored) }
                        case .release(let claim): _ = end(claim)
                        case .abandon(let claim):
                            if end(claim) { try abandon(claim.key) }
                        }
                    }
                    try trim(batch.count)
                }
            } catch {
                // Nothing of the batch is written. What has been answered meanwhile can be asked for again.
                inFlight = before
                for job in batch {
                    switch job {
                    case .claim: break
                    case .finish(let claim, _), .release(let claim), .abandon(let claim): _ = end(claim)
                    }
                }
                return Self.refuse(batch)
            }
            for (verdict, done) in verdicts { done(verdict) }
        }

        private func claim(_ key: Key, _ fingerprint: Digest) throws(SQLiteError) -> Verdict {
            let now = clock()
            try find.bind(1, key.scope.bytes)
            try find.bind(2, key.text)
            try find.bind(3, Int64(clamping: now - min(now, Idempotency.dayMilliseconds)))
            if try find.step() {
                defer { find.reset() }
                guard find.bytes(0) == fingerprint.bytes else { return .reused }
                if !find.isNull(1) {
                    return .stored(
                        StoredAnswer(
                            status: Int(find.integer(1)), type: find.text(2), body: find.bytes(3),
                            height: UInt64(clamping: find.integer(4)), stateRoot: find.bytes(5)))
                }
                // Claimed and not answered: by a request that is under way, or by a process that has died meanwhile.
                return inFlight[key] == nil ? .fresh(begin(key)) : .inFlight
            }
            try add.bind(1, key.scope.bytes)
            try add.bind(2, key.text)
            try add.bind(3, fingerprint.bytes)
            try add.bind(4, Int64(clamping: now))
            try add.run()
            return .fresh(begin(key))
        }

        private func begin(_ key: Key) -> Claim {
            claims += 1
            inFlight[key] = claims
            return Claim(key: key, number: claims)
        }

        /// Whether the claim still holds its key; it does no longer.
        private func end(_ claim: Claim) -> Bool {
            guard inFlight[claim.key] == claim.number else { return false }
            inFlight[claim.key] = nil
            return true
        }

        private func finish(_ key: Key, _ stored: StoredAnswer) throws(SQLiteError) {
            try answer.bind(1, key.scope.bytes)
            try answer.bind(2, key.text)
            try answer.bind(3, Int64(stored.status))
            try answer.bind(4, stored.type)
            try answer.bind(5, stored.body)
            try answer.bind(6, Int64(clamping: stored.height))
            try answer.bind(7, stored.stateRoot)
            try answer.run()
        }

        private func abandon(_ key: Key) throws(SQLiteError) {
            try remove.bind(1, key.scope.bytes)
            try remove.bind(2, key.text)
            try remove.run()
        }

        /// Lets go of what is older than a day, and of the oldest where there is too much.
        private func trim(_ jobs: Int) throws(SQLiteError) {
            sinceTrim += jobs
            guard sinceTrim >= 4096 else { return }
            sinceTrim = 0
            let now = clock()
            var until = Int64(clamping: now - min(now, Idempotency.dayMilliseconds))
            if try database.integer("SELECT count(*) FROM answers") > Idempotency.rowsMax {
                until = max(until, try database.integer("SELECT at FROM answers ORDER BY at LIMIT 1 OFFSET 4096"))
            }
            try age.bind(1, until)
            try age.run()
        }
    }
}
