import Canonical
import Crypto
import TestSupport
import Testing

@testable import Ledger

/// The byte form of operations and transactions: one for each value, and nothing else is read.
struct EncodingTests {
    static let signature = Signature(bytes: [UInt8](repeating: 9, count: 64))
    static let signers = [Signer(.account(Book.one), key(1)), Signer(.guardian(Book.two), key(2)), issuer(1)]

    static let operations: [Operation] = {
        let zone = [ZoneOffset(from: 0, minutes: -300), ZoneOffset(from: 1, minutes: 345)]
        let line = OpenLine(account: Book.one, role: .dealer, credential: key(1), guardian: key(2))
        let ticket = Ticket(
            organisation: OrganisationID(3), validUntil: 77, key: key(4), signature: Self.signature)
        let totals = TotalList(
            unit: Book.mall, lines: [TotalLine(key: order(1, line: 2, kind: 3), total: 4)], all: true)
        let reference = Reference([UInt8](repeating: 1, count: 48))
        func reservation(_ use: Reservation.Use) -> Operation {
            .reserve(
                Reservation(
                    account: Book.one, unit: Book.mall, amount: 1, organisation: OrganisationID(2), use: use,
                    deadline: 3))
        }
        return [
            .publish(Book.program(expiry: .days(1), zone: zone), issuer: OrganisationID(1)),
            .publish(Book.program(expiry: .months(120), zone: zone), issuer: OrganisationID(1)),
            .publish(Book.program(expiry: .yearEnds(0), zone: zone), issuer: OrganisationID(1)),
            .publish(Book.program(), issuer: OrganisationID(1)),
            .open(
                OpenList(
                    organisation: OrganisationID(1), lines: [line, OpenLine(account: Book.two, credential: nil)],
                    all: true)),
            .openByTicket(line, ticket),
            .claim(account: Book.one, credential: key(1)),
            .addCredential(account: Book.one, credential: Credential(key: key(1), from: 2, to: 3)),
            .rotateCredential(account: Book.one, old: key(1), new: key(2)),
            .revokeCredential(account: Book.one, key: key(1)),
            .accrue(
                AccrueList(
                    unit: Book.mall,
                    lines: [
                        AccrualLine(account: Book.one, key: order(1), amount: .max, pending: true),
                        AccrualLine(account: Book.two, key: order(2), amount: 0, pending: false),
                    ])),
            .vest(totals), .void(totals), .clawBack(totals),
            Book.pay(5),
            .redeem(account: Book.one, unit: Book.mall, amount: 5, reference: reference),
            reservation(.redeem(reference)), reservation(.transfer(to: Book.two)),
            .commit(hold: .zero, amount: 1), .release(hold: .zero),
            .freeze(account: Book.one), .unfreeze(account: Book.one),
            .propose(.admit(application(votes: true)), by: OrganisationID(1)),
            .propose(.admit(application(votes: false)), by: OrganisationID(1)),
            .propose(.suspend(OrganisationID(2)), by: OrganisationID(1)),
            .propose(.release(OrganisationID(2)), by: OrganisationID(1)),
            .propose(.exit(OrganisationID(2)), by: OrganisationID(1)),
            .propose(.quota(OrganisationID(2), 7), by: OrganisationID(1)),
            .propose(.rules(version: 2), by: OrganisationID(1)),
            .approve(.zero, by: OrganisationID(2)), .accuse(evidence),
        ]
    }()

    private static func application(votes: Bool) -> Application {
        let whole = organisation(3)
        let terms = GenesisOrganisation(
            id: whole.id, name: whole.name, votingKey: votes ? whole.votingKey : nil, issuingKey: whole.issuingKey,
            governingKey: whole.governingKey, quota: whole.quota)
        return Application(terms: terms, signatures: Application.keys(of: terms).map { _ in signature })
    }

    private static let evidence: Evidence = {
        func vote(_ header: UInt8) -> Vote {
            Vote(
                epoch: 1, height: 2, round: 3, header: Digest(bytes: [UInt8](repeating: header, count: 32)), time: 4,
                validator: OrganisationID(5), signature: signature)
        }
        return Evidence(vote(1), vote(2), key: key(6))!
    }()

