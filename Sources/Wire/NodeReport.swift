import JSON
public import Ledger

/// How a node is, for those who look after it: what `lianfen status` shows on one screen. Times are milliseconds since
/// 1970 UTC by the node's clock.
public struct NodeReport: Sendable {
    /// The version of the program.
    public let program: String
    public let organisation: OrganisationID
    public let startedAt: UInt64
    public let heads: Heads
    public let validators: Validators
    /// None where the node has no order of its own.
    public let ordering: OrderingReport?
    public let peers: [PeerReport]
    public let host: HostReport

    public init(
        program: String, organisation: OrganisationID, startedAt: UInt64, heads: Heads, validators: Validators,
        ordering: OrderingReport?, peers: [PeerReport], host: HostReport
    ) {
        self.program = program
        self.organisation = organisation
        self.startedAt = startedAt
        self.heads = heads
        self.validators = validators
        self.ordering = ordering
        self.peers = peers
        self.host = host
    }

    public struct Heads: Sendable {
        /// The highest position that was seen in the order.
        public let log: UInt64
        public let executed: UInt64
        public let certified: UInt64
        /// Where the tables and all answers stand.
        public let committed: UInt64
        /// Block time of that height.
        public let time: UInt64
        /// Entries are ordered and nothing is certified.
        public let isOverdue: Bool
        /// Why the node does not vote, where it does not.
        public let signingStopped: String?
        /// Why it has stopped, where it has.
        public let halted: String?

        public init(
            log: UInt64, executed: UInt64, certified: UInt64, committed: UInt64, time: UInt64, isOverdue: Bool,
            signingStopped: String?, halted: String?
        ) {
            self.log = log
            self.executed = executed
            self.certified = certified
            self.committed = committed
            self.time = time
            self.isOverdue = isOverdue
            self.signingStopped = signingStopped
            self.halted = halted
        }

        /// Positions of the order that are not certified.
        public var lag: UInt64 { log - min(log, certified) }
    }

    /// Those who vote, and how many of them may be lost.
    public struct Validators: Sendable {
        public let voting: [OrganisationID]
        public let quorum: UInt32
        /// Of those who vote, so many may be down and blocks are certified still.
        public var spare: UInt32 { UInt32(voting.count) - quorum }

        public init(voting: [OrganisationID], quorum: UInt32) {
            self.voting = voting
            self.quorum = quorum
        }
    }
}

/// How the ordering cluster is to a node.
public struct OrderingReport: Sendable {
    /// Why the last call failed, where it did.
    public let complaint: String?
    public let bytes: UInt64
    public let bytesMax: UInt64
    /// So full that somebody should look at it; so full that nothing more is ordered.
    public let isFilling: Bool
    public let isClosed: Bool
    /// None where they are not known.
    public let members: [Member]

    public init(
        complaint: String?, bytes: UInt64, bytesMax: UInt64, isFilling: Bool, isClosed: Bool, members: [Member]
    ) {
        self.complaint = complaint
        self.bytes = bytes
        self.bytesMax = bytesMax
        self.isFilling = isFilling
        self.isClosed = isClosed
        self.members = members
    }

    /// How one of its members is by itself.
    public struct Member: Sendable {
        public let url: String
        public let isAnswering: Bool
        /// Where it does not answer: since when, and why.
        public let silentSince: UInt64?
        public let failure: String?

        public init(url: String, isAnswering: Bool, silentSince: UInt64?, failure: String?) {
            self.url = url
            self.isAnswering = isAnswering
            self.silentSince = silentSince
            self.failure = failure
        }
    }
}

/// How another member's node is to a node.
public struct PeerReport: Sendable {
    public let organisation: OrganisationID
    public let url: String
    public let height: UInt64
    public let isAnswering: Bool
    public let answeredAt: UInt64?
    public let failure: String?

