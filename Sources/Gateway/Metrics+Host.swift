import Wire

/// Figures of the machine under a node.
extension Metrics {
    /// Files of certificates are labelled by their path on this machine, of which there are few.
    static func text(_ host: HostReport) -> String {
        var out = ""
        func one(_ name: String, _ about: String, _ value: UInt64) {
            out += head(name, "gauge", about) + "\(name) \(value)\n"
        }
        if let disk = host.disk {
            one("lianfen_disk_free_bytes", "Bytes free on the disk of the node's directory.", disk.free)
            one("lianfen_disk_bytes", "All bytes of that disk.", disk.total)
            one("lianfen_disk_reserve_bytes", "Below so many free ones nothing new is taken up.", disk.reserve)
            one("lianfen_disk_nearly_full", "1 where nothing new is taken up for that.", disk.isNearlyFull ? 1 : 0)
        }
        let ends = host.certificates.compactMap { file in file.endsAt.map { (file.file, $0) } }
        if !ends.isEmpty {
            out += head(
                "lianfen_certificate_ends_seconds", "gauge",
                "When the first TLS certificate in a file ends, in seconds since 1970 UTC.")
            for (file, end) in ends {
                out += "lianfen_certificate_ends_seconds{file=\"\(escaped(file))\"} \(end / 1000)\n"
            }
        }
        guard let backup = host.backup else { return out }
        one(
            "lianfen_backup_verified_seconds",
            "When the newest backup that was read back was made, in seconds since 1970 UTC; 0 where there is none.",
            (backup.verified?.madeAt ?? 0) / 1000)
        one("lianfen_backup_verified_height", "Its height.", backup.verified?.height ?? 0)
        one("lianfen_backup_bytes", "Bytes of all that it consists of.", backup.verified?.byteCount ?? 0)
        one("lianfen_backup_failing", "1 where a later one failed.", backup.failure == nil ? 0 : 1)
        return out
    }

    /// As the format wants the values of labels.
    static func escaped(_ text: String) -> String {
        text.reduce(into: "") { out, character in
            switch character {
            case "\\": out += "\\\\"
            case "\"": out += "\\\""
            case "\n": out += "\\n"
            default: out.append(character)
            }
        }
    }
}
