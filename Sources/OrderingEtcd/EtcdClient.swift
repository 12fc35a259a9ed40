import Concurrency
import HTTPClient
import JSON

/// Calls to a cluster through the JSON gateway of etcd 3.4, whose members are tried one after the other.
///
/// Calls block. Any number of threads may make them.
final class EtcdClient: Sendable {
    let configuration: EtcdConfiguration
    private let http: HTTPClient
    /// Ends what is under way, and every later call.
    let cancellation = HTTPCancellation()
    private let state: Locked<State>

    private struct State: Sendable {
        /// The member that answered last.
        var endpoint = 0
        /// As whom the next token is asked for.
        var login: EtcdConfiguration.Login?
        var token: String?
    }

    /// Eight entries of the largest value that etcd takes, in Base64.
    static let answerBytesMax = 20 << 20

    init(_ configuration: EtcdConfiguration) throws(EtcdError) {
        self.configuration = configuration
        var options = HTTPClientConfiguration()
        options.authorities = configuration.authorities
        options.identity = configuration.identity
        do throws(HTTPClientError) { http = try HTTPClient(options) } catch { throw EtcdError(error) }
        state = Locked(State(login: configuration.login))
    }

    /// Asks once, of the first member that can be reached. For what must not be repeated blindly.
    func call(
        _ path: String, _ body: JSONValue, bytesMax: Int = answerBytesMax
    ) throws(EtcdError) -> JSONValue {
        var last: EtcdError?
        // One more, for a token that is too old.
        for _ in 0...configuration.endpoints.count {
            do throws(EtcdError) { return try callOnce(path, body, bytesMax) } catch {
                last = error
                switch error.kind {
                case .unreachable: continue
                case .unauthenticated where isSomebody: state.withLock { $0.token = nil }
                default: throw error
                }
            }
        }
        throw last!
    }

    /// Asks until there is an answer, longer and longer apart. For what may happen twice.
    func ask(_ path: String, _ body: JSONValue) throws(EtcdError) -> JSONValue {
        var backoff = Backoff(first: Self.retryMilliseconds)
        var random = SystemRandomNumberGenerator()
        let deadline = ContinuousClock.now + .milliseconds(configuration.readMilliseconds)
        while true {
            do throws(EtcdError) { return try call(path, body) } catch {
                guard error.kind == .unreachable || error.kind == .unknown, ContinuousClock.now < deadline,
                    !cancellation.isCancelled
                else { throw error }
                pause(milliseconds: UInt64(backoff.next(using: &random)))
            }
        }
    }

    private static let retryMilliseconds = 20

    private func callOnce(_ path: String, _ body: JSONValue, _ bytesMax: Int) throws(EtcdError) -> JSONValue {
        let endpoint = state.withLock { $0.endpoint }
        let place = configuration.endpoints[endpoint]
        do throws(EtcdError) {
            return try send(path, body, to: place, token: try token(at: place), bytesMax)
        } catch {
            // The next call goes to the next member, unless another thread has moved on already.
            if error.kind == .unreachable || error.kind == .unknown {
                state.withLock { state in
                    if state.endpoint == endpoint { state.endpoint = (endpoint + 1) % configuration.endpoints.count }
                    // A token names the entry of etcd's own log that made it. A cluster that was restored from an old
                    // copy waits for that entry, and answers nothing at all.
                    if error.kind == .unknown { state.token = nil }
                }
            }
            throw error
        }
    }

    private func token(at place: String) throws(EtcdError) -> String? {
        let (known, token) = state.withLock { ($0.login, $0.token) }
        guard let login = known else { return nil }
        if let token { return token }
        let answer = try send(
            "/v3/auth/authenticate", ["name": .string(login.user), "password": .string(login.password)], to: place,
            token: nil, Self.answerBytesMax)
        guard case .string(let token)? = answer["token"] else {
            throw EtcdError(.refused, "etcd gives no token for the user \(login.user)", place: place)
        }
        state.withLock { $0.token = token }
        return token
    }

