public import Chain
public import Crypto
import JSON
public import Ledger

/// How the node of one organisation is set up: the file `node.json` in its directory. Names of files in it are read
/// from that directory.
public struct NodeFile: Sendable, Equatable {
    /// Whose node this is.
    public let organisation: OrganisationID
    /// Where entries are ordered; none: the node only follows, and takes blocks from its peers.
    public let ordering: Ordering?
    /// The other members' nodes.
    public let peers: [Peer]
    /// Who may read whole blocks here beside the validators, such as an applicant's node.
    public let observers: [PublicKey]
    /// A header that is known from elsewhere: a chain that has another one there is not this one.
    public let checkpoint: Checkpoint?
    /// Where backups of this node go; none: it makes none by itself.
    public let backup: Backup?

    public static let name = "node.json"
    public static let bytesMax = 1 << 20

    /// The etcd cluster.
    public struct Ordering: Sendable, Equatable {
        /// URLs of its members, tried one after the other.
        public let endpoints: [String]
        /// PEM file of the authorities that vouch for them; none: those that the machine trusts.
        public let ca: String?
        /// The client's certificate and key as PEM files, where the members demand one.
        public let certificate: String?
        public let key: String?
        /// Who this node is to the cluster, and the file with the password.
        public let user: String?
        public let passwordFile: String?
        /// What the members were started with as `--quota-backend-bytes`.
        public let quotaBytes: UInt64

        /// What `lianfen init` writes and the documents start members with.
        public static let quotaBytesDefault: UInt64 = 2 << 30

        public init(
            endpoints: [String], ca: String? = nil, certificate: String? = nil, key: String? = nil,
            user: String? = nil, passwordFile: String? = nil, quotaBytes: UInt64 = quotaBytesDefault
        ) {
            self.endpoints = endpoints
            self.ca = ca
            self.certificate = certificate
            self.key = key
            self.user = user
            self.passwordFile = passwordFile
            self.quotaBytes = quotaBytes
        }
    }

    /// Another member's node.
    public struct Peer: Sendable, Equatable {
        public let organisation: OrganisationID
        public let url: String
        public let ca: String?

        public init(organisation: OrganisationID, url: String, ca: String? = nil) {
            self.organisation = organisation
            self.url = url
            self.ca = ca
        }
    }

    public init(
        organisation: OrganisationID, ordering: Ordering?, peers: [Peer], observers: [PublicKey] = [],
        checkpoint: Checkpoint? = nil, backup: Backup? = nil
    ) {
        self.organisation = organisation
        self.ordering = ordering
        self.peers = peers
        self.observers = observers
        self.checkpoint = checkpoint
        self.backup = backup
    }
}

extension Form where Value == NodeFile {
    private static let peersMax = Genesis.validatorsMax
    private static let observersMax = 256

    public static let nodeFile = object(
        "How the node of one organisation is set up.",
        Field("organisation", .organisation, "Whose node this is."),
        Field.optional("ordering", .ordering, "The etcd cluster. None: the node only follows.", omitsNull: true),
        Field("peers", Form<NodeFile.Peer>.peer.list(0...peersMax), "The other members' nodes."),
        Field.optional(
            "observers", Form<PublicKey>.publicKey.list(0...observersMax), "Keys that may read whole blocks here.",
            else: []),
        Field.optional("checkpoint", .checkpoint, "A header that is known from elsewhere.", omitsNull: true),
        Field.optional("backup", .backup, "Where this node's backups go. None: it makes none.", omitsNull: true),
        make: { (organisation, ordering, peers, observers, checkpoint, backup) throws(JSONError) -> NodeFile in
            try check(peers, organisation)
            if ordering == nil, peers.isEmpty {
                throw JSONError(
                    ".peers",
                    "is empty, and there is no “ordering”: this node would hear of no block; name another "
                        + "member's node, or the etcd cluster")
            }
            return NodeFile(
                organisation: organisation, ordering: ordering, peers: peers, observers: observers,
                checkpoint: checkpoint, backup: backup)
        }, parts: { ($0.organisation, $0.ordering, $0.peers, $0.observers, $0.checkpoint, $0.backup) })

    private static func check(_ peers: [NodeFile.Peer], _ own: OrganisationID) throws(JSONError) {
        for (index, peer) in peers.enumerated() {
            let place = ".peers[\(index)]"
            guard peer.organisation != own else {
                throw JSONError(
                    place + ".organisation",
                    "is \(own.number), which is this node itself; peers are the others: "
                        + "take it out")
            }
            if let other = peers[..<index].firstIndex(where: { $0.organisation == peer.organisation }) {
                throw JSONError(
                    place + ".organisation",
                    "is \(peer.organisation.number), as in peers[\(other)]; an organisation has one node: "
                        + "take one of them out")
            }
            if let other = peers[..<index].firstIndex(where: { $0.url == peer.url }) {
                throw JSONError(
                    place + ".url",
                    "is the same as in peers[\(other)]; two organisations cannot have the same node: "
                        + "mend one of them")
            }
        }
    }
}

extension Form where Value == NodeFile.Ordering {
    private static let endpointsMax = 9
    private static let quotaBytes: ClosedRange<UInt64> = 1 << 26...1 << 40

