import Concurrency
import Foundation
public import TestSupport

/// Hosts of a fleet on this machine, each a network namespace of its own on one bridge, through which this process
/// reaches all of them. Between any two the packets can be dropped, in silence as a broken line does it.
///
/// When it goes, or the process ends in whatever way, what runs in the namespaces is killed and everything is removed.
public final class Network {
    public let hosts: [TestHost]
    private let name: String
    private let lifeline: Lifeline
    private static let made = Locked(0)

    /// Why none can be made here; nil where one can.
    public static func impediment() -> String? {
        guard geteuid() == 0 else { return "namespaces of the network need root" }
        for tool in ["ip", "iptables-legacy"] where !FileManager.default.isExecutableFile(atPath: "/usr/sbin/\(tool)") {
            return "there is no /usr/sbin/\(tool)"
        }
        let probe = "lfprobe\(getpid())"
        let script = """
            export PATH=/usr/sbin:$PATH
            trap 'ip netns del \(probe)' EXIT
            ip netns add \(probe)
            ip netns exec \(probe) iptables-legacy -w -A INPUT -s 192.0.2.1 -j DROP
            ip -n \(probe) link add name br0 type bridge
            ip -n \(probe) link add name eth0 type veth peer name eth1
            """
        do { try runScript(script, in: URL(fileURLWithPath: "/")) } catch {
            return "this machine makes no namespaces, bridges or filters"
        }
        return nil
    }

    public init(hosts count: Int) throws {
        precondition((1...99).contains(count), "hosts have numbers of two digits")
        let number = Self.made.withLock { made -> Int in
            made += 1
            return made
        }
        // An interface's name has at most 15 characters.
        let name = "lf\(String(getpid(), radix: 36))\(String(number, radix: 36))"
        let net = try Self.freeNet()
        self.name = name
        hosts = (0..<count).map { index in
            TestHost(address: "\(net).\(index + 1)", wrapper: ["ip", "netns", "exec", Self.space(name, index)])
        }
        lifeline = try Lifeline(
            """
            PATH=/usr/sbin:$PATH
            for space in $(ip netns list | cut -d' ' -f1 | grep "^$0-"); do
                kill -9 $(ip netns pids $space) 2>/dev/null
                ip netns del $space
            done
            ip link del $0
            """, name)
        let each = (0..<count).map { index in
            let space = Self.space(name, index)
            return """
                ip netns add \(space)
                ip link add name \(name)v\(index) type veth peer name eth0 netns \(space)
                ip link set \(name)v\(index) master \(name) up
                ip -n \(space) addr add \(hosts[index].address)/24 dev eth0
                ip -n \(space) link set eth0 up
                ip -n \(space) link set lo up
                """
        }
        let bridge = """
            export PATH=/usr/sbin:$PATH
            ip link add name \(name) type bridge
            ip addr add \(net).254/24 dev \(name)
            ip link set \(name) up
            """
        try runScript(bridge + "\n" + each.joined(separator: "\n"), in: URL(fileURLWithPath: "/"))
    }

    private static func space(_ name: String, _ index: Int) -> String { "\(name)-\(index)" }

    /// The first three bytes of addresses that nobody here has.
    private static func freeNet() throws -> String {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("routes-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try runScript("/usr/sbin/ip -4 route show table all >'\(file.path)'", in: URL(fileURLWithPath: "/"))
        let routes = try String(contentsOf: file, encoding: .utf8)
        var random = SystemRandomNumberGenerator()
        let nets = (0..<64).map { _ in
            "10.\(Int.random(in: 100..<250, using: &random)).\(Int.random(in: 0..<250, using: &random))"
        }
        guard let net = nets.first(where: { !routes.contains("\($0).") }) else {
            throw Fleet.Failed("no addresses are free: \(routes)")
        }
        return net
    }

    /// Lets a host hear nothing of others any more, and unless it is one-sided nor them of it.
    public func cut(_ host: Int, from others: [Int], isOneSided: Bool = false) throws {
        for other in others {
            try filter(host, "-A INPUT -s \(hosts[other].address) -j DROP")
            if !isOneSided { try filter(other, "-A INPUT -s \(hosts[host].address) -j DROP") }
        }
    }

    /// Lets everybody hear everybody again.
    public func join() throws { for host in hosts.indices { try filter(host, "-F INPUT") } }

    private func filter(_ host: Int, _ rule: String) throws {
        let call = "PATH=/usr/sbin:$PATH; \(hosts[host].wrapper.joined(separator: " ")) iptables-legacy -w \(rule)"
        try runScript(call, in: URL(fileURLWithPath: "/"))
    }
}
