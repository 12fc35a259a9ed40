/// What holds for all requests of a client.
public struct HTTPClientConfiguration: Sendable {
    /// Who vouches for servers.
    public enum Authorities: Sendable, Equatable {
        /// Those that the machine trusts.
        case system
        /// The certificates of this PEM file and no others. It is read for each new connection.
        case file(String)
    }

    /// A certificate of the client's own, as PEM files. The key has no passphrase.
    public struct Identity: Sendable, Equatable {
        public let certificateFile: String
        public let keyFile: String

        public init(certificateFile: String, keyFile: String) {
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }
    }

    /// How requests are signed for a store that speaks the S3 protocol (AWS Signature Version 4), by libcurl.
    ///
    /// Each request has to bring the header `x-amz-content-sha256`, the query's parameters percent-encoded and in
    /// ascending order: libcurl signs what it is given.
    public struct Signing: Sendable {
        public let region: String
        public let accessKey: String
        let secret: String

        public init(region: String, accessKey: String, secret: String) {
            self.region = region
            self.accessKey = accessKey
            self.secret = secret
        }
    }

    public var authorities = Authorities.system
    public var identity: Identity?
    public var signing: Signing?
    /// Whether servers must show a certificate that holds for their name. Without it anybody in between can read and
    /// change everything: for experiments alone.
    public var verifiesServer = true
    /// Requests and streams that run at a time, each on a connection of its own; further ones wait within their
    /// deadlines.
    public var connectionsMax = 16
    /// How long a connection that nobody uses is still taken up again; below what servers usually allow.
    public var idleSecondsMax = 45
    /// Sent as `User-Agent`.
    public var agent = "lianfen"

    public init() {}
}
