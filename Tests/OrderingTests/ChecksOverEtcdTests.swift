import Canonical
import Chain
import Crypto
import EtcdKit
import FleetKit
import Foundation
import HTTPClient
import JSON
import Ledger
import Ordering
import OrderingEtcd
import ServerKit
import TestSupport
import Testing
import Wallet
import Wire

extension EtcdTests {
    /// The checks of docs/checks.md that want real processes over a real cluster, by their numbers there.
    @Suite struct ChecksOverEtcdTests {
        @Test func check4WhoVotesTwiceIsSuspended() throws {
            try withTemporaryDirectory { root in
                let fleet = try Fleet(in: root)
                defer { fleet.end() }
                try fleet.start([0, 1, 2])
                try fleet.found()
                // The fourth brings two votes for the height that comes next, to one node alone.
                let key = try fleet.votingKey(3)
                let fourth = OrganisationID(4)
                let client = try fleet.client(0, speakingFor: Identity(.validator(fourth), key))
                defer { client.stop() }
                let (height, now) = (try fleet.height(0) + 1, UInt64(Date().timeIntervalSince1970 * 1000))
                let votes = [1, 2].map { byte in
                    Vote(
                        signing: Digest(bytes: [UInt8](repeating: byte, count: Digest.byteCount)), height: height,
                        epoch: 0, time: now, genesis: fleet.genesis.hash, validator: fourth, key: key)
                }
                _ = try client.bring(votes)
                try fleet.waitUntil(3, stands: "suspended", at: [0, 1, 2])
                try fleet.transfer(6, through: [0, 1, 2])
                let newest = try fleet.height(0)
                try fleet.agree([0, 1, 2], at: newest)
                // Three are left, of which two are a quorum now.
                fleet.kill(2)
                try fleet.transfer(6, through: [0, 1])
                #expect(try fleet.height(0) > newest)
            }
        }

        /// In the same directory it does not start at all; from a copy it runs until a certificate shows that somebody
        /// else signs, and then says nothing more. Nobody is accused of anything.
        @Test func check6ATwinIsNoticedAndSaysNothingElse() throws {
            try withTemporaryDirectory { root in
                let fleet = try Fleet(in: root)
                defer { fleet.end() }
                let all = [0, 1, 2, 3]
                try fleet.start(all)
                try fleet.found()
                try fleet.transfer(8, through: all)

                let second = try fleet.twin(of: 1, in: fleet.machines[1].directory)
                try fleet.launch(second)
                let refused = try #require(fleet.machines[second].process)
                #expect(refused.wait() != 0)
                #expect(refused.errors.contains("already open for writing"), "\(refused.errors)")

                _ = try fleet.stop(1)
                let copy = root.appendingPathComponent("copy").path
                try FileManager.default.copyItem(atPath: fleet.machines[1].directory, toPath: copy)
                let twin = try fleet.twin(of: 1, in: copy)
                try fleet.start([1, twin])
                let both = try [1, twin].map { try #require(fleet.machines[$0].process) }
                let deadline = Date(timeIntervalSinceNow: 60)
                while !both.contains(where: { $0.errors.contains("another process uses the key") }), Date() < deadline {
                    try fleet.transfer(4, through: [0, 2])
                }
                #expect(both.contains { $0.errors.contains("another process uses the key") })
                // Both follow, whoever of them still signs.
                let height = try fleet.height(0)
                try fleet.agree(all + [twin], at: height)
                for index in [0, 2, 3] { #expect(try fleet.standing(of: 1, at: index) == "active") }
            }
        }

        @Test func check7WhatTheClusterShowsOtherwise() throws {
            try withTemporaryDirectory { root in
                let fleet = try Fleet(in: root)
                defer { fleet.end() }
                let all = [0, 1, 2, 3]
                try fleet.start(all)
                try fleet.found()

                // Garbage at the next position is an empty block.
                let garbage = Array("no entry".utf8)
                let position = try fleet.withOrder { order in
                    while true {
                        let next = try order.readHead() + 1
                        if order.append(garbage, at: next) == .appended { return next }
                    }
                }
                try fleet.transfer(8, through: all)
                try fleet.agree(all, at: position)
                #expect(try fleet.entry(of: position, at: 0) == Entry.hash(raw: garbage))

                // Beyond a gap it is nothing, until the chain comes there.
                let far = try fleet.height(0) + 8
                try fleet.plant("no entry", at: far)
                try fleet.transfer(4, through: all)
                while try fleet.height(0) <= far { try fleet.transfer(1, through: [0]) }
                try fleet.agree(all, at: far + 1)
                #expect(try fleet.entry(of: far, at: 3) == Entry.hash(raw: garbage))

                // What was executed and is shown otherwise stops whoever looks, and nobody else.
                _ = try fleet.stop(3)
                let head = try fleet.withOrder { try $0.readHead() }
                for position in head - 3...head { try fleet.plant("something else", at: position) }
                try fleet.launch(3)
                let stopped = try #require(fleet.machines[3].process)
                #expect(stopped.wait() != 0)
                let named = try #require(stopped.errors.firstMatch(of: /other bytes at position (\d+)/))
                #expect((head - 3...head).contains(try #require(UInt64(named.1))))
                try fleet.transfer(6, through: [0, 1, 2])
                for index in [0, 1, 2] { #expect(try fleet.total(at: index) == 8_000) }
            }
        }
    }
}

extension Fleet {
    fileprivate func votingKey(_ index: Int) throws -> SecretKey {
        try KeyFile(canonicalBytes: Self.bytes(machines[index].directory + "/nodes/\(index + 1)/voting.key"))
            .open(passphrase: nil)
    }

    /// What an organisation's standing is, as a node has it.
    fileprivate func standing(of organisation: Int, at index: Int) throws -> String? {
        let request = HTTPClientRequest("GET", machines[index].url + "/v1/organisations/\(organisation + 1)")
        let answer = try JSONValue(parsing: HTTPClient(configuration).perform(request).body)
        guard case .string(let standing)? = answer["organisation"]?["standing"] else { return nil }
        return standing
    }

    fileprivate func waitUntil(_ organisation: Int, stands wanted: String, at indices: [Int]) throws {
        let deadline = Date(timeIntervalSinceNow: 60)
        for index in indices {
            while try standing(of: organisation, at: index) != wanted {
                try #require(Date() < deadline, "organisation \(organisation + 1) is not \(wanted) at \(index)")
                usleep(100_000)
            }
        }
    }

    /// The digest of a height's entry, as its certified header has it.
    fileprivate func entry(of height: UInt64, at index: Int) throws -> Digest {
        let request = HTTPClientRequest(
            "GET", machines[index].url + "/v1/blocks/\(height)/header",
            headers: [HTTPField("Accept", "application/octet-stream")])
        return try Header(canonicalBytes: HTTPClient(configuration).perform(request).body).entry
    }

    /// Puts something at a position, whatever stands there, as only whoever runs the cluster can.
    fileprivate func plant(_ text: String, at position: UInt64) throws {
        let digits = String(position)
        let key = "/lianfen/\(genesis.chain)/log/" + String(repeating: "0", count: 20 - digits.count) + digits
        try cluster.control("put", key, text)
    }
}
