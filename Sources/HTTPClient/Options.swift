import CCurl

/// The options of one transfer. Whether libcurl took them all is asked once, at the end.
///
/// Safe to use since the handle outlives it: it lives for one call of its connection.
@safe struct Options: ~Copyable {
    private let easy: UnsafeMutableRawPointer
    private var list: UnsafeMutablePointer<curl_slist>?
    private(set) var areTaken = true

    init(_ easy: UnsafeMutableRawPointer) { unsafe self.easy = unsafe easy }

    /// Frees what libcurl read from during the transfer.
    mutating func free() {
        unsafe curl_slist_free_all(list)
        unsafe list = nil
    }

    /// What every request has.
    mutating func setFixed(_ configuration: HTTPClientConfiguration) {
        // No signal handlers, and no alarm for names: this is used from many threads.
        long(CURLOPT_NOSIGNAL, 1)
        text(CURLOPT_PROTOCOLS_STR, "http,https")
        long(CURLOPT_FOLLOWLOCATION, 0)
        // An empty proxy also keeps libcurl from looking into the environment.
        text(CURLOPT_PROXY, "")
        long(CURLOPT_NETRC, 0)
        long(CURLOPT_DISALLOW_USERNAME_IN_URL, 1)
        long(CURLOPT_PATH_AS_IS, 1)
        long(CURLOPT_HTTP_VERSION, 2)  // CURL_HTTP_VERSION_1_1
        long(CURLOPT_TCP_KEEPALIVE, 1)
        long(CURLOPT_MAXAGE_CONN, configuration.idleSecondsMax)
        long(CURLOPT_SSLVERSION, 6)  // CURL_SSLVERSION_TLSv1_2 or newer
        long(CURLOPT_SSL_VERIFYPEER, configuration.verifiesServer ? 1 : 0)
        long(CURLOPT_SSL_VERIFYHOST, configuration.verifiesServer ? 2 : 0)
        if case .file(let path) = configuration.authorities {
            text(CURLOPT_CAINFO, path)
            // Debian's directory would be trusted beside the file.
            unsafe pointer(CURLOPT_CAPATH, nil)
            // libcurl would keep what it has read for a day, and take a session up again without asking who vouches
            // for it: an exchanged file would go unseen so long.
            long(CURLOPT_CA_CACHE_TIMEOUT, 0)
            long(CURLOPT_SSL_SESSIONID_CACHE, 0)
        }
        if let identity = configuration.identity {
            text(CURLOPT_SSLCERT, identity.certificateFile)
            text(CURLOPT_SSLKEY, identity.keyFile)
            // Without one OpenSSL would ask at the terminal.
            text(CURLOPT_KEYPASSWD, "")
        }
        if let signing = configuration.signing {
            text(CURLOPT_AWS_SIGV4, "aws:amz:\(signing.region):s3")
            text(CURLOPT_USERNAME, signing.accessKey)
            text(CURLOPT_PASSWORD, signing.secret)
        }
    }

    mutating func setDeadlines(_ request: HTTPClientRequest, total: Int?) {
        long(CURLOPT_CONNECTTIMEOUT_MS, max(1, request.connectMilliseconds))
        // 0 means none.
        long(CURLOPT_TIMEOUT_MS, total.map { max(1, $0) } ?? 0)
    }

    /// - Parameter isSigned: whether libcurl signs the request. It signs the lines that take headers away too, as if
    ///   they were sent (7.88 does), so there are none then.
    mutating func setRequest(_ request: HTTPClientRequest, agent: String, isSigned: Bool) {
        text(CURLOPT_URL, request.url)
        text(CURLOPT_USERAGENT, agent)
        if request.method == "HEAD" {
            long(CURLOPT_NOBODY, 1)
        } else {
            if request.body == nil { long(CURLOPT_HTTPGET, 1) } else { long(CURLOPT_POST, 1) }
            text(CURLOPT_CUSTOMREQUEST, request.method)
        }
        if request.isAlone {
            long(CURLOPT_FRESH_CONNECT, 1)
            long(CURLOPT_FORBID_REUSE, 1)
        }
        // `name;` sends a header without a value, `name:` takes away one that libcurl would add.
        var lines = request.headers.map { $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)" }
        let names = Set(request.headers.map { $0.name.lowercased() })
        if !isSigned, !names.contains("expect") { lines.append("Expect:") }
        if !isSigned, !names.contains("content-type") { lines.append("Content-Type:") }
        for line in lines {
            guard let longer = unsafe curl_slist_append(list, line) else {
                areTaken = false
                return
            }
            unsafe list = unsafe longer
        }
        note(unsafe lf_curl_set_list(easy, CURLOPT_HTTPHEADER, list))
    }

    /// The bytes are not copied.
    mutating func setBody(_ bytes: UnsafeRawBufferPointer) {
        note(unsafe lf_curl_set_large(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count)))
        // Without an address libcurl would ask a function for the body.
        if let start = bytes.baseAddress, unsafe !bytes.isEmpty {
            unsafe pointer(CURLOPT_POSTFIELDS, UnsafeMutableRawPointer(mutating: start))
        } else {
            text(CURLOPT_COPYPOSTFIELDS, "")
        }
    }

    /// Hands head and body to the transfer, which must outlive the call.
    mutating func setReceivers(_ transfer: Transfer) {
        let context = unsafe Unmanaged.passUnretained(transfer).toOpaque()
        unsafe pointer(CURLOPT_HEADERDATA, context)
        note(
            unsafe lf_curl_set_taker(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
                let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context!).takeUnretainedValue()
                let line = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
                return unsafe transfer.takeHeaderLine(line) ? size * count : Options.refusal(size * count)
            })
        unsafe pointer(CURLOPT_WRITEDATA, context)
        note(
            unsafe lf_curl_set_taker(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
                let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context!).takeUnretainedValue()
                let body = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
                return unsafe transfer.take(body) ? size * count : Options.refusal(size * count)
            })
        if !transfer.isStream {
            note(
                unsafe lf_curl_set_large(
                    easy, CURLOPT_MAXFILESIZE_LARGE, curl_off_t(transfer.request.bodyBytesMax)))
        }
    }

    /// A count that libcurl takes for a failure: any but the true one.
    private static func refusal(_ count: Int) -> Int { count == 0 ? 1 : 0 }

    mutating func pointer(_ option: CURLoption, _ value: UnsafeMutableRawPointer?) {
        note(unsafe lf_curl_set_pointer(easy, option, value))
    }

    private mutating func long(_ option: CURLoption, _ value: Int) {
        note(unsafe lf_curl_set_long(easy, option, value))
    }

    private mutating func text(_ option: CURLoption, _ value: String) {
        note(unsafe lf_curl_set_text(easy, option, value))
    }

    private mutating func note(_ code: CURLcode) { if code != CURLE_OK { areTaken = false } }
}
