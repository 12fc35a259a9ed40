internal import CSodium

/// Base64 as RFC 4648 has it, with padding.
public func base64(_ bytes: [UInt8]) -> String { encoded(bytes, sodium_base64_VARIANT_ORIGINAL) }

/// The bytes of such a text, or nil where it is none. One text for one value.
public func unbase64(_ text: String) -> [UInt8]? { decoded(text, sodium_base64_VARIANT_ORIGINAL) }

/// Base64 of the kind that stands in an address or a header as it is, without padding.
public func base64URL(_ bytes: [UInt8]) -> String { encoded(bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING) }

/// The bytes of such a text, or nil where it is none. One text for one value.
public func unbase64URL(_ text: String) -> [UInt8]? { decoded(text, sodium_base64_VARIANT_URLSAFE_NO_PADDING) }

private func encoded(_ bytes: [UInt8], _ variant: Int32) -> String {
    // With a zero at its end, as C has it.
    let count = sodium_base64_encoded_len(bytes.count, variant)
    return unsafe String(unsafeUninitializedCapacity: count) { text in
        unsafe text.withMemoryRebound(to: CChar.self) { text in
            _ = unsafe sodium_bin2base64(text.baseAddress!, count, bytes, bytes.count, variant)
        }
        return count - 1
    }
}

private func decoded(_ text: String, _ variant: Int32) -> [UInt8]? {
    var text = text
    return text.withUTF8 { text in
        unsafe text.withMemoryRebound(to: CChar.self) { text in
            var isText = false
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3 + 3) { out, count in
                // It refuses spaces, padding that is missing and bits that stand for nothing.
                let done = unsafe sodium_base642bin(
                    out.baseAddress!, out.count, text.baseAddress, text.count, nil, &count, nil, variant)
                isText = done == 0
                if !isText { count = 0 }
            }
            return isText ? bytes : nil
        }
    }
}
