internal import COpenSSL

/// TLS certificates, of which only the dates are looked at here: libcurl and libmicrohttpd check the rest.
public enum Certificates {
    /// When the first of the certificates in a PEM text ends, in milliseconds since 1970 UTC; nil where there is none
    /// that can be read.
    public static func end(pem: [UInt8]) -> UInt64? {
        let seconds = unsafe pem.withUnsafeBytes { unsafe lf_certificates_end($0.baseAddress, $0.count) }
        return seconds < 0 ? nil : UInt64(seconds) * 1000
    }
}
