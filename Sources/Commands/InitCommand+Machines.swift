import Crypto
import Glibc
import JSON
import Ledger
import Node
import StorageRocksDB
import Terminal
import Wire

/// Directories that are carried to machines of their own: what `node.json` in each of them says.
extension InitCommand {
    struct Machines {
        /// Members of the etcd cluster.
        let etcd: [String]
        /// Where the nodes of the validators are, in their order.
        let nodes: [String]
        /// Files that each directory gets a copy of, by the names under which it finds them.
        let copies: [(name: String, file: String)]
        /// Who each of the nodes is to the cluster, with the file of its password: in the order of the validators, or
        /// one for all.
        let etcdUsers: [(name: String, passwordFile: String?)]

        static let options: [Option] =
            cluster + [
                .string(
                    "etcd-user", placeholder: "NAME", .repeated,
                    help: "who the nodes are to it, one for each in order or one for all; with --etcd-password-file"),
                .path(
                    "etcd-password-file", placeholder: "FILE", .repeated,
                    help: "a file whose first line is the password, one for each --etcd-user"),
                .string(
                    "node-url", placeholder: "URL", .repeated,
                    help: "where the validators' nodes will be, one for each, in their order; default: "
                        + "http://127.0.0.1:7878 and the ports after it"), authorities,
            ]

        /// Of one node, where it is known from elsewhere where the others are.
        static let optionsOfOne: [Option] =
            cluster + [
                .string("etcd-user", placeholder: "NAME", help: "who the node is to it; with --etcd-password-file"),
                .path("etcd-password-file", placeholder: "FILE", help: "a file whose first line is the password"),
                authorities,
            ]

        private static let cluster: [Option] = [
            .string(
                "etcd", placeholder: "URL", .repeated,
                help: "a member of the etcd cluster; default: \(etcdDefault)"),
            .path("etcd-ca", placeholder: "FILE", help: "PEM file of the authorities that vouch for its members"),
            .path("etcd-certificate", placeholder: "FILE", help: "PEM file of the nodes' certificate for it"),
            .path("etcd-key", placeholder: "FILE", help: "PEM file of that certificate's key"),
        ]
        private static let authorities = Option.path(
            "ca", placeholder: "FILE", help: "PEM file of the authorities that vouch for the nodes")

        private static let portDefault = 7878
        static let etcdDefault = "http://127.0.0.1:2379"

        /// Which of them are given.
        static func given(_ parsed: Parsed) -> [String] { options.map(\.name).filter { parsed.has($0) } }

        /// - Parameter isNeeded: whether there are such directories at all; options about them are refused otherwise.
        init?(_ parsed: Parsed, validators: Int, isNeeded: Bool, follows: Bool = false) throws {
            guard isNeeded else {
                if let name = Self.given(parsed).first {
                    throw CommandError(
                        code: "apart-option", field: "--\(name)",
                        reason: "it is about directories for machines of their own: give --apart or --join too",
                        exit: .usage)
                }
                return nil
            }
            let urls = parsed.texts("node-url")
            guard urls.isEmpty || urls.count == validators else {
                throw CommandError(
                    code: "node-urls", field: "--node-url",
                    reason: "\(urls.count) are given for \(Counted.text(validators, "validator")); give one for each, "
                        + "in their order, or none", exit: .usage)
            }
            try self.init(
                parsed, follows: follows, nodeCount: follows ? 1 : validators,
                nodes: urls.isEmpty ? (0..<validators).map { "http://127.0.0.1:\(Self.portDefault + $0)" } : urls)
        }

