import Concurrency
import Crypto
import Wire

/// Looks after the machine under a node: its disk, the certificates' dates, the backups. Cheap to ask, since it looks
/// again only after a while.
final class HostWatch: Sendable {
    private struct State {
        var report = HostReport()
        var diskAt: UInt64?
        var filesAt: UInt64?
        var shown: (file: String, pem: [UInt8])?
    }

    private let path: String
    private let reserve: UInt64?
    private let certificates: [String]
    private let backs: Bool
    private let state = Locked(State())

    private static let diskMilliseconds: UInt64 = 500
    private static let filesMilliseconds: UInt64 = 10_000

    /// What is kept free where nobody says: a twentieth, at least what RocksDB may want at once several times over.
    private static let reserveShare: UInt64 = 20
    private static let reserveBytes: ClosedRange<UInt64> = 64 << 20...2 << 30

    /// - Parameters:
    ///   - path: of the node's directory.
    ///   - reserve: bytes below which nothing new is taken up; none: a share of the disk.
    ///   - certificates: files of TLS certificates in use.
    init(_ path: String, reserve: UInt64?, certificates: [String], backs: Bool) {
        self.path = path
        self.reserve = reserve
        self.certificates = certificates
        self.backs = backs
    }

    /// The certificate that the doors show from now on, whatever lies in its file meanwhile.
    func show(_ pem: [UInt8], of file: String) {
        state.withLock { state in
            state.shown = (file, pem)
            state.filesAt = nil
        }
    }

    var report: HostReport {
        state.withLock { state in
            let now = wallClockMilliseconds()
            if Self.isOld(state.diskAt, Self.diskMilliseconds, now) {
                state.diskAt = now
                state.report.disk = Files.room(at: path).map { room in
                    HostReport.Disk(
                        free: room.free, total: room.total, reserve: reserve ?? Self.reserve(of: room.total))
                }
            }
            if Self.isOld(state.filesAt, Self.filesMilliseconds, now) {
                state.filesAt = now
                state.report.certificates = certificates.map { file in
                    let pem = state.shown?.file == file ? state.shown?.pem : try? Files.read(file)
                    return HostReport.Certificate(file: file, endsAt: pem.flatMap { Certificates.end(pem: $0) })
                }
                state.report.backup = backs ? BackupRecord.read(path) : nil
            }
            return state.report
        }
    }

    private static func reserve(of total: UInt64) -> UInt64 {
        min(max(total / reserveShare, reserveBytes.lowerBound), reserveBytes.upperBound)
    }

    /// Whether something was looked at so long ago; a clock that was set back lets it be looked at again.
    private static func isOld(_ at: UInt64?, _ milliseconds: UInt64, _ now: UInt64) -> Bool {
        guard let at else { return true }
        return now < at || now - at >= milliseconds
    }
}
