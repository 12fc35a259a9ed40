public import Crypto
import JSON

extension NodeFile {
    /// Where backups of a node go, who can read them, how often they are made and which stay.
    public struct Backup: Sendable, Equatable {
        /// A directory, or `s3://BUCKET/PREFIX`.
        public let store: String
        /// What a store that speaks the S3 protocol needs.
        public let s3: S3?
        /// Public keys to which backups are addressed.
        public let recipients: [PublicKey]
        /// Seconds from one backup to the next.
        public let everySeconds: UInt64
        public let keep: Keep

        /// A day.
        public static let everySecondsDefault: UInt64 = 86_400
        public static let recipientsMax = 16

        public init(
            store: String, s3: S3? = nil, recipients: [PublicKey], everySeconds: UInt64 = everySecondsDefault,
            keep: Keep = Keep()
        ) {
            self.store = store
            self.s3 = s3
            self.recipients = recipients
            self.everySeconds = everySeconds
            self.keep = keep
        }

        public struct S3: Sendable, Equatable {
            public let endpoint: String
            public let region: String
            public let accessKey: String
            /// The file whose first line is the secret of the access key.
            public let secretFile: String
            /// PEM file of the authorities that vouch for it.
            public let ca: String?

            public static let regionDefault = "us-east-1"

            public init(
                endpoint: String, region: String = regionDefault, accessKey: String, secretFile: String,
                ca: String? = nil
            ) {
                self.endpoint = endpoint
                self.region = region
                self.accessKey = accessKey
                self.secretFile = secretFile
                self.ca = ca
            }
        }

        /// How many stay: of the newest, and of the last days, weeks and months one each.
        public struct Keep: Sendable, Equatable {
            public let newest: Int
            public let days: Int
            public let weeks: Int
            public let months: Int

            public init(newest: Int = 3, days: Int = 7, weeks: Int = 4, months: Int = 12) {
                self.newest = newest
                self.days = days
                self.weeks = weeks
                self.months = months
            }
        }
    }
}

extension Form where Value == NodeFile.Backup {
    private static let everySeconds: ClosedRange<UInt64> = 10...31_536_000

    static let backup = object(
        "Where backups of a node go.",
        Field("store", .string(1...1024), "A directory, or s3://BUCKET/PREFIX."),
        Field.optional("s3", Form<NodeFile.Backup.S3>.s3, "What an s3:// store needs.", omitsNull: true),
        Field(
            "recipients", Form<PublicKey>.publicKey.list(1...NodeFile.Backup.recipientsMax),
            "Public keys to which backups are addressed; `lianfen backup key` makes one."),
        Field.optional(
            "everySeconds", Form<UInt64>.integer(everySeconds), "Seconds from one backup to the next.",
            else: NodeFile.Backup.everySecondsDefault),
        Field.optional("keep", Form<NodeFile.Backup.Keep>.keep, "Which stay.", else: NodeFile.Backup.Keep()),
        make: { (store, s3, recipients, everySeconds, keep) throws(JSONError) -> NodeFile.Backup in
            guard store.hasPrefix("s3://") == (s3 != nil) else {
                throw JSONError(
                    ".s3",
                    s3 == nil
                        ? "is missing; a store at s3:// needs its endpoint and access key"
                        : "is about a store at s3://BUCKET/PREFIX, and “store” names a directory")
            }
            for (index, key) in recipients.enumerated() where recipients[..<index].contains(key) {
                throw JSONError(".recipients[\(index)]", "stands there twice: take one of them out")
            }
            return NodeFile.Backup(store: store, s3: s3, recipients: recipients, everySeconds: everySeconds, keep: keep)
        }, parts: { ($0.store, $0.s3, $0.recipients, $0.everySeconds, $0.keep) })
}

extension Form where Value == NodeFile.Backup.S3 {
    static let s3 = object(
        "A store that speaks the S3 protocol.",
        Field("endpoint", .nodeURL, "Scheme, host and port."),
        Field.optional("region", .string(1...64), "Its region.", else: NodeFile.Backup.S3.regionDefault),
        Field("accessKey", .string(1...256), "Who this node is to it."),
        Field("secretFile", .fileName, "The file whose first line is the secret of the access key."),
        Field.optional("ca", .fileName, "PEM file of the authorities that vouch for it.", omitsNull: true),
        make: { (endpoint, region, accessKey, secretFile, ca) throws(JSONError) -> NodeFile.Backup.S3 in
            NodeFile.Backup.S3(
                endpoint: endpoint, region: region, accessKey: accessKey, secretFile: secretFile, ca: ca)
        }, parts: { ($0.endpoint, $0.region, $0.accessKey, $0.secretFile, $0.ca) })
}

extension Form where Value == NodeFile.Backup.Keep {
    private static let standard = NodeFile.Backup.Keep()

    static let keep = object(
        "How many backups stay.",
        Field.optional("newest", Form<Int>.integer(1...1000), "Of the newest.", else: standard.newest),
        Field.optional("days", Form<Int>.integer(0...1000), "Days of which one each stays.", else: standard.days),
        Field.optional("weeks", Form<Int>.integer(0...1000), "Weeks of which one each stays.", else: standard.weeks),
        Field.optional("months", Form<Int>.integer(0...1000), "Months of which one each stays.", else: standard.months),
        make: { (newest, days, weeks, months) throws(JSONError) -> NodeFile.Backup.Keep in
            NodeFile.Backup.Keep(newest: newest, days: days, weeks: weeks, months: months)
        }, parts: { ($0.newest, $0.days, $0.weeks, $0.months) })
}