    @Test func everyKindIsHere() { #expect(Set(Self.operations.map(\.kind)) == Set(Operation.kinds)) }

    @Test(arguments: operations.indices) func operationRoundTripsAndNothingElseIsRead(_ index: Int) throws {
        let operation = Self.operations[index]
        let bytes = operation.canonicalBytes
        #expect(try Operation(canonicalBytes: bytes) == operation)
        for count in 0..<bytes.count {
            #expect(throws: DecodingError.self) { try Operation(canonicalBytes: Array(bytes[..<count])) }
        }
        for extra in [0, 1, 0xFF] as [UInt8] {
            #expect(throws: DecodingError(.trailingBytes, at: bytes.count)) {
                try Operation(canonicalBytes: bytes + [extra])
            }
        }
        // What another byte anywhere makes of it is either refused or the one form of something else.
        for position in bytes.indices {
            for flip in [1, 0x80, 0xFF] as [UInt8] {
                var other = bytes
                other[position] ^= flip
                if let read = try? Operation(canonicalBytes: other) { #expect(read.canonicalBytes == other) }
            }
        }
    }

    @Test func transactionRoundTripsAndNothingElseIsRead() throws {
        let body = TransactionBody(
            nonce: 5, validUntil: 6, signers: Self.signers, operations: Array(Self.operations.prefix(16)))
        let transaction = Transaction(
            body: body, signatures: [Signature](repeating: Self.signature, count: Self.signers.count))
        let read = try Transaction(envelope: transaction.bytes)
        #expect(read.body == body && read.id == transaction.id && read.envelopeDigest == transaction.envelopeDigest)
        #expect(read.signatures == transaction.signatures)
        for count in 0..<transaction.bytes.count {
            #expect(throws: DecodingError.self) { try Transaction(envelope: Array(transaction.bytes[..<count])) }
        }
        #expect(throws: DecodingError(.trailingBytes, at: transaction.bytes.count)) {
            try Transaction(envelope: transaction.bytes + [0])
        }
        // The id is the body's alone, the envelope's digest covers the signatures.
        let other = Transaction(
            body: body, signatures: (0..<3).map { Signature(bytes: [UInt8](repeating: $0, count: 64)) })
        #expect(other.id == transaction.id && other.envelopeDigest != transaction.envelopeDigest)
    }

    // MARK: Structure

    /// A body as it would be written by a program that keeps no rule.
    static func body(
        sender: Party? = nil, signers: [Signer] = EncodingTests.signers, operations: [Operation] = [Book.pay(1)]
    ) -> [UInt8] {
        var encoder = Encoder()
        encoder.value(sender ?? signers.first?.party ?? .account(Book.one))
        encoder.u64(1)
        encoder.u64(2)
        encoder.sequence(signers)
        encoder.sequence(operations)
        return encoder.bytes
    }

    static func reason(_ bytes: [UInt8]) -> DecodingError.Reason? {
        do throws(DecodingError) {
            _ = try TransactionBody(canonicalBytes: bytes)
            return nil
        } catch {
            return error.reason
        }
    }

    @Test func aBodyKeepsItsBounds() {
        func some(_ count: UInt64) -> [Signer] { (0..<count).map { Signer(.account(account($0)), key($0)) } }
        func pays(_ count: UInt64) -> [Operation] { (0..<count).map { Book.pay($0) } }
        #expect(Self.reason(Self.body()) == nil)
        #expect(Self.reason(Self.body(signers: some(8))) == nil)
        #expect(Self.reason(Self.body(signers: some(9))) == .lengthTooLarge)
        #expect(Self.reason(Self.body(signers: [])) == .lengthTooSmall)
        #expect(Self.reason(Self.body(operations: pays(16))) == nil)
        #expect(Self.reason(Self.body(operations: pays(17))) == .lengthTooLarge)
        #expect(Self.reason(Self.body(operations: [])) == .lengthTooSmall)
        let twice = [Signer(.account(Book.one), key(1)), Signer(.account(Book.one), key(2))]
        #expect(Self.reason(Self.body(signers: twice)) == .invalidValue)
        // The account and its guardian are two parties; the sender is the first signer.
        let both = [Book.first, Book.guardian]
        #expect(Self.reason(Self.body(signers: both)) == nil)
        #expect(Self.reason(Self.body(sender: Book.guardian.party, signers: both)) == .invalidValue)
    }

