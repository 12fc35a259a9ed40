import Bench
import Canonical
import Crypto
import Glibc
import Ledger
import Wallet

/// A chain that a user has made by `lianfen init`, and its node, in a process of its own.
final class SoakNode {
    let directory: String
    let port: Int
    let process: pid_t
    let genesis: Genesis
    /// Who issues the points of the load.
    let issuer: Author
    private var node: ServedNode?

    /// A driver that dies leaves a node that ends by itself so long after the load's time.
    static let graceSeconds = 300

    /// Makes a chain and starts its node.
    /// - Parameter secondsMax: after which the node ends by itself.
    init(tool: String, _ place: BenchDirectory, secondsMax: Int) throws {
        place.remove("chain")
        directory = place.ledger("chain")
        let errors = "\(place.path)/init.errors"
        let (_, code) = try Child(tool, ["init", "--dev", "--dir", directory], errors: errors).finish()
        guard code == 0 else { throw BenchError("soak", "lianfen init failed; \(errors) says why") }
        genesis = try Genesis(canonicalBytes: BenchChain.read("\(directory)/genesis"))
        let key = try KeyFile(canonicalBytes: BenchChain.read("\(directory)/keys/1-issuing.key"))
        issuer = Author(.organisation(OrganisationID(1)), try key.open(passphrase: nil))
        let node = try ServedNode(tool, directory, secondsMax: secondsMax)
        (port, process) = (node.port, node.process)
        self.node = consume node
    }

    /// Asks the node to stop and waits until it has.
    /// - Throws: ``BenchError`` where its end is not the ordinary one.
    func stop() throws {
        guard let node = node.take() else { return }
        guard node.stop() == 0 else { throw BenchError("soak", "the node did not end in the ordinary way") }
    }

    /// Nobody needs the node any more, whatever went wrong.
    deinit { if let node = node.take() { _ = node.stop() } }
}
