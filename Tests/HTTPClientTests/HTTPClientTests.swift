import Concurrency
import Foundation
import ServerKit
import Testing

@testable import HTTPClient

/// The client against servers that do exactly what each test says.
@Suite(.ownThread) struct HTTPClientTests {
    private static func milliseconds(_ body: () -> Void) -> Int {
        let start = monotonicMilliseconds()
        body()
        return monotonicMilliseconds() - start
    }

    private func failure(_ request: HTTPClientRequest, _ client: HTTPClient? = nil) -> HTTPClientError? {
        do throws(HTTPClientError) {
            let used: HTTPClient
            if let client { used = client } else { used = try HTTPClient() }
            _ = try used.perform(request)
            return nil
        } catch { return error }
    }

    @Test func aRequestAndItsAnswer() throws {
        let seen = Locked<[(head: String, body: [UInt8])]>([])
        try withServer { peer in
            while let request = peer.request() {
                seen.withLock { $0.append(request) }
                peer.answer("grüß", status: "201 Created", headers: "X-One:  a b \r\nx-one: c\r\n")
            }
        } body: { server in
            let client = try HTTPClient()
            var request = HTTPClientRequest("POST", server.url + "/a/../b?c=%20", body: Array("body".utf8))
            request.headers = [HTTPField("X-Empty", ""), HTTPField("Accept", "text/plain")]
            let answer = try client.perform(request)
            #expect(answer.status == 201)
            #expect(String(decoding: answer.body, as: UTF8.self) == "grüß")
            #expect(answer.header("x-ONE") == "a b" && answer.header("absent") == nil)
            #expect(answer.headers.filter { $0.name.lowercased() == "x-one" }.map(\.value) == ["a b", "c"])
            _ = try client.perform(HTTPClientRequest("DELETE", server.url + "/x"))
            _ = try client.perform(HTTPClientRequest("PUT", server.url + "/x", body: []))
            let lines = seen.withLock { $0.map { $0.head.components(separatedBy: "\r\n") } }
            #expect(lines[0][0] == "POST /a/../b?c=%20 HTTP/1.1")
            #expect(lines[0].contains("X-Empty:") && lines[0].contains("Accept: text/plain"))
            #expect(lines[0].contains("User-Agent: lianfen") && lines[0].contains("Content-Length: 4"))
            #expect(!lines[0].contains { $0.hasPrefix("Content-Type") || $0.hasPrefix("Expect") })
            #expect(seen.withLock { $0[0].body } == Array("body".utf8))
            #expect(lines[1][0] == "DELETE /x HTTP/1.1" && !lines[1].contains { $0.hasPrefix("Content-Length") })
            #expect(lines[2][0] == "PUT /x HTTP/1.1" && lines[2].contains("Content-Length: 0"))
            #expect(server.connections == 1)
        }
    }

    @Test func aLargeBodyGoesOutAndInterimAnswersAreSkipped() throws {
        try withServer { peer in
            let request = peer.request()
            peer.send("HTTP/1.1 103 Early Hints\r\nX-Early: yes\r\n\r\n")
            peer.answer("\(request?.body.count ?? 0)", headers: "X-Late: yes\r\n")
        } body: { server in
            let body = [UInt8](repeating: 7, count: 3 << 20)
            let answer = try HTTPClient().perform(HTTPClientRequest("POST", server.url, body: body))
            #expect(answer.body == Array("\(3 << 20)".utf8) && answer.status == 200)
            #expect(answer.header("X-Early") == nil && answer.header("X-Late") == "yes")
        }
    }

    @Test func headsOfHEADAndStatusesOfFailureAreAnswers() throws {
        try withServer { peer in
            while let request = peer.request() {
                if request.head.hasPrefix("HEAD") {
                    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n")
                } else if request.head.hasPrefix("GET /moved") {
                    peer.answer("", status: "302 Found", headers: "Location: /elsewhere\r\n")
                } else {
                    peer.answer("no", status: "503 Service Unavailable", headers: "Retry-After: 2\r\n")
                }
            }
        } body: { server in
            let client = try HTTPClient()
            #expect(try client.perform(HTTPClientRequest("GET", server.url + "/moved")).status == 302)
            let answer = try client.perform(HTTPClientRequest("GET", server.url))
            #expect(answer.status == 503 && answer.header("retry-after") == "2" && answer.body == Array("no".utf8))
            var head = HTTPClientRequest("HEAD", server.url)
            head.bodyBytesMax = Int.max
            #expect(try client.perform(head).body == [])
        }
    }

