import Foundation
import Testing

/// A server of python's that shows certificates.
struct TLSServer {
    let port: Int
    private let process: Process

    var url: String { "https://127.0.0.1:\(port)" }

    /// Starts a server that answers every GET with `hello`.
    init(in directory: URL, certificate: String = "server", wantsClient: Bool = false) throws {
        let program = """
            import http.server, ssl, sys
            class Handler(http.server.BaseHTTPRequestHandler):
                protocol_version = "HTTP/1.1"
                def do_GET(self):
                    self.send_response(200); self.send_header("Content-Length", "5"); self.end_headers()
                    self.wfile.write(b"hello")
                def log_message(self, *words): pass
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(sys.argv[1] + ".pem", sys.argv[1] + ".key")
            if sys.argv[2] == "yes":
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations("authority.pem")
            class Server(http.server.ThreadingHTTPServer):
                def handle_error(self, *words): pass
                def finish_request(self, request, address):
                    super().finish_request(context.wrap_socket(request, server_side=True), address)
            server = Server(("127.0.0.1", 0), Handler)
            print(server.server_address[1], flush=True)
            server.serve_forever()
            """
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", program, certificate, wantsClient ? "yes" : "no"]
        process.currentDirectoryURL = directory
        let output = directory.appendingPathComponent("port-\(UUID().uuidString)")
        try Data().write(to: output)
        process.standardOutput = try FileHandle(forWritingTo: output)
        try process.run()
        let deadline = Date(timeIntervalSinceNow: 30)
        var text = ""
        while !text.hasSuffix("\n"), Date() < deadline {
            usleep(10_000)
            text = try String(contentsOf: output, encoding: .utf8)
        }
        port = try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    func stop() {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
