import Foundation
import Testing

/// Certificates made with the openssl command, and a server of python's that shows them.
struct TLSServer {
    let port: Int
    private let process: Process

    var url: String { "https://127.0.0.1:\(port)" }

    /// An authority, a server's certificate for 127.0.0.1, one for another name, and a client's, in `directory`.
    static func makeCertificates(in directory: URL) throws {
        let script = """
            set -e
            ca() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
              -addext basicConstraints=critical,CA:TRUE -keyout $1.key -out $1.pem; }
            leaf() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
                -keyout $1.key -out $1.csr
              printf "$2" > $1.ext
              openssl x509 -req -in $1.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 \
                -extfile $1.ext -out $1.pem; }
            ca authority; ca stranger
            leaf server "subjectAltName=IP:127.0.0.1"
            leaf elsewhere "subjectAltName=DNS:elsewhere.example"
            leaf client "extendedKeyUsage=clientAuth"
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", script]
        process.currentDirectoryURL = directory
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl made no certificates")
    }

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
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        port = try #require(Int(line.trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    func stop() {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
