import Chain
import Concurrency
import Glibc
import Ledger
import Node
import ServerKit
import StorageRocksDB
import Testing
import Wallet

@testable import Commands

/// A clock that jumps: forward the chain goes along, back it stops with a sentence, and nothing is lost.
@Suite(.ownThread) struct ClockTests {
    private static let hour: Int64 = 3_600_000

    private final class Clock: Sendable {
        private let offset = Locked<Int64>(0)
        func jump(_ milliseconds: Int64) { offset.withLock { $0 += milliseconds } }
        var now: UInt64 { UInt64(Int64(wallClockMilliseconds()) + offset.withLock { $0 }) }
    }

    private static func start(_ directory: ChainDirectory, _ clock: Clock) throws -> Consortium {
        let members = try directory.members.map { id in
            Consortium.Member(
                organisation: id,
                votingKey: try ChainDirectory.readKey(ChainDirectory.votingKeyPath(directory.path, id), .none),
                store: try RocksDBStore(directory: ChainDirectory.storePath(directory.path, id), mode: .readWrite))
        }
        return try Consortium(genesis: directory.genesis, members: members, clock: { clock.now })
    }

    @Test(arguments: [1, 4]) func jumpsAreSurvived(_ validators: Int) throws {
        try withChain("--validators", "\(validators)") { _, chain in
            let directory = try ChainDirectory(chain, passphrase: .none)
            let issuer = try directory.issuer(OrganisationID(1))
            let clock = Clock()
            let opened = Counter()
            func open(_ consortium: Consortium) throws -> Place {
                let account = AccountID(bytes: [UInt8](repeating: UInt8(opened.add()), count: AccountID.byteCount))
                let list = OpenList(
                    organisation: OrganisationID(1), lines: [OpenLine(account: account, credential: nil)])
                let transaction = Transaction.signed(
                    [.open(list)], by: [issuer], genesis: consortium.genesisHash, now: clock.now)
                return try Submission.receipt(consortium.first.submit(transaction)).place
            }

            var consortium = try Self.start(directory, clock)
            var last = try open(consortium).height
            for jump in [Self.hour, -30_000, 45_000, 24 * Self.hour] {
                clock.jump(jump)
                let height = try open(consortium).height
                #expect(height > last)
                last = height
            }
            #expect(consortium.halted.isEmpty)
            consortium.stop()

            // The commands go by the machine's own clock, which now lies a day behind what was certified.
            for words in [
                ["wallet", "new", "anna", "--dir", chain, "--json"],
                ["node", "--dir", chain, "--seconds", "1", "--json"],
            ] {
                let call = Call(words)
                #expect(call.code == 3)
                #expect(call.error["code"].text == "clock-behind", "\(call.errors)")
                #expect(call.error["reason"].text?.contains("set the clock") == true)
            }
            #expect(
                Call("wallet", "show", "--dir", chain).output
                    == "No wallets yet; `lianfen wallet new NAME` makes one.\n")
            #expect(Call("audit", chain).code == 0)

            // And once the clock is right again, it goes on.
            consortium = try Self.start(directory, clock)
            #expect(try open(consortium).height > last)
            consortium.stop()
            #expect(Call("audit", chain, "--json").json["ok"].flag == true)
        }
    }

    /// In the middle of a run: nothing is certified by a clock that lies far behind, and all of it once it is right.
    @Test func backwardsWhileRunning() throws {
        try withChain { _, chain in
            let directory = try ChainDirectory(chain, passphrase: .none)
            let issuer = try directory.issuer(OrganisationID(1))
            let clock = Clock()
            let consortium = try Self.start(directory, clock)
            defer { consortium.stop() }
            func opening(_ byte: UInt8) -> Transaction {
                let account = AccountID(bytes: [UInt8](repeating: byte, count: AccountID.byteCount))
                let list = OpenList(
                    organisation: OrganisationID(1), lines: [OpenLine(account: account, credential: nil)])
                return .signed([.open(list)], by: [issuer], genesis: consortium.genesisHash, now: clock.now)
            }
            clock.jump(Self.hour)
            _ = try Submission.receipt(consortium.first.submit(opening(1)))
            let waiting = opening(2)
            clock.jump(-Self.hour)
            let waiter = Waiter<Answer>()
            consortium.first.submit(waiting) { waiter.fulfil($0) }
            let height = consortium.first.status.certified
            while consortium.first.status.executed == height { usleep(10_000) }
            usleep(200_000)
            #expect(consortium.first.status.certified == height)
            clock.jump(Self.hour)
            // Something has to happen for the node to look at the clock.
            let other = consortium.first.submit(opening(3))
            #expect(try Submission.receipt(other).place.height > height)
            #expect(try Submission.receipt(try #require(waiter.wait())).place.height > height)
        }
    }
}
