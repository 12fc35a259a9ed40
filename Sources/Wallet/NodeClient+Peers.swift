import Canonical
public import Chain
import HTTPClient
public import Ledger

/// What one node of a consortium asks of another, by a client of that one node. Each call asks once: whoever calls
/// knows what else there is to do.
extension NodeClient {
    /// What a node answered, and the height at which it said to stand.
    public struct FromPeer<Value: Sendable>: Sendable {
        public let value: Value
        public let height: UInt64
    }

    /// How long a node may take with votes or a certificate, and with final blocks.
    private static let shortMilliseconds = 5_000
    private static let longMilliseconds = 20_000

    /// Brings votes. Needs the identity of a validator.
    public func bring(_ votes: [Vote]) throws(NodeClientError) -> FromPeer<Void> {
        var request = HTTPClientRequest(
            "POST", url + "/v1/votes", headers: [HTTPField("Content-Type", "application/octet-stream")],
            body: VoteList(genesis: genesisHash, votes: votes).canonicalBytes)
        request.totalMilliseconds = Self.shortMilliseconds
        return FromPeer(value: (), height: Self.height(try sendWithToken(request, at: node)))
    }

    /// The first certificate above a height; nil where the node has none. It is not checked here.
    public func certificate(above height: UInt64) throws(NodeClientError) -> FromPeer<Certificate?> {
        try found(orAt: height) { () throws(NodeClientError) in
            let (certificate, stands): (Certificate, UInt64) = try ask(
                "/v1/blocks/\(height + 1)/certificate", token: false, "certificate", within: Self.shortMilliseconds)
            return FromPeer(value: certificate, height: stands)
        }
    }

    /// The header of a height and its tables' sub-roots; nil where the node does not stand so high. Needs the identity
    /// of a validator or an observer. They are not checked here.
    public func subRoots(
        at height: UInt64
    ) throws(NodeClientError) -> FromPeer<(header: Header, roots: SubRoots)?> {
        try found(orAt: 0) { () throws(NodeClientError) in
            let (header, _): (Header, UInt64) = try ask(
                "/v1/blocks/\(height)/header", token: false, "header", within: Self.shortMilliseconds)
            let (roots, stands): (SubRoots, UInt64) = try ask(
                "/v1/blocks/\(height)/sub-roots", token: true, "sub-roots", within: Self.shortMilliseconds)
            return FromPeer(value: (header, roots), height: stands)
        }
    }

    /// What a node has, or nothing where it says that it has not come so far.
    /// - Parameter height: at which it is then known to stand.
    private func found<Value>(
        orAt height: UInt64, _ body: () throws(NodeClientError) -> FromPeer<Value?>
    ) throws(NodeClientError) -> FromPeer<Value?> {
        do throws(NodeClientError) { return try body() } catch {
            guard error.status == 404 else { throw error }
            return FromPeer(value: nil, height: height)
        }
    }

    /// Final blocks above a height, as many as the node sends at a time. Needs the identity of a validator or an
    /// observer. They are not checked here.
    public func finals(above height: UInt64) throws(NodeClientError) -> FromPeer<[FinalBlocks]> {
        let (list, stands): (FinalBlocksList, UInt64) = try ask(
            "/v1/finals?above=\(height)", token: true, "final blocks", within: Self.longMilliseconds)
        return FromPeer(value: list.values, height: stands)
    }

    private func ask<Value: Canonical>(
        _ path: String, token: Bool, _ what: String, within milliseconds: Int
    ) throws(NodeClientError) -> (Value, UInt64) {
        var request = HTTPClientRequest(
            "GET", url + path, headers: [HTTPField("Accept", "application/octet-stream")])
        request.totalMilliseconds = milliseconds
        let answer = try token ? sendWithToken(request, at: node) : send(request)
        do throws(DecodingError) { return (try Value(canonicalBytes: answer.body), Self.height(answer)) } catch {
            throw NodeClientError(.answerMalformed, "What the node sends for \(what) does not decode: \(error).")
        }
    }

    /// The height at which an answer stands, as its head says it.
    private static func height(_ answer: HTTPClientResponse) -> UInt64 {
        answer.header("Lianfen-Height").flatMap { UInt64($0) } ?? 0
    }
}
