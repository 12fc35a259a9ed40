import Concurrency
import EtcdKit
import Foundation
import HTTPClient
import Ordering
import OrderingEtcd
import TestSupport
import Testing

extension EtcdTests {
    /// What a real cluster does to the order when parts of it fail, and what the order makes of it.
    @Suite struct EtcdFaultTests {
        @Test func oneMemberOfThreeMayBeLost() throws {
            try withRing { (cluster, log) throws in
                let begunAt = wallClockMilliseconds()
                for index in 0..<3 {
                    let position = UInt64(2 * index + 1)
                    #expect(log.append([1], at: position) == .appended)
                    // Members restart without the tokens that they gave out before.
                    cluster.kill(index)
                    try put([2], at: position + 1, log)
                    #expect(try log.readHead() == position + 1)
                    let members = until(log) { $0.count == 1 && $0[0] == cluster.endpoints[index] }
                    #expect(log.condition.complaint == nil)
                    let since = try #require(members[index].silentSince)
                    #expect(since >= begunAt && since <= wallClockMilliseconds())
                    #expect(members.map(\.url) == cluster.endpoints)
                    try cluster.start(index)
                    #expect(until(log) { $0.isEmpty }.allSatisfy { $0.silentSince == nil })
                }
                #expect(
                    try log.read(from: 1, max: 16, bytesMax: 64 << 20).entries.map(\.position) == [1, 2, 3, 4, 5, 6])
            }
        }

        @Test func aMemberThatHangsIsPassedOver() throws {
            try withRing(hurried: true) { (cluster, log) throws in
                for index in 0..<3 {
                    cluster.pause(index)
                    try put([1], at: UInt64(index + 1), log)
                    cluster.resume(index)
                }
                #expect(try patiently { try log.readHead() } == 3)
            }
        }

        @Test func withoutAMajorityNothingIsOrderedAndNothingLost() throws {
            try withRing(hurried: true) { (cluster, log) throws in
                try put([1], at: 1, log)
                cluster.kill(0)
                cluster.kill(1)
                #expect(log.append([2], at: 2) != .appended)
                #expect(log.condition.complaint != nil)
                #expect(throws: OrderingError.self) { try log.readHead() }
                #expect(throws: OrderingError.self) { try log.read(from: 1, max: 1, bytesMax: 1 << 20) }
                // The one that still runs says so, and that it alone is of no use.
                let members = until(log) { $0 == cluster.endpoints }
                #expect(members[2].failure?.contains("reaches no quorum") == true, "\(members[2])")
                #expect(members[0].failure?.contains("reaches no quorum") == false, "\(members[0])")
                try cluster.start(0)
                try put([2], at: 2, log)
                let range = try patiently { try log.read(from: 1, max: 9, bytesMax: 64 << 20) }
                #expect(range.entries.map(\.bytes) == [[1], [2]])
                #expect(log.condition.complaint == nil)
            }
        }

