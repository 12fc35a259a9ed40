import Glibc
import Synchronization

/// The names of a process's requests: a few random characters of the process, and a number.
final class RequestNames: Sendable {
    private let prefix: UInt64 = UInt64.random(in: 0..<(1 << 30))
    private let count = Atomic<UInt64>(0)

    func next() -> UInt64 { count.wrappingAdd(1, ordering: .relaxed).newValue }

    /// Fifteen characters at most: a text of that size needs no memory of its own.
    func name(_ number: UInt64) -> String {
        var bytes = InlineArray<15, UInt8>(repeating: UInt8(ascii: "-"))
        Self.write(prefix, into: &bytes, at: 0..<6)
        Self.write(number, into: &bytes, at: 7..<15)
        return String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
    }

    /// In base 32, whose digits sort as the numbers do.
    private static func write(_ value: UInt64, into bytes: inout InlineArray<15, UInt8>, at places: Range<Int>) {
        var rest = value
        for place in places.reversed() {
            let digit = UInt8(rest & 31)
            bytes[place] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            rest >>= 5
        }
    }
}

/// Microseconds on a clock that never jumps.
func monotonicMicroseconds() -> UInt64 {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000 + UInt64(now.tv_nsec / 1000)
}
