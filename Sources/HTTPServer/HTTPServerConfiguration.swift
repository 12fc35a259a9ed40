/// Where a server listens and what it allows. Each bound is a number that can be lowered for a test.
public struct HTTPServerConfiguration: Sendable {
    /// Certificate chain and key, both as PEM.
    public struct TLS: Equatable, Sendable {
        public var certificate: [UInt8]
        public var key: [UInt8]

        public init(certificate: [UInt8], key: [UInt8]) {
            self.certificate = certificate
            self.key = key
        }
    }

    /// A numeric address of version 4 or 6; `::` takes both.
    public var host = "127.0.0.1"
    /// 0: one that is free.
    public var port = 0
    public var tls: TLS?
    /// Threads that speak with clients; nil: one a core, and at least two.
    public var threads: Int?
    /// Connections at once. Lowered to what the limit of file descriptors leaves.
    public var connectionsMax = 16_000
    /// Connections of one address at once; nil: no bound, since a whole mall can stand behind one address.
    public var connectionsPerPeerMax: Int?
    /// Streams at once.
    public var streamsMax = 12_000
    /// Bytes of one body.
    public var bodyBytesMax = 4 << 20
    /// Bytes of all bodies that are being read or handled. The last quarter is kept for small ones.
    public var bodiesBytesMax = 64 << 20
    /// Bytes of all answers of more than a kibibyte that have not gone yet; shared ones and streams are not counted.
    public var answersBytesMax = 64 << 20
    /// Bytes of one head: target, names and values. One that is a little larger is refused in the application's form,
    /// one that does not fit into the connection's memory (this and 8 KiB) in the library's own.
    public var headBytesMax = 16 << 10
    /// Fields of one head.
    public var headFieldsMax = 100
    /// From the first byte of a request to the end of its head; for the first one of a connection, from its begin.
    public var headMilliseconds = 10_000
    /// From the first byte of a request to the end of its body.
    public var requestMilliseconds = 30_000
    /// Between two requests of a connection.
    public var idleMilliseconds = 60_000
    /// From the request to the application's answer.
    public var handleMilliseconds = 60_000
    /// From the begin of an answer to its end; not for streams.
    public var answerMilliseconds = 60_000
    /// How long a stream may stand while its client takes nothing though there is something to send.
    public var streamStallMilliseconds = 600_000
    /// How often the deadlines are looked at: they end that much late at most.
    public var tickMilliseconds = 100

    public init() {}
}
