import Canonical
import Glibc
import Testing

/// One byte on the wire, 64 KiB in memory.
private struct Wide: Canonical {
    let bytes: InlineArray<65536, UInt8>

    func encode(to encoder: inout Encoder) { encoder.u8(bytes[0]) }

    init(from decoder: inout Decoder) throws(DecodingError) {
        bytes = InlineArray(repeating: try decoder.u8())
        if bytes[0] == 0 { throw decoder.refusal(.invalidValue) }
    }
}

@Suite struct ReservationTests {
    /// A list that claims a value a byte, of values much larger than a byte, and whose first value is wrong.
    /// Reserved in full that would be 256 GiB, and no system gives that.
    @Test func lengthDoesNotReserveMoreThanTheInput() async {
        await #expect(processExitsWith: .success) {
            var encoder = Encoder()
            encoder.byteString([UInt8](repeating: 0, count: 1 << 22))
            var decoder = Decoder(encoder.bytes)
            do throws(DecodingError) {
                _ = try decoder.sequence(of: Wide.self, max: 1 << 22)
                exit(1)
            } catch {
                exit(error.reason == .invalidValue ? 0 : 1)
            }
        }
    }
}
