import Canonical
import Crypto
import Glibc
import Terminal

/// Where one key of an organisation lies, and beside it the one that is to take its place: of `nodes/3/voting.key` that
/// is `nodes/3/voting.next.key`, and what was replaced is kept as `nodes/3/voting.former-1A2B3C4D.key`, with the first
/// digits of its public key.
struct KeyPlace {
    /// Without the end `.key`.
    private let stem: String

    init(_ file: String) {
        precondition(file.hasSuffix(".key"), "a key's file ends with .key")
        stem = String(file.dropLast(4))
    }

    var file: String { stem + ".key" }
    var next: String { stem + ".next.key" }

    private func former(_ key: PublicKey) -> String {
        "\(stem).former-\(String(key.description.dropFirst(2).prefix(8))).key"
    }

    /// The public keys of what lies there, which can be read of a sealed file too.
    var publicKey: PublicKey? { get throws { try Self.publicKey(file) } }
    var nextPublicKey: PublicKey? { get throws { try Self.publicKey(next) } }

    private static func publicKey(_ file: String) throws -> PublicKey? {
        guard Files.exists(file) else { return nil }
        return try ChainDirectory.keyFile(file).publicKey
    }

    /// The present key and the next one, as far as they are there.
    /// - Throws: where there is neither, or one cannot be opened.
    func keys(_ passphrase: Passphrase) throws -> [SecretKey] {
        let there = [file, next].filter { Files.exists($0) }
        return try (there.isEmpty ? [file] : there).map { try ChainDirectory.readKey($0, passphrase) }
    }

    /// The secret key of a public one; nil where neither file has it.
    func find(_ key: PublicKey, _ passphrase: Passphrase) throws -> SecretKey? {
        for file in [file, next] where try Self.publicKey(file) == key {
            return try ChainDirectory.readKey(file, passphrase)
        }
        return nil
    }

    /// Of keys that were opened here before, the one that is in place now: no passphrase is asked for again.
    func present(of opened: [SecretKey]) throws -> SecretKey {
        let present = try publicKey
        guard let key = opened.last(where: { $0.publicKey == present }) else {
            throw CommandError(
                code: "key-foreign", field: file,
                reason: "it is not the key with which the node runs; restart the node, or put its key back",
                exit: .environment)
        }
        return key
    }

    /// Draws the next key, or takes up the one that was drawn before and has come to nothing yet. It is on disk before
    /// anybody hears of it.
    func draw(_ passphrase: Passphrase) throws -> SecretKey {
        if Files.exists(next) { return try ChainDirectory.readKey(next, passphrase) }
        // The next key is kept as the present one is.
        let isSealed = try ChainDirectory.keyFile(file).isSealed
        var seal: [UInt8]?
        if isSealed {
            // Whoever cannot open the present key would seal the next one under a passphrase that nobody knows.
            _ = try ChainDirectory.readKey(file, passphrase)
            seal = try passphrase.bytes()
        }
        let key = try KeyFile.make(at: next, passphrase: seal)
        try syncDirectory()
        return key
    }

    /// Puts the next key in the place of the present one, which is kept under a name that says what it is. Whatever
    /// happens in between, both are there, and the same again comes to the same.
    func takeNext() throws {
        guard let old = try publicKey else {
            guard rename(next, file) == 0 else { throw Files.failure("put the new key in its place", next) }
            return try syncDirectory()
        }
        guard link(file, former(old)) == 0 || errno == EEXIST else { throw Files.failure("keep the old key", file) }
        guard rename(next, file) == 0 else { throw Files.failure("put the new key in its place", next) }
        try syncDirectory()
    }

    /// A name that a crash may take back would be a key that nobody has.
    private func syncDirectory() throws {
        let path = Files.directory(of: file)
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Files.failure("sync the directory", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Files.failure("sync the directory", path) }
    }
}
