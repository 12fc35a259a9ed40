import Backup
import Crypto
import HTTPClient
import Terminal
import Wire

/// Where backups of a node go: as `node.json` says, or the command line.
struct BackupSetup {
    let place: any BackupPlace
    let recipients: [PublicKey]
    let retention: Retention
    let everySeconds: UInt64

    /// From `node.json`, whose files are named from `directory`.
    init(_ backup: NodeFile.Backup, in directory: String) throws {
        place = try Self.place(backup.store, backup.s3, in: directory)
        recipients = backup.recipients
        // So that a key that nobody can be is found at the start, and not a day later.
        do throws(ParcelError) { _ = try ParcelSealer(to: recipients) } catch {
            throw CommandError(code: "backup-recipient", field: "recipients", reason: "\(error)")
        }
        retention = Retention(
            newest: backup.keep.newest, days: backup.keep.days, weeks: backup.keep.weeks, months: backup.keep.months)
        everySeconds = backup.everySeconds
    }

    // MARK: The command line

    /// What names a place on the command line.
    static let options: [Option] = [
        .string(
            "store", placeholder: "STORE",
            help: "a directory, or s3://BUCKET/PREFIX; default: as DIR/node.json has it"),
        .string("endpoint", placeholder: "URL", help: "scheme, host and port of an s3:// store"),
        .string("region", placeholder: "REGION", .fallback(NodeFile.Backup.S3.regionDefault), help: "its region"),
        .string("access-key", placeholder: "KEY", help: "who you are to it"),
        .path("secret-file", placeholder: "FILE", help: "the first line of this file is the access key's secret"),
        .path("store-ca", placeholder: "FILE", help: "PEM file of the authorities that vouch for it"),
    ]

    /// The place that the command line names; nil where it names none.
    static func place(_ parsed: Parsed) throws -> (any BackupPlace)? {
        let others = ["endpoint", "access-key", "secret-file", "store-ca"]
        guard let store = parsed.text("store") else {
            if let name = others.first(where: { parsed.has($0) }) {
                throw CommandError(
                    code: "store-option", field: "--\(name)", reason: "it is about a store at s3://: give --store too",
                    exit: .usage)
            }
            return nil
        }
        guard store.hasPrefix("s3://") else {
            if let name = others.first(where: { parsed.has($0) }) {
                throw CommandError(
                    code: "store-option", field: "--\(name)",
                    reason: "it is about a store at s3://, and --store names a directory", exit: .usage)
            }
            return try place(store, nil, in: ".")
        }
        func required(_ name: String) throws -> String {
            guard let text = parsed.text(name) else {
                throw CommandError(
                    code: "missing", field: "--\(name)", reason: "a store at s3:// needs it", exit: .usage)
            }
            return text
        }
        let endpoint = try NodeOption.url(try required("endpoint"), field: "--endpoint")
        let s3 = NodeFile.Backup.S3(
            endpoint: endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint,
            region: parsed.requiredText("region"), accessKey: try required("access-key"),
            secretFile: try required("secret-file"), ca: parsed.text("store-ca"))
        return try place(store, s3, in: ".")
    }

    private static func place(_ store: String, _ s3: NodeFile.Backup.S3?, in directory: String) throws
        -> any BackupPlace
    {
        func named(_ file: String) -> String { file.hasPrefix("/") || directory == "." ? file : directory + "/" + file }
        guard let s3 else { return DirectoryPlace(path: named(store)) }
        let parts = store.dropFirst("s3://".count).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let bucket = String(parts[0])
        guard (3...63).contains(bucket.utf8.count),
            bucket.utf8.allSatisfy({
                (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D || $0 == 0x2E
            })
        else {
            throw CommandError(
                code: "store-invalid", field: "store",
                reason: "\(CommandError.quoted(store)) is none; write s3://BUCKET/PREFIX, the bucket of 3 to 63 "
                    + "lower-case letters, digits, dashes and points", exit: .usage)
        }
        let secret = try Files.firstLine(named(s3.secretFile))
        guard !secret.isEmpty else {
            throw CommandError(
                code: "secret-empty", field: named(s3.secretFile),
                reason: "the first line, which is to be the secret, is empty")
        }
        return try BackupCommands.explaining {
            try S3Place(
                S3Place.Configuration(
                    endpoint: s3.endpoint, bucket: bucket, prefix: parts.count > 1 ? String(parts[1]) : "",
                    signing: HTTPClientConfiguration.Signing(
                        region: s3.region, accessKey: s3.accessKey, secret: String(decoding: secret, as: UTF8.self)),
                    authorities: s3.ca.map(named)))
        }
    }
}
