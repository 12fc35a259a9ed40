public import HTTPClient

/// Where a consortium's etcd cluster is, and who this node is there.
public struct EtcdConfiguration: Sendable {
    /// A user of etcd's own. Through the JSON gateway etcd 3.4 knows a client by this alone: client certificates must
    /// carry no common name.
    public struct Login: Sendable, Equatable {
        public let user: String
        public let password: String

        public init(user: String, password: String) {
            self.user = user
            self.password = password
        }
    }

    /// Its members, as `https://host:port`; at least one. What one of them does not answer is asked of the next.
    public var endpoints: [String]
    /// Name of the chain, under which its keys stand.
    public var chain: String
    public var authorities = HTTPClientConfiguration.Authorities.system
    public var identity: HTTPClientConfiguration.Identity?
    /// None: the cluster asks for no user, which is for experiments alone.
    public var login: Login?
    /// The number of the validator under which this node puts up its votes; none: it puts up none.
    public var voter: UInt32?
    /// What the members were started with as `--quota-backend-bytes`; the interface does not tell.
    public var quotaBytes: UInt64 = 2 << 30
    /// How often a member is asked how full it is.
    public var sizeEveryMilliseconds: UInt64 = 5_000
    /// How often each member is asked by itself whether it answers.
    public var membersEveryMilliseconds: UInt64 = 10_000
    /// How long one member may take to connect and to answer.
    public var connectMilliseconds = 1_000
    public var answerMilliseconds = 5_000
    /// How long a read is tried again, at all members, before it counts as failed.
    public var readMilliseconds = 8_000

    public init(endpoints: [String], chain: String) {
        precondition(!endpoints.isEmpty, "a cluster has members")
        self.endpoints = endpoints.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
        self.chain = chain
    }
}