    public init(
        organisation: OrganisationID, url: String, height: UInt64, isAnswering: Bool, answeredAt: UInt64?,
        failure: String?
    ) {
        self.organisation = organisation
        self.url = url
        self.height = height
        self.isAnswering = isAnswering
        self.answeredAt = answeredAt
        self.failure = failure
    }
}

/// How the machine under a node is.
public struct HostReport: Sendable {
    /// None where nobody knows.
    public var disk: Disk?
    public var certificates: [Certificate]
    /// None where no backups are made.
    public var backup: BackupStanding?

    public init(disk: Disk? = nil, certificates: [Certificate] = [], backup: BackupStanding? = nil) {
        self.disk = disk
        self.certificates = certificates
        self.backup = backup
    }

    /// The disk of the node's directory, in bytes.
    public struct Disk: Sendable {
        public let free: UInt64
        public let total: UInt64
        /// Below so many free ones nothing new is taken up.
        public let reserve: UInt64

        public init(free: UInt64, total: UInt64, reserve: UInt64) {
            self.free = free
            self.total = total
            self.reserve = reserve
        }

        public var isNearlyFull: Bool { free < reserve }
    }

    /// A file of TLS certificates that the node uses.
    public struct Certificate: Sendable {
        public let file: String
        /// Of those in the file the first to end; none where the file cannot be read.
        public let endsAt: UInt64?

        public init(file: String, endsAt: UInt64?) {
            self.file = file
            self.endsAt = endsAt
        }
    }
}

extension Form where Value == NodeReport {
    public static let nodeReport = object(
        "How a node is, for those who look after it.",
        Field("program", .string(1...32), "Its version."), Field("organisation", .organisation),
        Field("startedAt", .time), Field("heads", Form<NodeReport.Heads>.heads),
        Field("validators", Form<NodeReport.Validators>.voting),
        Field.optional("ordering", Form<OrderingReport>.ordering, "The ordering cluster, where it has one."),
        Field("peers", Form<PeerReport>.peerReport.list(0...Genesis.validatorsMax)),
        Field("host", Form<HostReport>.host),
        make: { (program, organisation, startedAt, heads, validators, ordering, peers, host) throws(JSONError) in
            NodeReport(
                program: program, organisation: organisation, startedAt: startedAt, heads: heads,
                validators: validators, ordering: ordering, peers: peers, host: host)
        },
        parts: {
            ($0.program, $0.organisation, $0.startedAt, $0.heads, $0.validators, $0.ordering, $0.peers, $0.host)
        }
    ).named("NodeReport")
}

extension Form where Value == NodeReport.Heads {
    static let heads = object(
        "Where the node stands.",
        Field("log", .number64, "The highest position seen in the order."), Field("executed", .number64),
        Field("certified", .number64), Field("committed", .number64, "Where the tables and all answers stand."),
        Field("time", .time, "Block time of that height."),
        Field("overdue", .bool, "Entries are ordered and nothing is certified."),
        Field.optional("signingStopped", .string(1...4096), "Why it does not vote."),
        Field.optional("halted", .string(1...4096), "Why it has stopped."),
        make: {
            (log, executed, certified, committed, time, overdue, signingStopped, halted) throws(JSONError)
                -> NodeReport.Heads in
            NodeReport.Heads(
                log: log, executed: executed, certified: certified, committed: committed, time: time,
                isOverdue: overdue, signingStopped: signingStopped, halted: halted)
        },
        parts: {
            (
                $0.log, $0.executed, $0.certified, $0.committed, $0.time, $0.isOverdue, $0.signingStopped, $0.halted
            )
        })
}

extension Form where Value == NodeReport.Validators {
    static let voting = object(
        "Those who vote.", Field("voting", Form<OrganisationID>.organisation.list(0...Genesis.validatorsMax)),
        Field("quorum", .integer, "So many votes make a block final."),
        make: { (voting, quorum) throws(JSONError) -> NodeReport.Validators in
            NodeReport.Validators(voting: voting, quorum: quorum)
        }, parts: { ($0.voting, $0.quorum) })
}

