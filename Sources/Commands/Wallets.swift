import Canonical
import Crypto
import Glibc
import Ledger
import Node
import Storage
import Terminal
import Wallet

/// Wallets that live in a chain's directory: `wallets/NAME.wallet` holds an account id and its key.
struct Wallets {
    let directory: ChainDirectory

    static let nameBytesMax = 32

    init(_ directory: ChainDirectory) { self.directory = directory }

    struct Entry {
        let name: String
        let file: String
        let account: AccountID
        var keyFile: KeyFile

        fileprivate init(name: String, file: String, account: AccountID, keyFile: KeyFile) {
            (self.name, self.file, self.account, self.keyFile) = (name, file, account, keyFile)
        }

        fileprivate init(name: String, file: String) throws {
            do {
                var decoder = Decoder(try Files.read(file))
                self.init(name: name, file: file, account: try decoder.value(), keyFile: try decoder.value())
                try decoder.finish()
            } catch let error as DecodingError {
                throw CommandError(code: "wallet-invalid", field: file, reason: "the file is not a wallet: \(error)")
            }
        }

        /// As it lies in its file.
        var bytes: [UInt8] {
            var encoder = Encoder()
            encoder.value(account)
            encoder.value(keyFile)
            return encoder.bytes
        }
    }

    func path(_ name: String) throws -> String {
        let allowed = name.utf8.allSatisfy {
            (0x61...0x7A).contains($0 | 0x20) || (0x30...0x39).contains($0) || $0 == 0x2D || $0 == 0x5F
        }
        guard (1...Self.nameBytesMax).contains(name.utf8.count), allowed, !name.lowercased().hasPrefix("lf1") else {
            throw CommandError(
                code: "wallet-name",
                reason: "a wallet's name is 1 to 32 letters, digits, - and _, and does not begin "
                    + "with lf1: \(CommandError.quoted(name)) is not", exit: .usage)
        }
        return directory.walletsPath + "/\(name).wallet"
    }

    func has(_ name: String) throws -> Bool {
        let file = try path(name)
        return try Files.names(in: directory.walletsPath).contains { file.hasSuffix("/\($0)") }
    }

    func entry(_ name: String) throws -> Entry {
        let file = try path(name)
        guard Files.exists(file) else {
            throw CommandError(
                code: "wallet-unknown",
                reason: "there is no wallet \(CommandError.quoted(name)) here; "
                    + "`lianfen wallet show --dir \(directory.path)` lists them")
        }
        return try Entry(name: name, file: file)
    }

    func author(_ name: String) throws -> Author {
        let entry = try entry(name)
        do {
            let key = try entry.keyFile.open(
                passphrase: entry.keyFile.isSealed ? try directory.passphrase.bytes() : nil)
            return Author(.account(entry.account), key)
        } catch let error as KeyFileError {
            throw CommandError(code: "key-sealed", field: name, reason: error.rawValue + Passphrase.hint)
        }
    }

    func all() throws -> [Entry] { try Self.all(in: directory.walletsPath) }

    /// Those in the directory of wallets.
    static func all(in path: String) throws -> [Entry] {
        try Files.names(in: path).filter { $0.hasSuffix(".wallet") }.map {
            try Entry(name: String($0.dropLast(".wallet".count)), file: "\(path)/\($0)")
        }
    }

    /// Stores a new wallet. Sealed under the passphrase; in the clear only where the chain's own keys are.
    func store(_ name: String, _ account: AccountID, _ key: SecretKey) throws {
        let passphrase = try directory.passphrase.bytes()
        let keys = directory.path + "/keys/"
        let first = try Files.names(in: keys).first { $0.hasSuffix("-issuing.key") }
        let issuing = first.flatMap { try? KeyFile(canonicalBytes: try Files.read(keys + $0)) }
        guard passphrase != nil || issuing?.isSealed == false else {
            throw CommandError(
                code: "passphrase-missing", field: "--passphrase-file",
                reason: "a wallet's key is sealed under a passphrase" + Passphrase.hint)
        }
        try Files.makeDirectory(directory.walletsPath)
        let keyFile = passphrase.map { KeyFile(sealing: key, passphrase: $0) } ?? KeyFile(clear: key)
        let entry = Entry(name: name, file: try path(name), account: account, keyFile: keyFile)
        try Files.write(entry.bytes, to: entry.file)
    }

    /// Takes back a wallet whose account was refused.
    func remove(_ name: String) throws { unlink(try path(name)) }

    /// An account by its id or by the name of a wallet here.
    func account(_ text: String) throws -> AccountID {
        guard text.lowercased().hasPrefix(AccountID.prefix + "1") else { return try entry(text).account }
        do throws(Bech32m.Failure) { return try AccountID(text: text) } catch let failure {
            throw CommandError(
                code: "account-invalid", reason: "\(CommandError.quoted(text)) is no account id: \(failure.rawValue)",
                exit: .usage)
        }
    }

    static func unit(_ text: String) throws -> UnitCode {
        guard let unit = UnitCode(text) else {
            throw CommandError(
                code: "unit-invalid", field: "--unit",
                reason: "a unit's code is 1 to 16 of A–Z 0–9 - _ and begins with a letter: "
                    + "\(CommandError.quoted(text)) is not", exit: .usage)
        }
        return unit
    }

    /// Waits for the first certificate of a new chain: before it there is nothing that could be proved.
    static func waitUntilCertified(_ consortium: Consortium) throws {
        for _ in 0..<300 {
            if consortium.first.status.committed > 0 { return }
            if let halt = consortium.halted.first { throw ChainDirectory.explain(halt) }
            usleep(100_000)
        }
        throw CommandError(
            code: "no-certificate", reason: "no block was certified within 30 seconds", exit: .environment)
    }
}

/// An amount as a person writes it and as the ledger counts it: `12.5` of a unit with one decimal is 125.
struct AmountText {
    static func parse(_ text: String, decimals: Int) throws -> UInt64 {
        func refuse(_ reason: String) -> CommandError {
            CommandError(
                code: "amount-invalid", field: "--amount", reason: "\(CommandError.quoted(text)): \(reason)",
                exit: .usage)
        }
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, !whole.isEmpty, parts.allSatisfy({ $0.utf8.allSatisfy(isDigit) }) else {
            throw refuse("an amount is written in digits")
        }
        let fraction = parts.count == 2 ? String(parts[1]) : ""
        guard parts.count == 1 || !fraction.isEmpty, fraction.utf8.count <= decimals else {
            throw refuse(
                decimals == 0
                    ? "points of this unit are whole" : "this unit has at most \(Counted.text(decimals, "decimal"))")
        }
        let digits = whole + fraction + String(repeating: "0", count: decimals - fraction.utf8.count)
        guard let amount = UInt64(digits) else { throw refuse("it is too large") }
        return amount
    }

    static func show(_ amount: UInt64, decimals: Int) -> String {
        guard decimals > 0 else { return String(amount) }
        let digits = String(amount)
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        return "\(padded.dropLast(decimals)).\(padded.suffix(decimals))"
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
