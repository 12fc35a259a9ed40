public import Foundation
import TestSupport

/// An authority, a server's certificate for 127.0.0.1 and further addresses, one that has expired, one for another
/// name, and a client's, in `directory`.
/// - Parameter environment: of the program that makes them, such as one with another clock.
public func makeCertificates(
    in directory: URL, for addresses: [String] = [], environment: [String: String] = [:]
) throws {
    let names = (["127.0.0.1"] + addresses).map { "IP:\($0)" }.joined(separator: ",")
    let script = """
        ca() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
          -addext basicConstraints=critical,CA:TRUE -keyout $1.key -out $1.pem; }
        leaf() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
            -keyout $1.key -out $1.csr
          printf "$2" > $1.ext
          openssl x509 -req -in $1.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days ${3:-2} \
            -extfile $1.ext -out $1.pem; }
        ca authority; ca stranger
        leaf server "subjectAltName=\(names)"
        leaf expired "subjectAltName=IP:127.0.0.1" -1
        leaf elsewhere "subjectAltName=DNS:elsewhere.example"
        leaf client "extendedKeyUsage=clientAuth"
        """
    try runScript(script, in: directory, environment: environment)
}