    private var isSomebody: Bool { state.withLock { $0.login != nil } }

    /// Who this is from now on. The token of the same user is kept: it is good until etcd learns of another password.
    func set(_ login: EtcdConfiguration.Login?) {
        state.withLock { state in
            if state.login?.user != login?.user { state.token = nil }
            state.login = login
        }
    }

    private func request(_ path: String, _ body: JSONValue, to place: String, token: String?) -> HTTPClientRequest {
        var headers = [HTTPField("Content-Type", "application/json")]
        if let token { headers.append(HTTPField("Authorization", token)) }
        var request = HTTPClientRequest("POST", place + path, headers: headers, body: body.bytes)
        request.connectMilliseconds = configuration.connectMilliseconds
        request.totalMilliseconds = configuration.answerMilliseconds
        request.bodyBytesMax = Self.answerBytesMax
        return request
    }

    private func send(
        _ path: String, _ body: JSONValue, to place: String, token: String?, _ bytesMax: Int
    ) throws(EtcdError) -> JSONValue {
        var request = request(path, body, to: place, token: token)
        request.bodyBytesMax = bytesMax
        let response: HTTPClientResponse
        do throws(HTTPClientError) {
            response = try http.perform(request, until: cancellation)
        } catch { throw EtcdError(error) }
        guard response.status == 200 else { throw EtcdError(response, place: place) }
        do throws(JSONError) {
            return try JSONValue(parsing: response.body, bytesMax: bytesMax)
        } catch {
            throw EtcdError(.unknown, "etcd's answer is no JSON: \(error)", place: place)
        }
    }

    /// Asks one member alone whether it serves as one of a quorum, which it finds out by an entry of its own log. It
    /// answers without a user. That the cluster is full is no fault of a member.
    func checkHealth(of place: String) throws(EtcdError) {
        var request = HTTPClientRequest("GET", place + "/health?exclude=NOSPACE")
        request.connectMilliseconds = configuration.connectMilliseconds
        request.totalMilliseconds = configuration.answerMilliseconds
        request.bodyBytesMax = Self.healthBytesMax
        let response: HTTPClientResponse
        do throws(HTTPClientError) {
            response = try http.perform(request, until: cancellation)
        } catch { throw EtcdError(error) }
        let body = try? JSONValue(parsing: response.body)
        guard case .string(let health)? = body?["health"] else {
            throw EtcdError(.unknown, "What answers is no member of etcd (status \(response.status)).", place: place)
        }
        guard health != "true" else { return }
        var sentence = "It runs and is of no use: it reaches no quorum, its disk is too slow, or an alarm is raised."
        // Newer versions of etcd say more.
        if case .string(let reason)? = body?["reason"] { sentence += " It says: \(JSONError.shortened(reason))" }
        throw EtcdError(.unknown, sentence, place: place)
    }

    private static let healthBytesMax = 4096

    /// Follows a stream of answers on the calling thread until it breaks off or is cancelled.
    /// - Parameter onBytes: called whenever something came.
    func follow(
        _ path: String, _ body: JSONValue, onBytes: @escaping () -> Void
    ) throws(EtcdError) {
        let place = configuration.endpoints[state.withLock { $0.endpoint }]
        var request = request(path, body, to: place, token: try token(at: place))
        request.totalMilliseconds = nil
        request.quietMilliseconds = Self.quietMilliseconds
        let response: HTTPClientResponse
        do throws(HTTPClientError) {
            response = try http.stream(request, until: cancellation) { _ in
                onBytes()
                return true
            }
        } catch { throw EtcdError(error) }
        if response.status != 200 { throw EtcdError(response, place: place) }
    }

    /// A stream that brings nothing for so long may be dead, and is begun anew.
    private static let quietMilliseconds = 60_000
}

/// Sleeps on the calling thread.
func pause(milliseconds: UInt64) { _ = Waiter<Void>().wait(within: milliseconds) }
