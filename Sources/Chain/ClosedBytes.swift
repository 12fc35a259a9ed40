import Canonical
import Crypto

// What is kept or handed on as a whole: a magic, a version, what it holds, and a digest of all before it. That digest
// proves nothing to whoever can compute it; see `Proof` for what it is good for.

private let version: UInt8 = 1

extension Encoder {
    mutating func closed(_ domain: Domain, magic: [UInt8], _ write: (inout Encoder) -> Void) {
        let start = count
        fixed(magic)
        u8(version)
        write(&self)
        let digest = withBytes(from: start) { SHA256.hash(domain, $0) }
        value(digest)
    }
}

extension Decoder {
    /// - Throws: also where magic, version or digest are others.
    mutating func closed<V>(
        _ domain: Domain, magic: [UInt8], _ read: (inout Decoder) throws(DecodingError) -> V
    ) throws(DecodingError) -> V {
        let start = offset
        guard try fixed(magic.count) == magic, try u8() == version else { throw refusal(.invalidValue) }
        let held = try read(&self)
        let digest = SHA256.hash(domain, bytes(from: start))
        guard try value() == digest else { throw refusal(.invalidValue) }
        return held
    }
}
