import Canonical
import Chain
import Crypto
import Ledger
import Node
import Ordering
import Simulation
import Storage
import Testing

/// A node that comes back after the order has let go of what it lacks.
@Suite struct CatchingUpTests {
    /// The last of four has slept; a hundred orders later the order begins above all that it knows.
    private func sleeper() throws -> Stage {
        let stage = try Stage()
        stage.found()
        stage.kill(3)
        for order in 1...100 as ClosedRange<UInt8> { stage.submit(stage.earning(order), to: Int(order) % 3) }
        stage.log.trim(below: stage.status(0).certified)
        return stage
    }

    @Test func whatTheOrderHasLetGoComesFromAPeer() throws {
        let stage = try sleeper()
        try stage.open(3)
        stage.run()
        stage.pass(5_000)
        #expect(stage.status(3).committed == stage.status(0).committed)
        #expect(try stage.header(stage.log.head, at: 3) == stage.header(stage.log.head, at: 0))
        #expect(try stage.balance(0, at: 3) == 1_000)
        // It takes part again.
        let request = stage.submit(stage.earning(101), to: 3)
        #expect(stage.receipt(request, at: 3)?.receipt.result == .done)
        #expect(stage.members[3].sent.contains { $0.height == stage.log.head })
        #expect(stage.saidTwice(3) == [])
    }

    @Test func whatCameWithItsCertificateNeedsNoVote() throws {
        let stage = try sleeper()
        let said = stage.members[3].sent.count
        try stage.open(3)
        stage.run()
        stage.pass(1_000)
        let floor = stage.log.floor
        #expect(stage.status(3).committed >= floor)
        #expect(stage.members[3].sent.dropFirst(said).allSatisfy { $0.height >= floor })
    }

    /// Whatever a peer makes up, nothing of it is executed; the next one is asked.
    @Test(arguments: Lie.allCases)
    func aPeerThatLiesChangesNothing(_ lie: Lie) throws {
        let stage = try sleeper()
        let honest = stage.finals
        var asked = 0
        stage.finals = { member, height in
            asked += 1
            return asked <= 3 ? lie.told(honest(member, height), stage) : honest(member, height)
        }
        let before = try BlockStore(stage.members[3].disk).newestBlock()
        try stage.open(3)
        stage.run()
        #expect(try BlockStore(stage.members[3].disk).newestBlock() == before)
        stage.pass(5_000)
        #expect(asked > 3)
        #expect(stage.status(3).halted == nil)
        #expect(try stage.header(stage.log.head, at: 3) == stage.header(stage.log.head, at: 0))
    }

    /// The order keeps what a validator may still want, and no more than a bound for one that is away.
    @Test func theOrderForgetsWhatEverybodyHas() throws {
        let stage = try Stage(opening: false)
        stage.configure = { $0.trimEvery = 8 }
        for index in 0..<4 { try stage.open(index) }
        stage.run()
        stage.found()
        for order in 1...40 as ClosedRange<UInt8> { stage.submit(stage.earning(order), to: Int(order) % 4) }
        let floor = stage.log.floor
        #expect(floor > 24 && floor <= stage.status(0).certified)
        stage.kill(3)
        for order in 41...100 as ClosedRange<UInt8> { stage.submit(stage.earning(order), to: Int(order) % 3) }
        #expect(stage.log.floor <= floor + 16, "the last one has not voted since")
        let kept = stage.log.floor
        stage.kill(2)
        for index in [0, 1] { stage.kill(index) }
        stage.configure = { ($0.trimEvery, $0.ringBytesMax) = (8, 16 << 10) }
        for index in 0..<3 { try stage.open(index) }
        stage.run()
        for order in 101...250 as ClosedRange<UInt8> { stage.submit(stage.earning(order), to: Int(order) % 3) }
        #expect(stage.log.floor > kept + 32, "so much and no more is kept for one that is away")
        try stage.open(3)
        stage.run()
        stage.pass(5_000)
        #expect(try stage.header(stage.log.head, at: 3) == stage.header(stage.log.head, at: 0))
    }

    enum Lie: CaseIterable {
        case nothing
        case anotherEntry
        case anotherHeader
        case anotherBlocksCertificate
        case fewerSigners
        case oneSignerOften
        case later

        func told(_ finals: [FinalBlocks], _ stage: Stage) -> [FinalBlocks] {
            guard let first = finals.first else { return [] }
            func changed(
                _ headers: [Header]? = nil, entries: [[UInt8]]? = nil, certificate: Certificate? = nil
            ) -> [FinalBlocks] {
                let lie = FinalBlocks(
                    headers: headers ?? first.headers, entries: entries ?? first.entries,
                    certificate: certificate ?? first.certificate)
                return [lie] + finals.dropFirst()
            }
            func signed(_ signatures: [Certificate.VoteSignature]) -> Certificate {
                let good = first.certificate
                return Certificate(
                    epoch: good.epoch, height: good.height, header: good.header, signatures: signatures)
            }
            switch self {
            case .nothing: return []
            case .anotherEntry: return changed(entries: first.entries.map { _ in [1, 2, 3] })
            case .anotherHeader:
                let header = first.headers[0]
                let other = Header(
                    height: header.height, parent: header.parent, entry: Entry.hash(raw: [1]),
                    transactions: header.transactions, receipts: header.receipts, state: header.state,
                    validators: header.validators, nextValidators: header.nextValidators,
                    rulesVersion: header.rulesVersion, time: header.time, certificate: header.certificate)
                return changed([other] + first.headers.dropFirst(), entries: [[1]] + first.entries.dropFirst())
            case .anotherBlocksCertificate: return changed(certificate: finals[1].certificate)
            case .fewerSigners: return changed(certificate: signed(Array(first.certificate.signatures.prefix(2))))
            case .oneSignerOften:
                let one = first.certificate.signatures[0]
                return changed(certificate: signed([one, one, one]))
            case .later: return Array(finals.dropFirst())
            }
        }
    }
}