    /// A kept connection that the server has closed meanwhile costs nothing but a new one.
    @Test func connectionsAreKeptAndReplaced() throws {
        try withServer { peer in
            for _ in 0..<(peer.number == 1 ? 3 : 100) {
                guard peer.request() != nil else { return }
                peer.answer("ok")
            }
        } body: { server in
            let client = try HTTPClient()
            for _ in 0..<3 { _ = try client.perform(HTTPClientRequest("GET", server.url)) }
            #expect(server.connections == 1)
            usleep(50_000)
            for _ in 0..<3 { _ = try client.perform(HTTPClientRequest("POST", server.url, body: [1])) }
            #expect(server.connections == 2)
            var alone = HTTPClientRequest("GET", server.url)
            alone.isAlone = true
            _ = try client.perform(alone)
            #expect(server.connections == 3)
        }
    }

    // MARK: What goes wrong

    @Test func nobodyThere() {
        let refused = failure(HTTPClientRequest("GET", "http://127.0.0.1:\(ScriptedServer.closedPort())/x"))
        #expect(refused?.code == .connect)
        #expect(refused?.reason.contains("Nobody answers there") == true)
        #expect(refused?.place.hasPrefix("http://127.0.0.1:") == true)
        #expect(failure(HTTPClientRequest("GET", "http://no-such-host.invalid/"))?.code == .resolve)
    }

    @Test func deadlinesHold() throws {
        try withServer { peer in
            _ = peer.request()
            if peer.number == 2 { peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf") }
            _ = peer.waitForEnd()
        } body: { server in
            let client = try HTTPClient()
            var request = HTTPClientRequest("GET", server.url)
            request.totalMilliseconds = 200
            for _ in 0..<2 {
                let spent = Self.milliseconds { #expect(failure(request, client)?.code == .timeout) }
                #expect((150..<5000).contains(spent))
            }
            request.totalMilliseconds = nil
            request.quietMilliseconds = 200
            let spent = Self.milliseconds { #expect(failure(request, client)?.code == .timeout) }
            #expect((150..<5000).contains(spent))
        }
    }

    @Test func tooLargeWithAndWithoutALength() throws {
        try withServer { peer in
            while let request = peer.request() {
                if request.head.contains("/chunks") {
                    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    while peer.send("400\r\n\(String(repeating: "x", count: 1024))\r\n") {}
                    return
                } else if request.head.contains("/head") {
                    peer.send("HTTP/1.1 200 OK\r\n")
                    while peer.send("X-Filler: \(String(repeating: "x", count: 1024))\r\n") {}
                    return
                }
                peer.answer(String(repeating: "x", count: 1000))
            }
        } body: { server in
            let client = try HTTPClient()
            for path in ["/length", "/chunks", "/head"] {
                var request = HTTPClientRequest("GET", server.url + path)
                request.bodyBytesMax = 999
                let error = failure(request, client)
                #expect(error?.code == .tooLarge, "\(path): \(String(describing: error))")
            }
            var exact = HTTPClientRequest("GET", server.url)
            exact.bodyBytesMax = 1000
            #expect(try client.perform(exact).body.count == 1000)
        }
    }

    @Test(arguments: [
        ("", HTTPClientError.Code.interrupted), ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", .interrupted),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", .interrupted),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab", .interrupted),
        ("SSH-2.0-OpenSSH_9.2\r\n", .protocolError), ("HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n", .protocolError),
        ("HTTP/1.1 100 Continue\r\n\r\n", .interrupted),
    ])
    func brokenAnswers(_ bytes: String, _ code: HTTPClientError.Code) {
        withServer { peer in
            _ = peer.request()
            peer.send(bytes)
        } body: { server in
            let error = failure(HTTPClientRequest("GET", server.url))
            #expect(error?.code == code, "\(String(describing: error))")
        }
    }

    @Test func malformedRequestsGoNowhere() throws {
        let good = "http://127.0.0.1:1/"
        for url in [
            "", "ftp://a/", "file:///etc/passwd", "gopher://a/", "http://", "http:///x", "http://:80/",
            "http://user:word@127.0.0.1/", "http://127.0.0.1/a b", "http://127.0.0.1/\r\nX: y", "http://127.0.0.1/é",
            "http://127.0.0.1\\@evil/", "127.0.0.1",
        ] {
            let error = failure(HTTPClientRequest("GET", url))
            #expect(error?.code == .invalidRequest, "\(url): \(String(describing: error))")
        }
        for method in ["", "G T", "GET\r\n"] {
            #expect(failure(HTTPClientRequest(method, good))?.code == .invalidRequest)
        }
        for field in [("", "x"), ("A B", "x"), ("A", "x\r\nB: y"), ("A", "\0"), ("A:", "x"), ("A", "é")] {
            let request = HTTPClientRequest("GET", good, headers: [HTTPField(field.0, field.1)])
            #expect(failure(request)?.code == .invalidRequest)
        }
    }

    // MARK: Streams and threads

    @Test func aStreamIsHandedOverAsItComes() throws {
        let more = Mailbox<String>(countMax: 10)
        try withServer { peer in
            _ = peer.request()
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while let text = more.takeOne() { peer.send("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n") }
            peer.send("0\r\n\r\n")
        } body: { server in
            let client = try HTTPClient()
            var heads = 0
            var got: [String] = []
            more.post("one")
            let head = try client.stream(HTTPClientRequest("GET", server.url)) { head in
                heads += head.status == 200 ? 1 : 100
                return true
            } onBytes: { bytes in
                got.append(String(decoding: bytes, as: UTF8.self))
                // The next one is sent only once this one is here.
                if got.count == 1 { more.post("two") } else { more.close() }
                return true
            }
            #expect(heads == 1 && got == ["one", "two"] && head.status == 200 && head.body == [])
        }
    }

    @Test func theCallerEndsAStream() throws {
        try withServer { peer in
            _ = peer.request()
            peer.send("HTTP/1.1 200 OK\r\n\r\n")
            while peer.send("data\n") { usleep(1000) }
        } body: { server in
            let client = try HTTPClient()
            var request = HTTPClientRequest("GET", server.url)
            request.totalMilliseconds = nil
            var count = 0
            let head = try client.stream(request) { bytes in
                count += bytes.count
                return count < 50
            }
            #expect(head.status == 200 && count >= 50)
            let refused = try client.stream(request, onHead: { _ in false }, onBytes: { _ in true })
            #expect(refused.status == 200)
        }
    }

    /// Also while not a byte comes.
    @Test func aCancelledStreamEndsAtOnce() throws {
        let ended = Mailbox<Bool>(countMax: 2)
        try withServer { peer in
            _ = peer.request()
            peer.send("HTTP/1.1 200 OK\r\n\r\nfirst")
            ended.post(peer.waitForEnd())
        } body: { server in
            let client = try HTTPClient()
            let cancellation = HTTPCancellation()
            var request = HTTPClientRequest("GET", server.url)
            request.totalMilliseconds = nil
            let begun = Mailbox<Int>(countMax: 1)
            let canceller = WorkerThread {
                _ = begun.takeOne()
                usleep(100_000)
                cancellation.cancel()
            }
            let start = monotonicMilliseconds()
            #expect(throws: HTTPClientError(.cancelled, "", place: "")) {
                _ = try client.stream(request, until: cancellation) { _ in
                    begun.post(1)
                    return true
                }
            }
            #expect(monotonicMilliseconds() - start < 800)
            canceller.join()
            #expect(ended.takeOne() == true)
            // What is begun later ends before it starts.
            #expect(throws: HTTPClientError(.cancelled, "", place: "")) {
                _ = try client.perform(request, until: cancellation)
            }
            #expect(server.connections == 1)
        }
    }

