import CCurl
import Glibc

/// A handle of libcurl with the connection that it keeps.
///
/// Driven through libcurl's multi interface, though it has one transfer only: that one can be woken from another
/// thread, so a cancellation need not wait for the next byte.
///
/// `@unchecked Sendable` is true because only the thread that took it out of the client's idle ones uses it; ``wake()``
/// is the exception, and what it calls is made for other threads. Safe to use since the handles are freed only with it.
@safe final class Connection: @unchecked Sendable {
    /// Connections that a handle keeps open: the one in use, and one to the server before.
    private static let keptMax = 2
    /// How often it looks around where nothing wakes it.
    private static let waitMilliseconds: Int32 = 1000

    /// Scheme, host and port of the last request.
    var target: String
    private let easy: UnsafeMutableRawPointer
    private let multi: UnsafeMutableRawPointer
    private let complaint: UnsafeMutablePointer<CChar>

    private static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    init(_ target: String) throws(HTTPClientError) {
        guard Self.isReady, let easy = unsafe curl_easy_init() else { throw Self.noMemory(target) }
        guard let multi = unsafe curl_multi_init() else {
            unsafe curl_easy_cleanup(easy)
            throw Self.noMemory(target)
        }
        unsafe self.easy = unsafe easy
        unsafe self.multi = unsafe multi
        unsafe complaint = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe complaint.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        self.target = target
        _ = unsafe lf_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, Self.keptMax)
    }

    deinit {
        unsafe curl_easy_cleanup(easy)
        unsafe curl_multi_cleanup(multi)
        unsafe complaint.deallocate()
    }

    private static func noMemory(_ target: String) -> HTTPClientError {
        HTTPClientError(.connect, "There is no memory for a connection.", place: target)
    }

    static func canRead(_ path: String) -> Bool { unsafe access(path, R_OK) == 0 }

    /// Makes a transfer that waits look around. May be called from any thread.
    func wake() { unsafe curl_multi_wakeup(multi) }

    /// Carries a request out.
    func run(
        _ transfer: Transfer, _ configuration: HTTPClientConfiguration, totalMilliseconds: Int?
    ) throws(HTTPClientError) -> HTTPClientResponse {
        // Options only: connections and their TLS sessions stay.
        unsafe curl_easy_reset(easy)
        unsafe complaint[0] = 0
        var options = unsafe Options(easy)
        options.setFixed(configuration)
        options.setDeadlines(transfer.request, total: totalMilliseconds)
        options.setRequest(
            transfer.request, agent: configuration.agent, isSigned: configuration.signing != nil)
        options.setReceivers(transfer)
        unsafe options.pointer(CURLOPT_ERRORBUFFER, complaint)
        defer { options.free() }
        guard options.areTaken else {
            throw HTTPClientError(.invalidRequest, "libcurl takes an option of this request for wrong.", place: target)
        }
        // libcurl reads the body from where it stands: it must stay there until the transfer is over.
        let body = transfer.request.body ?? []
        let result: Result<Int32, HTTPClientError> = unsafe body.withUnsafeBytes { bytes in
            if transfer.request.body != nil { unsafe options.setBody(bytes) }
            return Result { () throws(HTTPClientError) in try drive(transfer) }
        }
        let code = CURLcode(rawValue: UInt32(bitPattern: try result.get()))
        switch transfer.end {
        case .failed(let code, let reason): throw HTTPClientError(code, reason, place: target)
        case .enough: return transfer.response
        case nil: break
        }
        guard code == CURLE_OK else { throw failure(code, transfer) }
        guard transfer.response.status >= 200 else {
            throw HTTPClientError(.protocolError, "The answer has no status that ends a request.", place: target)
        }
        return transfer.response
    }

    /// Runs the transfer to its end, and answers libcurl's result.
    private func drive(_ transfer: Transfer) throws(HTTPClientError) -> Int32 {
        guard unsafe curl_multi_add_handle(multi, easy) == CURLM_OK else { throw Self.noMemory(target) }
        // Taking an unfinished transfer away closes its connection.
        defer { unsafe curl_multi_remove_handle(multi, easy) }
        let number = transfer.cancellation?.attach { [self] in wake() }
        defer { if let number { transfer.cancellation?.detach(number) } }
        transfer.begin()
        while true {
            if transfer.isCancelled { throw Transfer.cancelled(target) }
            var running: Int32 = 0
            guard unsafe curl_multi_perform(multi, &running) == CURLM_OK else { throw Self.noMemory(target) }
            if running == 0 { return unsafe lf_curl_multi_result(multi) }
            var wait = Self.waitMilliseconds
            if let quiet = transfer.request.quietMilliseconds {
                let left = transfer.lastByteAt + quiet - monotonicMilliseconds()
                guard left > 0 else {
                    throw HTTPClientError(.timeout, "Nothing came for \(quiet) milliseconds.", place: target)
                }
                wait = min(wait, Int32(clamping: left))
            }
            _ = unsafe curl_multi_poll(multi, nil, 0, wait, nil)
        }
    }

    private func failure(_ code: CURLcode, _ transfer: Transfer) -> HTTPClientError {
        let own = unsafe String(cString: complaint)
        let detail = own.isEmpty ? unsafe String(cString: curl_easy_strerror(code)) : own
        let (kind, sentence) =
            code == CURLE_SSL_CONNECT_ERROR && Self.brokeOff(detail)
            ? (.connect, "The server broke off while a connection was made") : Self.meaning(code)
        if kind == .tooLarge {
            return HTTPClientError(
                .tooLarge, "The answer is larger than \(transfer.request.bodyBytesMax) bytes.", place: target)
        }
        return HTTPClientError(kind, "\(sentence) (\(detail)).", place: target)
    }

    /// Whether TLS came to nothing because the other side was gone, for which libcurl has no code of its own.
    private static func brokeOff(_ detail: String) -> Bool {
        ["Connection reset by peer", "Broken pipe", "SSL_ERROR_SYSCALL", "unexpected eof"].contains {
            detail.contains($0)
        }
    }

    private static func meaning(_ code: CURLcode) -> (HTTPClientError.Code, String) {
        switch code {
        case CURLE_COULDNT_CONNECT, CURLE_INTERFACE_FAILED: (.connect, "Nobody answers there")
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: (.resolve, "The host's name has no address")
        case CURLE_OPERATION_TIMEDOUT: (.timeout, "The deadline passed")
        case CURLE_FILESIZE_EXCEEDED: (.tooLarge, "The answer is too large")
        case CURLE_PEER_FAILED_VERIFICATION: (.tls, "The server's certificate is not trusted")
        case CURLE_SSL_CACERT_BADFILE: (.tls, "The file of authorities cannot be used")
        case CURLE_SSL_CERTPROBLEM: (.tls, "The client's certificate or key cannot be used")
        case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_CIPHER,
            CURLE_USE_SSL_FAILED, CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR,
            CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT:
            (.tls, "No TLS connection came about")
        case CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE:
            (.interrupted, "The answer broke off before it was whole")
        // An unsupported protocol is the answer's (HTTP/0.9): that of the URL was checked before.
        case CURLE_URL_MALFORMAT: (.invalidRequest, "The URL is malformed")
        case CURLE_OUT_OF_MEMORY: (.connect, "There is no memory for a connection")
        default: (.protocolError, "The answer is not HTTP as it should be")
        }
    }
}