    @Test func listsKeepTheirBounds() {
        func reason(lines: Int) -> DecodingError.Reason? {
            let line = AccrualLine(account: Book.one, key: order(1), amount: 1, pending: true)
            let list = AccrueList(unit: Book.mall, lines: [AccrualLine](repeating: line, count: lines))
            return Self.reason(Self.body(operations: [.accrue(list)]))
        }
        #expect(reason(lines: 0) == .lengthTooSmall)
        #expect(reason(lines: ListBounds.linesMax) == nil)
        #expect(reason(lines: ListBounds.linesMax + 1) == .lengthTooLarge)
        for lines in [0, ListBounds.linesMax + 1] {
            let opening = OpenLine(account: Book.one, credential: nil)
            let openings = OpenList(
                organisation: OrganisationID(1), lines: [OpenLine](repeating: opening, count: lines))
            let total = TotalList(
                unit: Book.mall, lines: [TotalLine](repeating: TotalLine(key: order(1), total: 1), count: lines))
            for operation in [.open(openings), .vest(total), .void(total), .clawBack(total)] as [Operation] {
                #expect(
                    Self.reason(Self.body(operations: [operation]))
                        == (lines == 0 ? .lengthTooSmall : .lengthTooLarge))
            }
        }
    }

    @Test func theLargestListFitsAndWhatIsLargerThanATransactionIsRefused() throws {
        let longest = NaturalKey(
            source: SourceID("SIXTEEN-BYTES-XX")!, order: [UInt8](repeating: 1, count: 48), line: .max, kind: .max)
        let line = AccrualLine(account: Book.one, key: longest, amount: .max, pending: true)
        let list = AccrueList(unit: Book.mall, lines: [AccrualLine](repeating: line, count: ListBounds.linesMax))
        func transaction(_ operations: [Operation]) -> Transaction {
            Transaction(
                body: TransactionBody(nonce: 1, validUntil: 2, signers: [issuer(1)], operations: operations),
                signatures: [Self.signature])
        }
        let largest = transaction([.accrue(list)])
        #expect(largest.bytes.count <= Transaction.bytesMax)
        #expect(try Transaction(envelope: largest.bytes).id == largest.id)
        let two = transaction([.accrue(list), .accrue(list)])
        #expect(throws: DecodingError(.lengthTooLarge, at: 0)) { try Transaction(envelope: two.bytes) }
    }

    @Test func fieldsKeepTheirRanges() {
        func refused(_ operation: Operation) -> DecodingError.Reason? {
            do throws(DecodingError) {
                _ = try Operation(canonicalBytes: operation.canonicalBytes)
                return nil
            } catch {
                return error.reason
            }
        }
        func program(
            decimals: UInt8 = 0, currency: String = "CNY", face: (UInt64, UInt64) = (1, 1),
            expiry: ExpiryPolicy? = .days(1), zone: [ZoneOffset] = [ZoneOffset(from: 0, minutes: 0)]
        ) -> Operation {
            .publish(
                Program(
                    unit: Book.mall, decimals: decimals, currency: currency, faceMinor: face.0, facePoints: face.1,
                    expiry: expiry, zone: zone), issuer: OrganisationID(1))
        }
        #expect(refused(program()) == nil)
        #expect(refused(program(decimals: 4)) == nil)
        let many = (0...UInt64(Program.zoneOffsetsMax)).map { ZoneOffset(from: $0, minutes: 0) }
        let wrong = [
            program(decimals: 5), program(currency: "CN"), program(currency: "cny"), program(currency: "CNYY"),
            program(face: (0, 1)), program(face: (1, 0)), program(expiry: .days(0)), program(expiry: .days(3651)),
            program(expiry: .months(0)), program(expiry: .months(121)), program(expiry: .yearEnds(11)),
            program(zone: []), program(expiry: nil), program(zone: [ZoneOffset(from: 1, minutes: 0)]),
            program(zone: [ZoneOffset(from: 0, minutes: 901)]), program(zone: [ZoneOffset(from: 0, minutes: -901)]),
            program(zone: [ZoneOffset(from: 0, minutes: 0), ZoneOffset(from: 0, minutes: 1)]), program(zone: many),
            // One key for both would let a guardian spend.
            .open(
                OpenList(
                    organisation: OrganisationID(1),
                    lines: [OpenLine(account: Book.one, credential: key(1), guardian: key(1))])),
        ]
        for operation in wrong { #expect(refused(operation) != nil, "\(operation)") }
        #expect(UnitCode("") == nil && UnitCode("1A") == nil && UnitCode("a") == nil && UnitCode("A B") == nil)
        #expect(UnitCode("A-1_SIXTEEN-LONG") != nil && UnitCode("A-1_SIXTEEN-LONGE") == nil)
    }

    @Test func receiptsRoundTrip() throws {
        let portion = Portion(terms: LotTerms(expiry: 5, restriction: 1, version: 2, class: .purchased), amount: 3)
        let receipts = [
            Receipt(
                transaction: .zero, result: .done,
                outcomes: [
                    .done, .exists, .spent([portion]), .held(.zero, [portion, portion]),
                    .lines(done: 1, exceptions: [LineResult(index: 3, result: .exists, first: .zero)]),
                ]),
            Receipt(transaction: .zero, result: .accountUnknown, operation: 3, line: 8189),
            Receipt(transaction: .zero, result: .duplicate, first: Place(height: 4, index: 5)),
            // A number of a newer version survives.
            Receipt(transaction: .zero, result: ResultCode(rawValue: 60_000)),
        ]
        for receipt in receipts {
            let bytes = receipt.canonicalBytes
            #expect(try Receipt(canonicalBytes: bytes) == receipt)
            for count in 0..<bytes.count {
                #expect(throws: DecodingError.self) { try Receipt(canonicalBytes: Array(bytes[..<count])) }
            }
        }
    }

    // MARK: Noise

    @Test func noiseNeverTraps() {
        let seed: UInt64 = 5
        var random = SeededGenerator(seed: seed)
        let good = Self.operations.map {
            Transaction(
                body: TransactionBody(nonce: 1, validUntil: 2, signers: [issuer(1)], operations: [$0]),
                signatures: [Self.signature]
            ).bytes
        }
        var read = 0
        for round in 0..<100_000 {
            var bytes: [UInt8]
            if round % 2 == 0 {
                bytes = (0..<Int.random(in: 0..<60, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                // Half of them begin as a transaction does.
                if round % 4 == 0 { bytes = Array(good[0].prefix(60)) + bytes }
            } else {
                bytes = good[Int.random(in: 0..<good.count, using: &random)]
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
            }
            if let transaction = try? Transaction(envelope: bytes) {
                read += 1
                #expect(
                    Transaction(body: transaction.body, signatures: transaction.signatures).bytes == bytes,
                    "seed \(seed), round \(round)")
            }
            _ = try? Receipt(canonicalBytes: bytes)
            _ = try? Genesis(canonicalBytes: bytes)
        }
        #expect(read > 1000, "most of the noise is refused, and not all")
    }

    /// What decodes may be executed: whatever a body of noise says, the ledger answers with a number.
    @Test func noiseThatDecodesIsExecuted() throws {
        let seed: UInt64 = 6
        var random = SeededGenerator(seed: seed)
        var book = Book.standard(quota: .max)
        let known = Set(ResultCode.texts.map(\.code))
        let good = Self.operations.map(\.canonicalBytes)
        var executed = 0
        for _ in 0..<20_000 {
            var bytes = good[Int.random(in: 0..<good.count, using: &random)]
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            guard let operation = try? Operation(canonicalBytes: bytes) else { continue }
            executed += 1
            let receipt = book.run([Book.mallIssuer, Book.first, Book.guardian, Book.second], operation)
            #expect(known.contains(receipt.code), "seed \(seed): \(operation)")
        }
        #expect(executed > 5000)
        for value in book.store.all(.units).map(\.value) { #expect(try Unit(canonicalBytes: value).isConserved) }
    }
}