extension Form where Value == OrderingReport {
    private static let membersMax = 64

    static let ordering = object(
        "The ordering cluster.", Field.optional("complaint", .string(1...4096), "Why the last call to it failed."),
        Field("bytes", .number64, "What it takes on its disks."), Field("bytesMax", .number64, "What it may take."),
        Field("filling", .bool, "So full that somebody should look at it."),
        Field("closed", .bool, "So full that nothing more is ordered."),
        Field.optional(
            "members", Form<OrderingReport.Member>.orderingMember.list(0...membersMax),
            "Each of its members, asked by itself.", else: []),
        make: { (complaint, bytes, bytesMax, filling, closed, members) throws(JSONError) -> OrderingReport in
            OrderingReport(
                complaint: complaint, bytes: bytes, bytesMax: bytesMax, isFilling: filling, isClosed: closed,
                members: members)
        }, parts: { ($0.complaint, $0.bytes, $0.bytesMax, $0.isFilling, $0.isClosed, $0.members) })
}

extension Form where Value == OrderingReport.Member {
    static let orderingMember = object(
        "A member of the ordering cluster.", Field("url", .string(1...1024)),
        Field("answering", .bool, "Whether it answers, as one of a quorum."),
        Field.optional("silentSince", .time, "Since when it does not."),
        Field.optional("failure", .string(1...4096), "Why it does not."),
        make: { (url, answering, silentSince, failure) throws(JSONError) -> OrderingReport.Member in
            OrderingReport.Member(url: url, isAnswering: answering, silentSince: silentSince, failure: failure)
        }, parts: { ($0.url, $0.isAnswering, $0.silentSince, $0.failure) })
}

extension Form where Value == PeerReport {
    static let peerReport = object(
        "Another member's node.", Field("organisation", .organisation), Field("url", .string(1...1024)),
        Field("height", .number64, "Where it said to stand."), Field("answering", .bool),
        Field.optional("answeredAt", .time), Field.optional("failure", .string(1...4096)),
        make: { (organisation, url, height, answering, answeredAt, failure) throws(JSONError) -> PeerReport in
            PeerReport(
                organisation: organisation, url: url, height: height, isAnswering: answering, answeredAt: answeredAt,
                failure: failure)
        }, parts: { ($0.organisation, $0.url, $0.height, $0.isAnswering, $0.answeredAt, $0.failure) })
}

extension Form where Value == HostReport {
    private static let certificatesMax = 1024

    static let host = object(
        "The machine under the node.", Field.optional("disk", Form<HostReport.Disk>.disk),
        Field("certificates", Form<HostReport.Certificate>.certificateFile.list(0...certificatesMax)),
        Field.optional("backup", Form<BackupStanding>.backupStanding, "None where it makes none."),
        make: { (disk, certificates, backup) throws(JSONError) -> HostReport in
            HostReport(disk: disk, certificates: certificates, backup: backup)
        }, parts: { ($0.disk, $0.certificates, $0.backup) })
}

extension Form where Value == HostReport.Disk {
    static let disk = object(
        "The disk of the node's directory, in bytes.", Field("free", .number64), Field("total", .number64),
        Field("reserve", .number64, "Below so many free ones nothing new is taken up."),
        make: { (free, total, reserve) throws(JSONError) -> HostReport.Disk in
            HostReport.Disk(free: free, total: total, reserve: reserve)
        }, parts: { ($0.free, $0.total, $0.reserve) })
}

extension Form where Value == HostReport.Certificate {
    static let certificateFile = object(
        "A file of TLS certificates.", Field("file", .string(1...4096)),
        Field.optional("endsAt", .time, "The first end of those in it; null where it cannot be read."),
        make: { (file, endsAt) throws(JSONError) -> HostReport.Certificate in
            HostReport.Certificate(file: file, endsAt: endsAt)
        }, parts: { ($0.file, $0.endsAt) })
}
