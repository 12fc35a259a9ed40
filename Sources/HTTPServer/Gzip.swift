import CZlib

/// The bytes in gzip's format, as small as zlib makes them; nil where it refuses.
func gzip(_ bytes: [UInt8]) -> [UInt8]? {
    var stream = unsafe z_stream()
    guard unsafe lf_zlib_begin_gzip(&stream) == Z_OK else { return nil }
    defer { unsafe deflateEnd(&stream) }
    let bound = unsafe Int(deflateBound(&stream, UInt(bytes.count)))
    var input = bytes
    return unsafe input.withUnsafeMutableBufferPointer { input in
        let packed = unsafe [UInt8](unsafeUninitializedCapacity: bound) { output, count in
            unsafe stream.next_in = input.baseAddress
            unsafe stream.avail_in = UInt32(input.count)
            unsafe stream.next_out = output.baseAddress
            unsafe stream.avail_out = UInt32(bound)
            // The bound is large enough for all of it in one call.
            count = unsafe deflate(&stream, Z_FINISH) == Z_STREAM_END ? Int(stream.total_out) : 0
        }
        return packed.isEmpty ? nil : packed
    }
}