        /// - Parameters:
        ///   - nodeCount: for how many nodes the options about the cluster are.
        ///   - nodes: where those of the validators are, in their order.
        init(_ parsed: Parsed, follows: Bool = false, nodeCount: Int = 1, nodes: [String]) throws {
            self.nodes = nodes
            // Who follows may do so without the cluster.
            let members = parsed.texts("etcd")
            etcd = members.isEmpty && !follows ? [Self.etcdDefault] : members
            let (users, files) = (parsed.texts("etcd-user"), parsed.texts("etcd-password-file"))
            guard users.count <= 1 || users.count == nodeCount else {
                throw CommandError(
                    code: "etcd-users", field: "--etcd-user",
                    reason:
                        "\(users.count) are given for \(Counted.text(nodeCount, "node")); give one for each, in their "
                        + "order, or one for all", exit: .usage)
            }
            guard files.isEmpty || files.count == users.count else {
                throw CommandError(
                    code: "etcd-users", field: "--etcd-password-file",
                    reason: "\(files.count) are given for \(Counted.text(users.count, "user")); give one for each "
                        + "--etcd-user", exit: .usage)
            }
            etcdUsers = users.enumerated().map { ($1, files.isEmpty ? nil : files[$0]) }
            copies = [
                ("ca", "nodes-ca.pem"), ("etcd-ca", "etcd-ca.pem"), ("etcd-certificate", "etcd-client.pem"),
                ("etcd-key", "etcd-client.key"),
            ].compactMap { option, name in parsed.text(option).map { (name, $0) } }
        }

        private func copied(_ name: String) -> String? { copies.contains { $0.name == name } ? name : nil }

        private static let passwordFile = "etcd.password"

        /// Who an organisation's node is to the cluster.
        private func user(
            _ organisation: OrganisationID, in genesis: Genesis
        ) -> (name: String, passwordFile: String?)? {
            guard etcdUsers.count > 1 else { return etcdUsers.first }
            return genesis.validators.firstIndex { $0.id == organisation }.map { etcdUsers[$0] }
        }

        /// The setup of one organisation's node.
        func file(_ organisation: OrganisationID, in genesis: Genesis) throws -> NodeFile {
            let user = user(organisation, in: genesis)
            let file = NodeFile(
                organisation: organisation,
                ordering: etcd.isEmpty
                    ? nil
                    : NodeFile.Ordering(
                        endpoints: etcd, ca: copied("etcd-ca.pem"), certificate: copied("etcd-client.pem"),
                        key: copied("etcd-client.key"), user: user?.name,
                        passwordFile: user?.passwordFile.map { _ in Self.passwordFile }),
                peers: zip(genesis.validators, nodes).filter { $0.0.id != organisation }.map { validator, url in
                    NodeFile.Peer(organisation: validator.id, url: url, ca: copied("nodes-ca.pem"))
                })
            // What a node would refuse is not written.
            do throws(JSONError) { return try Form.nodeFile.parse(Form.nodeFile.write(file)) } catch {
                throw CommandError(
                    code: "node-file", field: "\(NodeFile.name): \(error.path)", reason: error.reason, exit: .usage)
            }
        }

        /// Writes the setup and the files that it names into a directory.
        func write(_ organisation: OrganisationID, in genesis: Genesis, to directory: String) throws {
            let password = user(organisation, in: genesis)?.passwordFile.map { (name: Self.passwordFile, file: $0) }
            for (name, source) in copies + [password].compactMap(\.self) {
                try Files.write(Files.read(source), to: directory + "/" + name)
            }
            let text = Form.nodeFile.write(try file(organisation, in: genesis)).indentedText
            try Files.write(Array(text.utf8), to: NodeSetup.path(directory))
        }
    }

    /// A directory that follows a chain that there is: with keys of its own, of which nobody else knows yet.
    /// - Returns: the voting key, by which the others know it.
    static func join(
        _ genesis: Genesis, as organisation: OrganisationID, at path: String, _ machines: Machines,
        passphrase: [UInt8]?
    ) throws -> PublicKey {
        guard !genesis.validators.contains(where: { $0.id == organisation }) else {
            throw CommandError(
                code: "organisation-taken", field: "--organisation",
                reason: "\(organisation) is a validator of this chain already; its directory was made with the chain",
                exit: .usage)
        }
        return try NewDirectory(path).fill { making in
            let keys = try OrganisationKeys(organisation, in: making, passphrase)
            try finish(making, organisation, genesis)
            try machines.write(organisation, in: genesis, to: making)
            return keys.voting!.publicKey
        }
    }
}
