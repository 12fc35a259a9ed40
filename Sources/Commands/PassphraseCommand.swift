import Canonical
import Crypto
import JSON
import Ledger
import Terminal

/// `lianfen passphrase`: another passphrase for the keys of a directory.
enum PassphraseCommand {
    static let command = Command(
        "passphrase", "seal keys under another passphrase",
        details: """
            Seals every key in DIR (keys, voting keys, wallets) and in each FILE under the new passphrase, also those \
            that lay there in the clear. All of them are opened first: where one does not open, nothing is changed. \
            Interrupted, the same command goes on where it stood. The keys themselves stay what they are; whoever may \
            have seen a key needs `lianfen consortium rekey`. A running node goes on; restart it with the new \
            passphrase before its next exchange of keys.
            """,
        options: [
            .path("dir", placeholder: "DIR", help: "a chain's or a founder's directory"),
            .path("key", placeholder: "FILE", .repeated, help: "a key's file, such as that of a backup's recipient"),
            Passphrase.option, Passphrase.newOption,
        ]
    ) { parsed, console in
        let kept = try parsed.texts("key").map(Kept.init(key:)) + (parsed.text("dir").map(all(in:)) ?? [])
        guard !kept.isEmpty else {
            throw CommandError(
                code: "keys-missing", field: "--dir",
                reason: "no keys lie there; name a directory or files that have some", exit: .usage)
        }
        let (old, new) = (try Passphrase(parsed).bytes(), try Passphrase.new(parsed))
        guard old != new else {
            throw CommandError(
                code: "passphrase-same", field: "--new-passphrase-file", reason: "it is the passphrase that they have",
                exit: .usage)
        }
        // All are opened before the first is written.
        let bar = ProgressBar(console, "opening:", unit: "keys", total: kept.count)
        let opened = try kept.enumerated().map { index, one in
            defer { bar.set(index + 1) }
            return (one, try one.open(old, orAlready: new))
        }
        bar.finish()
        let changed = opened.compactMap { one, key in key.map { (one, $0) } }
        for (one, key) in changed { try one.write(KeyFile(sealing: key, passphrase: new)) }
        let already = kept.count - changed.count
        console.answer(
            ["sealed": .array(changed.map { .string($0.0.file) }), "already": JSONValue(already)],
            text: "Sealed under the new passphrase: \(Counted.text(changed.count, "key"))"
                + (already > 0 ? ", beside \(already) that were so already." : "."))
        return .ok
    }

    /// A file with a key in it.
    private struct Kept {
        let file: String
        let keyFile: KeyFile
        /// The whole file with another seal.
        let bytes: (KeyFile) -> [UInt8]

        init(key file: String) throws {
            self.file = file
            keyFile = try ChainDirectory.keyFile(file)
            bytes = \.canonicalBytes
        }

        init(wallet entry: Wallets.Entry) {
            file = entry.file
            keyFile = entry.keyFile
            bytes = { keyFile in
                var entry = entry
                entry.keyFile = keyFile
                return entry.bytes
            }
        }

        /// The key; nil where it is sealed under the new passphrase already.
        func open(_ old: [UInt8]?, orAlready new: [UInt8]) throws -> SecretKey? {
            if keyFile.isSealed, (try? keyFile.open(passphrase: new)) != nil { return nil }
            do { return try keyFile.open(passphrase: old) } catch {
                throw CommandError(
                    code: "key-sealed", field: file, reason: "\(error.rawValue)\(Passphrase.hint); no key was changed")
            }
        }

        func write(_ keyFile: KeyFile) throws { try Files.write(bytes(keyFile), to: file) }
    }

    private static func all(in path: String) throws -> [Kept] {
        let nodes = try Files.names(in: path + "/nodes").map { path + "/nodes/" + $0 }
        let keys = try ([path + "/keys"] + nodes).flatMap { place in
            try Files.names(in: place).filter { $0.hasSuffix(".key") }.map { try Kept(key: "\(place)/\($0)") }
        }
        return keys + (try Wallets.all(in: ChainDirectory.walletsPath(path)).map(Kept.init(wallet:)))
    }
}