    @Test func sixteenThreadsUseOneClient() throws {
        try withServer { peer in
            while let request = peer.request() { peer.answer(String(request.head.split(separator: " ")[1])) }
        } body: { server in
            var configuration = HTTPClientConfiguration()
            configuration.connectionsMax = 4
            let client = try HTTPClient(configuration)
            let wrong = Locked(0)
            let right = Locked(0)
            let threads = (0..<16).map { thread in
                WorkerThread {
                    for index in 0..<50 {
                        let path = "/\(thread)/\(index)"
                        let answer = try? client.perform(HTTPClientRequest("GET", server.url + path))
                        if answer?.body == Array(path.utf8) {
                            right.withLock { $0 += 1 }
                        } else {
                            wrong.withLock { $0 += 1 }
                        }
                    }
                }
            }
            for thread in threads { thread.join() }
            #expect(wrong.withLock { $0 } == 0 && right.withLock { $0 } == 800)
            #expect(server.connections <= 4)
        }
    }

    @Test func waitingForAConnectionCountsAgainstTheDeadline() throws {
        try withServer { peer in
            _ = peer.request()
            _ = peer.waitForEnd()
        } body: { server in
            var configuration = HTTPClientConfiguration()
            configuration.connectionsMax = 1
            let client = try HTTPClient(configuration)
            let cancellation = HTTPCancellation()
            let url = server.url
            let holder = WorkerThread { _ = try? client.perform(HTTPClientRequest("GET", url), until: cancellation) }
            while server.connections == 0 { usleep(1000) }
            var request = HTTPClientRequest("GET", url)
            request.totalMilliseconds = 200
            let error = failure(request, client)
            #expect(error?.code == .timeout && error?.reason.contains("in use") == true)
            cancellation.cancel()
            holder.join()
        }
    }

    /// What a shell hands down leads no request elsewhere.
    @Test func proxiesOfTheEnvironmentAreNotHeeded() async {
        await #expect(processExitsWith: .success) {
            setenv("http_proxy", "http://127.0.0.1:1", 1)
            setenv("ALL_PROXY", "http://127.0.0.1:1", 1)
            let status = try withServer { peer in
                _ = peer.request()
                peer.answer("here")
            } body: { server in
                try HTTPClient().perform(HTTPClientRequest("GET", server.url)).status
            }
            exit(status == 200 ? 0 : 1)
        }
    }
}
