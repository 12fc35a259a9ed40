/// Looks for many byte strings at once in a lot of bytes: a bitmap over their first bytes answers almost every place.
struct NeedleSearch {
    static let prefixBytes = 7
    private static let bitmapBits: UInt64 = 27

    private var byPrefix: [UInt64: [[UInt8]]] = [:]
    private var bitmap = [UInt64](repeating: 0, count: 1 << (bitmapBits - 6))

    mutating func add(_ needle: [UInt8]) {
        precondition(needle.count >= Self.prefixBytes)
        let prefix = needle.prefix(Self.prefixBytes).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        byPrefix[prefix, default: []].append(needle)
        let slot = Self.slot(prefix)
        bitmap[Int(slot >> 6)] |= 1 << (slot & 63)
    }

    var count: Int { byPrefix.values.reduce(0) { $0 + $1.count } }

    /// The first needle that stands in the bytes.
    func find(in haystack: [UInt8]) -> [UInt8]? {
        haystack.withUnsafeBufferPointer { bytes in
            bitmap.withUnsafeBufferPointer { bitmap in
                var window: UInt64 = 0
                var at = 0
                let end = bytes.count
                while at < end {
                    window = (window << 8 | UInt64(truncatingIfNeeded: bytes[at])) & 0xFF_FFFF_FFFF_FFFF
                    at += 1
                    let slot = (window &* 0x9E37_79B9_7F4A_7C15) >> (64 - Self.bitmapBits)
                    guard bitmap[Int(truncatingIfNeeded: slot >> 6)] & (1 << (slot & 63)) != 0, at >= Self.prefixBytes
                    else { continue }
                    for needle in byPrefix[window] ?? [] {
                        let start = at - Self.prefixBytes
                        if start + needle.count <= end, needle.indices.allSatisfy({ needle[$0] == bytes[start + $0] }) {
                            return needle
                        }
                    }
                }
                return nil
            }
        }
    }

    private static func slot(_ prefix: UInt64) -> UInt64 { (prefix &* 0x9E37_79B9_7F4A_7C15) >> (64 - bitmapBits) }
}
