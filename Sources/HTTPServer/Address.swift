import Glibc

/// A socket address as text, without its port; one of version 4 in version 6's clothes as the former.
func numericAddress(_ address: UnsafePointer<sockaddr>?) -> String {
    guard let address = unsafe address else { return "" }
    let count =
        unsafe address.pointee.sa_family == sa_family_t(AF_INET6)
        ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
    var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    guard unsafe getnameinfo(address, socklen_t(count), &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
    else { return "" }
    let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    let mapped = Array("::ffff:".utf8)
    return String(decoding: bytes.starts(with: mapped) ? bytes[mapped.count...] : bytes[...], as: UTF8.self)
}

/// Calls with a pointer to an address of whichever version.
func withAddress<R>(_ address: sockaddr_storage, _ body: (UnsafePointer<sockaddr>) -> R) -> R {
    unsafe withUnsafePointer(to: address) { address in
        unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0) }
    }
}
