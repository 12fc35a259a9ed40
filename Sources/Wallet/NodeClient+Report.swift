public import Wire

extension NodeClient {
    /// How the node is, for those who look after it. Needs the identity of a validator or an observer.
    public func report() throws(NodeClientError) -> NodeReport {
        try read("/v1/report", needsToken: true).value("report", .nodeReport)
    }
}