        /// It has the name, the members and the ids that it had.
        @Test func aClusterThatWasWipedIsRefused() throws {
            try withRing(secured: false) { (cluster, log) throws in
                for position in 1...3 as ClosedRange<UInt64> { #expect(log.append([1], at: position) == .appended) }
                try cluster.wipe()
                #expect(
                    throws: OrderingError.foreign("the cluster holds no order of this chain: it is new, or was wiped")
                ) {
                    try log.read(from: 4, max: 1, bytesMax: 1 << 20)
                }
                #expect(log.append([1], at: 4) != .appended)
                let other = try EtcdLog(
                    cluster.configuration(chain: "ring", secured: false),
                    epoch: OrderingEpoch(number: 1, bytes: [UInt8](repeating: 8, count: 16), firstHeight: 4))
                defer { other.stop() }
                try other.found()
                #expect(throws: OrderingError.foreign("the cluster holds the order of another epoch or chain")) {
                    try log.readHead()
                }
                #expect(log.append([1], at: 4) != .appended)
                #expect(throws: OrderingError.self) { try log.found() }
                #expect(try other.readHead() == 3)
                #expect(other.append([1], at: 4) == .appended)
                #expect(throws: OrderingError.belowFloor(4)) { try other.read(from: 3, max: 1, bytesMax: 1 << 20) }
            }
        }

        @Test func whoIsNotLetInIsToldWhy() throws {
            try withRing { (cluster, log) throws in
                var stranger = cluster.configuration(chain: "ring")
                stranger.identity = nil
                #expect(try complaint(stranger).contains("certificate"))
                var forgetful = cluster.configuration(chain: "ring")
                forgetful.login = .init(user: EtcdCluster.user, password: "wrong")
                #expect(try complaint(forgetful).contains("authentication failed"))
                var nobody = cluster.configuration(chain: "ring")
                nobody.login = nil
                #expect(try complaint(nobody).contains("user name is empty"))
                var trusting = cluster.configuration(chain: "ring")
                trusting.authorities = .system
                #expect(try complaint(trusting).contains("certificate is not trusted"))
                var missing = cluster.configuration(chain: "ring")
                missing.authorities = .file("/nowhere/authority.pem")
                #expect(throws: OrderingError.self) { try EtcdLog(missing, epoch: Rings.epoch) }
                // Its members are asked without a user, and not without certificates.
                for (configuration, count) in [(stranger, 3), (trusting, 3), (forgetful, 0)] {
                    let log = try EtcdLog(configuration, epoch: Rings.epoch)
                    defer { log.stop() }
                    for member in until(log, { $0.count == count }) {
                        #expect(member.failure?.contains("certificate") == (count > 0 ? true : nil), "\(member)")
                    }
                }
                #expect(try log.readHead() == 0)
            }
        }

        /// Nothing is ordered above four fifths of the quota; trimming makes room again.
        @Test func aFullClusterIsClosed() throws {
            try withRing(quotaBytes: 128 << 20) { (cluster, log) throws in
                let bytes = [UInt8](repeating: 5, count: 1 << 20)
                var position: UInt64 = 1
                let deadline = Date(timeIntervalSinceNow: 90)
                while !log.condition.isClosed, Date() < deadline {
                    if log.append(bytes, at: position) == .appended { position += 1 }
                    // etcd's file grows in steps of 16 MiB: one of them is to be noticed before the next.
                    usleep(position > 70 ? 100_000 : 0)
                }
                #expect(log.condition.isClosed && log.condition.isFilling)
                #expect(log.append(bytes, at: position) == .closed)
                try log.trim(below: position - 2)
                for endpoint in cluster.endpoints { try cluster.defragment(endpoint) }
                while log.condition.isFilling, Date() < deadline { usleep(100_000) }
                #expect(!log.condition.isFilling && !log.condition.isClosed)
                #expect(log.append(bytes, at: position) == .appended)
            }
        }

        // MARK: Ways

        private func withRing(
            hurried: Bool = false, secured: Bool = true, quotaBytes: Int = 2 << 30,
            _ body: (EtcdCluster, EtcdLog) throws -> Void
        ) throws {
            try withTemporaryDirectory { directory in
                let cluster = try EtcdCluster(in: directory, secured: secured, quotaBytes: quotaBytes)
                try cluster.begin(chain: "ring", secured: secured, epoch: Rings.epoch)
                var configuration = cluster.configuration(chain: "ring", secured: secured, hurried: hurried)
                (configuration.quotaBytes, configuration.sizeEveryMilliseconds) = (UInt64(quotaBytes), 200)
                configuration.membersEveryMilliseconds = 500
                let log = try EtcdLog(configuration, epoch: Rings.epoch)
                defer { log.stop() }
                try body(cluster, log)
            }
        }

        /// Puts an entry as a node would: until it stands there.
        private func put(_ bytes: [UInt8], at position: UInt64, _ log: EtcdLog) throws {
            let deadline = Date(timeIntervalSinceNow: 60)
            while Date() < deadline {
                if log.append(bytes, at: position) == .appended { return }
                if let range = try? log.read(from: position, max: 1, bytesMax: 2 << 20), !range.entries.isEmpty {
                    #expect(range.entries[0].bytes == bytes)
                    return
                }
                usleep(100_000)
            }
            Issue.record("nothing was ordered at \(position): \(log.condition.complaint ?? "")")
        }

        /// The cluster's members, once those of them that do not answer are as they should be.
        private func until(_ log: EtcdLog, _ isSo: (_ silent: [String]) -> Bool) -> [OrderingMember] {
            let deadline = Date(timeIntervalSinceNow: 60)
            while true {
                let members = log.condition.members
                if !members.isEmpty, isSo(members.filter { !$0.isAnswering }.map(\.url)) { return members }
                if Date() > deadline {
                    Issue.record("the members never came to be so: \(members)")
                    return members
                }
                usleep(50_000)
            }
        }

        /// What is asked for, once somebody has the time to answer.
        private func patiently<R>(_ ask: () throws -> R) throws -> R {
            let deadline = Date(timeIntervalSinceNow: 60)
            while true {
                do { return try ask() } catch { if Date() > deadline { throw error } }
            }
        }

        private func complaint(_ configuration: EtcdConfiguration) throws -> String {
            var configuration = configuration
            configuration.readMilliseconds = 100
            let log = try EtcdLog(configuration, epoch: Rings.epoch)
            defer { log.stop() }
            #expect(log.append([1], at: 1) != .appended)
            return log.condition.complaint ?? ""
        }
    }
}
