import Concurrency

/// Bytes of memory that many share.
final class Budget: Sendable {
    /// Up to here a body or answer counts as small, and may use the last quarter too: a few large ones must not keep a
    /// till's small ones out.
    static let smallBytesMax = 64 << 10

    private let bytesMax: Int
    private let taken = Locked(0)

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    var bytesTaken: Int { taken.withLock { $0 } }

    /// - Parameter total: the bytes that its owner has then in all.
    /// - Returns: false, and nothing is taken, where they would be too many.
    func take(_ bytes: Int, total: Int) -> Bool {
        let bound = total <= Self.smallBytesMax ? bytesMax : bytesMax - bytesMax / 4
        return taken.withLock { taken in
            guard taken + bytes <= bound else { return false }
            taken += bytes
            return true
        }
    }

    func give(_ bytes: Int) {
        if bytes > 0 { taken.withLock { $0 -= bytes } }
    }
}
