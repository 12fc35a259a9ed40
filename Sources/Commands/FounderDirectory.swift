import Canonical
import Crypto
import Glibc
import JSON
import Ledger
import Terminal
import Wire

/// The directory of an organisation whose chain has not begun: the keys that it drew, and what it asked for.
struct FounderDirectory {
    let path: String
    let request: FoundingRequest

    var id: OrganisationID { request.organisation.id }
    var requestPath: String { Self.requestPath(path) }
    var approvalPath: String { path + "/approval.json" }

    private static func requestPath(_ path: String) -> String { path + "/request.json" }

    // MARK: Asking

    /// What an organisation would be founded with.
    struct Wish {
        let terms: FoundingTerms
        let id: OrganisationID
        let name: String
        let quota: UInt64
        let votes: Bool
        let node: String?
    }

    /// Makes the directory with new keys and the request, or nothing.
    static func make(at path: String, _ wish: Wish, passphrase: [UInt8]?) throws -> FounderDirectory {
        let directory = try NewDirectory(path)
        return try directory.fill { making in
            let keys = try OrganisationKeys(wish.id, votes: wish.votes, in: making, passphrase)
            let organisation = keys.terms(wish.id, name: wish.name, quota: wish.quota)
            let form = Form<FoundingRequest>.foundingRequest
            func signed(_ node: String?) throws -> FoundingRequest {
                let request = FoundingRequest(
                    signing: wish.terms, organisation: organisation, node: node, keys: keys.all)
                // What the others would refuse is not written.
                do throws(JSONError) { return try form.parse(form.write(request)) } catch {
                    throw CommandError(
                        code: "founding", field: option(error.path), reason: error.reason, exit: .usage)
                }
            }
            // Signed as it is written, which may spell the URL otherwise.
            let request = try signed(signed(wish.node).node)
            try Files.write(Array(form.write(request).indentedText.utf8), to: requestPath(making), mode: 0o644)
            return FounderDirectory(path: directory.path, request: request)
        }
    }

    /// The option that a place in a request comes from.
    private static func option(_ place: String) -> String {
        switch place {
        case "$.terms.chain": "--chain"
        case "$.organisation.name": "--name"
        case "$.node": "--node-url"
        default: place
        }
    }

    private init(path: String, request: FoundingRequest) {
        self.path = path
        self.request = request
    }

    // MARK: Opening

    /// - Throws: where it is no such directory, its chain has begun, or its keys are not those of its request.
    init(_ path: String) throws {
        let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        guard Files.exists(Self.requestPath(path)) else {
            throw CommandError(
                code: "founder-missing", field: "--dir",
                reason: "there is no request.json in \(CommandError.quoted(path)); `lianfen init consortium request` "
                    + "makes such a directory", exit: .environment)
        }
        guard !Files.exists(ChainDirectory.genesisPath(path)) else {
            let genesis = try ChainDirectory.readGenesis(ChainDirectory.genesisPath(path))
            throw CommandError(
                code: "chain-there", field: "--dir",
                reason: "the chain \(genesis.chain) has begun in \(CommandError.quoted(path)), with the genesis "
                    + "\(genesis.hash); nothing was changed")
        }
        self.init(path: path, request: try FoundingFile.request.read(Self.requestPath(path)))
        let organisation = request.organisation
        for (key, file) in [
            (organisation.votingKey, ChainDirectory.votingKeyPath(path, id)),
            (organisation.issuingKey, ChainDirectory.keyPath(path, id, "issuing")),
            (organisation.governingKey, ChainDirectory.keyPath(path, id, "governing")),
        ] {
            guard let key else { continue }
            guard try ChainDirectory.keyFile(file).publicKey == key else {
                throw CommandError(
                    code: "key-foreign", field: file, reason: "this is not the key that \(requestPath) asks with")
            }
        }
    }

    // MARK: Approving

    /// Signs that the chain may begin so.
    /// - Returns: the file.
    func approve(_ genesis: Genesis, _ nodes: [FoundingApproval.Node], _ passphrase: Passphrase) throws -> String {
        if Files.exists(approvalPath) {
            let before = try FoundingFile.approval.read(approvalPath).genesis.hash
            guard before == genesis.hash else {
                throw CommandError(
                    code: "approval-there", field: approvalPath,
                    reason: "\(id) has approved another genesis there, \(before); where all founders begin anew, "
                        + "delete that file and approve again")
            }
        }
        let key = try ChainDirectory.readKey(ChainDirectory.keyPath(path, id, "governing"), passphrase)
        let approval = FoundingApproval(signing: genesis, nodes: nodes, by: id, key: key)
        let text = Form<FoundingApproval>.foundingApproval.write(approval).indentedText
        try Files.write(Array(text.utf8), to: approvalPath, mode: 0o644)
        return approvalPath
    }

    // MARK: Beginning

    /// Makes it the directory of a chain. The genesis comes last: before it is there, nothing has begun, and the same
    /// may be done again.
    func begin(_ genesis: Genesis, _ machines: InitCommand.Machines) throws {
        // Beside what there is, so that a failure leaves that as it was.
        let making = path + "/begin.making"
        Files.removeTree(making)
        defer { Files.removeTree(making) }
        for directory in ["", "/nodes", "/nodes/\(id.number)"] { try Files.makeDirectory(making + directory) }
        if request.node != nil {
            try machines.write(id, in: genesis, to: making)
            try ChainDirectory.makeStore(making, id, genesis)
        }
        var moved: [String] = []
        func move(_ from: String, _ to: String) throws {
            guard rename(from, to) == 0 else { throw Files.failure("write", to) }
            moved.append(to)
        }
        do {
            if request.node != nil {
                let store = ChainDirectory.storePath(path, id)
                try Joining.makeRoom(at: store, genesis)
                try move(ChainDirectory.storePath(making, id), store)
            }
            for name in try Files.names(in: making) where name != "nodes" {
                try move(making + "/" + name, path + "/" + name)
            }
            try Files.write(genesis.canonicalBytes, to: ChainDirectory.genesisPath(path), mode: 0o644)
        } catch {
            for file in moved { if Files.isDirectory(file) { Files.removeTree(file) } else { unlink(file) } }
            throw error
        }
    }
}
