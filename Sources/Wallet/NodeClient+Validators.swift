public import Chain
import Concurrency
import Wire

/// Who votes, followed from the genesis: the node shows each change with its proof.
extension NodeClient {
    /// Pages of changes that a node is asked for at once.
    private static let changePagesMax = 1024

    /// Follows the changes of the validators that the node shows. It may withhold the newest ones:
    /// ``LightClient/isStale(at:)`` of a client that has taken up a new header tells.
    /// - Parameter take: gets each change that was taken up, in order.
    /// - Returns: a light client at the newest change.
    /// - Throws: ``NodeClientError`` `.proofInvalid` for a change that does not hold; those before it are kept.
    @discardableResult
    public func followValidators(_ take: (LightStep) -> Void = { _ in }) throws(NodeClientError) -> LightClient {
        var client = try lightClient()
        for _ in 0..<Self.changePagesMax {
            let after = client.trusted.height
            let page: LightSteps = try decode(
                try readBytes("/v1/validators/changes?after=\(after)"), "list of changes after \(after)")
            for step in page.steps {
                do throws(LightClient.Refusal) { try client.advance(to: step) } catch {
                    throw Self.invalid("of the changes of the validators after \(client.trusted.height), \(error)")
                }
                keep(client)
                take(step)
            }
            if page.steps.isEmpty { break }
        }
        return client
    }

    /// The newest height whose header this node shows, taken up after all changes before it.
    /// - Returns: a light client at that height, whose time tells how current it is.
    public func followHead() throws(NodeClientError) -> LightClient {
        // The header first: a change that it announces is then among the changes.
        let found = try header(try chain().stamp.height)
        var client = try followValidators()
        guard found.header.height > client.trusted.height else { return client }
        do throws(LightClient.Refusal) {
            try client.advance(to: LightStep([found.header], certificate: found.certificate))
        } catch { throw Self.invalid("\(error)") }
        return client
    }

    /// Checks something by who is known to vote; where that is not enough, once more after the changes since.
    func checked<Value>(_ check: (LightClient) throws(Proof.Refusal) -> Value) throws(NodeClientError) -> Value {
        let known = try lightClient()
        do throws(Proof.Refusal) { return try check(known) } catch {
            guard error == .validators else { throw Self.invalid("\(error)") }
            let client = try followValidators()
            do throws(Proof.Refusal) { return try check(client) } catch { throw Self.invalid("\(error)") }
        }
    }

    private func lightClient() throws(NodeClientError) -> LightClient {
        if let client = shared.state.withLock({ $0.lightClient }) { return client }
        let client = LightClient(try genesis())
        keep(client)
        return client
    }

    private func keep(_ client: LightClient) {
        shared.state.withLock { state in
            if client.trusted.height >= state.lightClient?.trusted.height ?? 0 { state.lightClient = client }
        }
    }
}
