/// What a request must be like before libcurl sees it: text from outside must not become another header, another
/// request or another protocol.
enum RequestCheck {
    /// Scheme, host and port of a request that is in order.
    static func target(_ request: HTTPClientRequest) throws(HTTPClientError) -> String {
        func refuse(_ reason: String) -> HTTPClientError {
            HTTPClientError(.invalidRequest, reason, place: "request")
        }
        guard !request.method.isEmpty, request.method.utf8.allSatisfy(isToken) else {
            throw refuse("The method is no word of HTTP.")
        }
        for field in request.headers {
            guard !field.name.isEmpty, field.name.utf8.allSatisfy(isToken) else {
                throw refuse("A header's name is no word of HTTP.")
            }
            // Bytes above 0x7F would be read in different ways.
            guard field.value.utf8.allSatisfy({ (0x20...0x7E).contains($0) || $0 == 0x09 }) else {
                throw refuse("The header \(field.name) has characters that may not stand in one.")
            }
        }
        let url = request.url
        guard url.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x5C }) else {
            throw refuse("The URL has characters that may not stand in one.")
        }
        guard let mark = url.firstRange(of: "://"), ["http", "https"].contains(url[..<mark.lowerBound].lowercased())
        else { throw refuse("The URL must begin with http:// or https://.") }
        let host = url[mark.upperBound...].prefix { !"/?#".contains($0) }
        guard !host.isEmpty, !host.hasPrefix(":") else { throw refuse("The URL names no host.") }
        guard !host.contains("@") else { throw refuse("The URL must not carry a user.") }
        return url[..<mark.upperBound].lowercased() + host.lowercased()
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
