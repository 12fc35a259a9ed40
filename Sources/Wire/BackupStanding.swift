public import Crypto
import JSON

/// How the backups of a node go. Times are milliseconds since 1970 UTC by the machine that made them.
public struct BackupStanding: Sendable, Equatable {
    /// The newest one that was read back and held; none: there has been none.
    public var verified: Verified?
    /// Why a later one failed.
    public var failure: Failure?

    public init(verified: Verified? = nil, failure: Failure? = nil) {
        self.verified = verified
        self.failure = failure
    }

    public struct Verified: Sendable, Equatable {
        public let height: UInt64
        public let stateRoot: Digest
        public let madeAt: UInt64
        /// Of all that it consists of.
        public let byteCount: UInt64
        /// How long it took to make and to read back.
        public let milliseconds: UInt64
        /// Where it lies, for a person.
        public let store: String

        public init(
            height: UInt64, stateRoot: Digest, madeAt: UInt64, byteCount: UInt64, milliseconds: UInt64, store: String
        ) {
            self.height = height
            self.stateRoot = stateRoot
            self.madeAt = madeAt
            self.byteCount = byteCount
            self.milliseconds = milliseconds
            self.store = store
        }
    }

    public struct Failure: Sendable, Equatable {
        public let reason: String
        public let at: UInt64

        public init(reason: String, at: UInt64) {
            self.reason = reason
            self.at = at
        }
    }
}

extension Form where Value == BackupStanding {
    public static let backupStanding = object(
        "How the backups of a node go.",
        Field.optional(
            "verified", Form<BackupStanding.Verified>.verified, "The newest one that was read back and held."),
        Field.optional("failure", Form<BackupStanding.Failure>.failure, "Why a later one failed."),
        make: { (verified, failure) throws(JSONError) -> BackupStanding in
            BackupStanding(verified: verified, failure: failure)
        }, parts: { ($0.verified, $0.failure) })
}

extension Form where Value == BackupStanding.Verified {
    static let verified = object(
        "A backup that was read back and held.",
        Field("height", .number64), Field("stateRoot", .digest), Field("madeAt", .time, "When it was made."),
        Field("bytes", .number64, "Of all that it consists of."),
        Field("milliseconds", .number64, "How long it took to make and to read back."),
        Field("store", .string(1...2048), "Where it lies."),
        make: { (height, root, madeAt, bytes, milliseconds, store) throws(JSONError) -> BackupStanding.Verified in
            BackupStanding.Verified(
                height: height, stateRoot: root, madeAt: madeAt, byteCount: bytes, milliseconds: milliseconds,
                store: store)
        }, parts: { ($0.height, $0.stateRoot, $0.madeAt, $0.byteCount, $0.milliseconds, $0.store) })
}

extension Form where Value == BackupStanding.Failure {
    static let failure = object(
        "A backup that failed.",
        Field("reason", .string(1...65_536)), Field("at", .time),
        make: { (reason, at) throws(JSONError) -> BackupStanding.Failure in
            BackupStanding.Failure(reason: reason, at: at)
        }, parts: { ($0.reason, $0.at) })
}