    static let ordering = object(
        "An etcd cluster.",
        Field("endpoints", Form<String>.nodeURL.list(1...endpointsMax), "URLs of its members."),
        Field.optional("ca", .fileName, "PEM file of the authorities that vouch for them.", omitsNull: true),
        Field.optional("certificate", .fileName, "The client's certificate as a PEM file.", omitsNull: true),
        Field.optional("key", .fileName, "The key of that certificate as a PEM file.", omitsNull: true),
        Field.optional("user", .string(1...128), "Who this node is to the cluster.", omitsNull: true),
        Field.optional("passwordFile", .fileName, "The file whose first line is the password.", omitsNull: true),
        Field.optional(
            "quotaBytes", Form<UInt64>.integer(quotaBytes), "The members' --quota-backend-bytes.",
            else: NodeFile.Ordering.quotaBytesDefault),
        make: {
            (endpoints, ca, certificate, key, user, passwordFile, quotaBytes) throws(JSONError) -> NodeFile.Ordering in
            for (index, endpoint) in endpoints.enumerated() where endpoints[..<index].contains(endpoint) {
                throw JSONError(".endpoints[\(index)]", "stands there twice: take one of them out")
            }
            guard (user == nil) == (passwordFile == nil) else {
                throw JSONError(
                    user == nil ? ".user" : ".passwordFile",
                    "is missing; a user and the file with the password are "
                        + "given together")
            }
            guard (certificate == nil) == (key == nil) else {
                throw JSONError(
                    certificate == nil ? ".certificate" : ".key", "is missing; certificate and key are given together")
            }
            return NodeFile.Ordering(
                endpoints: endpoints, ca: ca, certificate: certificate, key: key, user: user,
                passwordFile: passwordFile, quotaBytes: quotaBytes)
        },
        parts: { ($0.endpoints, $0.ca, $0.certificate, $0.key, $0.user, $0.passwordFile, $0.quotaBytes) })
}

extension Form where Value == NodeFile.Peer {
    static let peer = object(
        "Another member's node.",
        Field("organisation", .organisation), Field("url", .nodeURL, "Of its HTTP interface."),
        Field.optional("ca", .fileName, "PEM file of the authorities that vouch for it.", omitsNull: true),
        make: { (organisation, url, ca) throws(JSONError) -> NodeFile.Peer in
            NodeFile.Peer(organisation: organisation, url: url, ca: ca)
        }, parts: { ($0.organisation, $0.url, $0.ca) })
}

extension Form where Value == Checkpoint {
    static let checkpoint = object(
        "A header that is known from elsewhere.",
        Field("height", .number64), Field("header", .digest, "The hash of the header of that height."),
        make: { (height, header) throws(JSONError) -> Checkpoint in
            Checkpoint(height: height, header: header)
        }, parts: { ($0.height, $0.header) })
}

extension Form where Value == String {
    static let fileName = string(1...1024)

    /// `https://HOST:PORT`, or `http` on loopback, where nobody stands in between.
    static let nodeURL = string(1...FoundingRequest.nodeBytesMax).saying(
        "pattern", "^https?://[!-\"$-.0->A-\\[\\]-~]+/?$"
    ).map(
        read: { (text: String) throws(JSONError) -> String in
            let url = text.hasSuffix("/") ? String(text.dropLast()) : text
            let parts = url.components
            guard let parts, !parts.host.isEmpty else {
                throw JSONError(
                    "",
                    "“\(JSONError.shortened(text))” is no URL of a server; write https://HOST:PORT, such as "
                        + "https://node.example:8443")
            }
            guard !text.leavesInPlain else {
                throw JSONError(
                    "",
                    "“\(JSONError.shortened(text))” goes to another machine without TLS, where anybody in between "
                        + "reads along; write https://…")
            }
            return url
        }, write: { $0 })
}

extension String {
    /// Whether it is a URL that leads to another machine without TLS.
    package var leavesInPlain: Bool { components.map { !$0.isSecure && !$0.host.isLoopback } ?? false }

    /// A host that is this machine whoever reads it.
    fileprivate var isLoopback: Bool {
        self == "localhost" || self == "[::1]"
            || hasPrefix("127.") && utf8.allSatisfy { $0 == 0x2E || (0x30...0x39).contains($0) }
    }

    /// Scheme and host of a URL without path, query or user; nil for any other text.
    fileprivate var components: (isSecure: Bool, host: String)? {
        for scheme in ["https://", "http://"] where hasPrefix(scheme) {
            let place = dropFirst(scheme.count)
            guard place.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !place.contains(where: { "/?#@\\".contains($0) })
            else { return nil }
            let end =
                place.hasPrefix("[") ? place.firstIndex(of: "]").map(place.index(after:)) : place.firstIndex(of: ":")
            let host = place[..<(end ?? place.endIndex)]
            let rest = place[host.endIndex...]
            guard rest.isEmpty || rest.hasPrefix(":") && UInt16(rest.dropFirst()) != nil else { return nil }
            return (scheme == "https://", String(host))
        }
        return nil
    }
}
