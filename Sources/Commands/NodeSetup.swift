import Crypto
import HTTPClient
import JSON
import Ledger
import OrderingEtcd
import Peers
import Terminal
import Wire

/// The setup of one organisation's node, as `node.json` in its directory has it, with the files that it names.
struct NodeSetup {
    let file: NodeFile
    let etcd: EtcdConfiguration?
    let peers: [PeerConfiguration]
    let backup: BackupSetup?

    /// Files of TLS certificates that it names.
    var certificates: [String] {
        var files: [String] = []
        if case .file(let authorities)? = etcd?.authorities { files.append(authorities) }
        if let identity = etcd?.identity { files.append(identity.certificateFile) }
        for file in peers.compactMap(\.authorities) where !files.contains(file) { files.append(file) }
        return files
    }

    static func path(_ directory: String) -> String { directory + "/" + NodeFile.name }
    static func exists(in directory: String) -> Bool { Files.exists(path(directory)) }

    /// Reads it. Everything that is wrong with it is found here, before anything is done for its sake.
    init(_ directory: ChainDirectory) throws {
        let path = Self.path(directory.path)
        func refused(_ place: String, _ reason: String) -> CommandError {
            CommandError(code: "node-file", field: "\(path): \(place)", reason: reason)
        }
        /// A file that it names, which has to be there and to be read.
        func readable(_ name: String?, _ place: String) throws -> String? {
            guard let name else { return nil }
            let file = name.hasPrefix("/") ? name : directory.path + "/" + name
            do { _ = try Files.read(file) } catch let error as CommandError {
                throw refused(
                    place, "\(CommandError.quoted(name)), in the directory of \(NodeFile.name): \(error.reason)")
            }
            return file
        }
        do {
            file = try Form.nodeFile.parse(JSONValue(parsing: Files.read(path, max: NodeFile.bytesMax)))
        } catch let error as JSONError { throw refused(error.path, error.reason) }
        peers = try file.peers.enumerated().map { index, peer in
            PeerConfiguration(
                organisation: peer.organisation, url: peer.url,
                authorities: try readable(peer.ca, "$.peers[\(index)].ca"))
        }
        if let secret = file.backup?.s3?.secretFile { _ = try readable(secret, "$.backup.s3.secretFile") }
        if let ca = file.backup?.s3?.ca { _ = try readable(ca, "$.backup.s3.ca") }
        do { backup = try file.backup.map { try BackupSetup($0, in: directory.path) } } catch let error as CommandError
        {
            throw refused("$.backup", error.reason)
        }
        guard let ordering = file.ordering else {
            etcd = nil
            return
        }
        var etcd = EtcdConfiguration(endpoints: ordering.endpoints, chain: directory.genesis.chain)
        if let ca = try readable(ordering.ca, "$.ordering.ca") { etcd.authorities = .file(ca) }
        if let certificate = try readable(ordering.certificate, "$.ordering.certificate"),
            let key = try readable(ordering.key, "$.ordering.key")
        {
            etcd.identity = .init(certificateFile: certificate, keyFile: key)
        }
        if let user = ordering.user, let file = try readable(ordering.passwordFile, "$.ordering.passwordFile") {
            let password = try Files.firstLine(file)
            guard !password.isEmpty else {
                throw refused("$.ordering.passwordFile", "the first line of \(CommandError.quoted(file)) is empty")
            }
            etcd.login = .init(user: user, password: String(decoding: password, as: UTF8.self))
        }
        etcd.quotaBytes = ordering.quotaBytes
        etcd.voter = file.organisation.number
        self.etcd = etcd
    }
}
