import Canonical
import Chain
import Crypto
import Ledger
import Testing

/// Golden vectors of values and of what is signed; those of headers, trees and proofs stand in a file of their own.
@Suite("golden vectors") struct VectorTests {
    @Test func primitives() throws {
        func written(_ body: (inout Encoder) -> Void) -> VectorValue {
            var encoder = Encoder()
            body(&encoder)
            return .hex(encoder.bytes)
        }
        var values: [VectorValue] = []
        for value in [0, 1, 127, 128, 255] as [UInt8] {
            values.append(["type": "u8", "value": .number(value), "bytes": written { $0.u8(value) }])
        }
        for value in [0, 1, 0x0102, .max] as [UInt16] {
            values.append(["type": "u16", "value": .number(value), "bytes": written { $0.u16(value) }])
        }
        for value in [0, 1, 0x0102_0304, .max] as [UInt32] {
            values.append(["type": "u32", "value": .number(value), "bytes": written { $0.u32(value) }])
        }
        for value in [0, 1, 0x0102_0304_0506_0708, 1 << 53, (1 << 53) + 1, 1 << 63, .max] as [UInt64] {
            values.append(["type": "u64", "value": .u64(value), "bytes": written { $0.u64(value) }])
        }
        for value in [false, true] {
            values.append(["type": "bool", "value": .bool(value), "bytes": written { $0.bool(value) }])
        }
        for value in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455, 268_435_456, 4_294_967_295] {
            values.append(["type": "length", "value": .number(value), "bytes": written { $0.length(value) }])
        }
        for value in ["", "a", "é", "e\u{301}", "联分", "\u{0}\"\\\u{1f600}", String(repeating: "x", count: 128)] {
            values.append(["type": "string", "value": .text(value), "bytes": written { $0.string(value) }])
        }
        for count in [0, 1, 127, 128] {
            let value = [UInt8](repeating: 0xA5, count: count)
            values.append(["type": "bytes", "value": .hex(value), "bytes": written { $0.byteString(value) }])
        }
        for value in [nil, 0, .max] as [UInt64?] {
            values.append([
                "type": "optional-u64", "value": .optional(value) { .u64($0) }, "bytes": written { $0.option(value) },
            ])
        }
        let refused: [(String, String)] = [
            ("length", ""), ("length", "80"), ("length", "8000"), ("length", "ff00"), ("length", "ffffffff1f"),
            ("length", "808080808001"), ("bool", "02"), ("u16", "00"), ("u64", "00000000000000"), ("u8", "0000"),
            ("string", "01"), ("string", "01ff"), ("string", "02c080"), ("string", "03eda080"), ("bytes", "0200"),
            ("optional-u64", "02"), ("optional-u64", "01"), ("optional-u64", "0000"),
        ]
        for (type, text) in refused {
            #expect(throws: DecodingError.self, "\(type) \(text)") {
                var decoder = Decoder(unhex(text)!)
                switch type {
                case "length": _ = try decoder.length(max: Int(UInt32.max))
                case "bool": _ = try decoder.bool()
                case "u8": _ = try decoder.u8()
                case "u16": _ = try decoder.u16()
                case "u64": _ = try decoder.u64()
                case "string": _ = try decoder.string(max: 1000)
                case "bytes": _ = try decoder.byteString(max: 1000)
                default: _ = try decoder.optionalU64()
                }
                try decoder.finish()
            }
        }
        try VectorFile.check(
            "bcs", about: "Primitives of the encoding, and bytes that are none of them.",
            [("values", .list(values)), ("refused", .list(refused) { ["type": .text($0.0), "bytes": .text($0.1)] })])
    }

    @Test func accounts() throws {
        let ids = [0, 1, 127, 128, 255].map { Sample.account($0) } + [AccountID(bytes: Array(0..<16))]
        for id in ids { #expect(try AccountID(text: id.description) == id) }
        let good = ids[5].description
        let changed = good.dropLast() + (good.hasSuffix("q") ? "p" : "q")
        let refused = [
            "", "lf1", String(changed), String(good.dropLast()), good + "q", "Lf" + good.dropFirst(2),
            good.uppercased() + "q",
            "lg" + good.dropFirst(2), good.replacing("1", with: "b"),
            Bech32m.encode(prefix: "lf", [UInt8](repeating: 0, count: 15)),
            Bech32m.encode(prefix: "lf", [UInt8](repeating: 0, count: 17)),
        ]
        for text in refused { #expect(throws: Bech32m.Failure.self, "\(text)") { try AccountID(text: text) } }
        try VectorFile.check(
            "accounts", about: "Account ids as Bech32m text under the prefix lf, and texts that are none.",
            [
                ("accounts", .list(ids) { ["bytes": .bytes(of: $0), "text": .text($0.description)] }),
                ("refused", .list(refused) { .text($0) }),
            ])
    }

    @Test func genesis() throws {
        var parameters = Parameters()
        parameters.replayWindowMilliseconds = 1000
        parameters.openingsPerMinuteMax = .max
        parameters.unitsPerOrganisationMax = 0
        parameters.reservationMillisecondsMax = 0
        let large = Genesis(
            chain: String(repeating: "~", count: Genesis.chainBytesMax), time: Genesis.timeMax, rulesVersion: .max,
            orderingEpoch: [UInt8](repeating: 0, count: 16), parameters: parameters,
            organisations: (1...100).map {
                Sample.organisation($0, name: String(repeating: "n", count: Int($0) % 64 + 1), quota: UInt64($0))
            })
        let all = [Sample.genesis, Sample.genesisOfOne, large]
        for genesis in all { #expect(try Genesis(canonicalBytes: genesis.canonicalBytes) == genesis) }
        try VectorFile.check(
            "genesis", about: "Genesis files: fields, bytes, hash, and the hash of their validators.",
            [
                (
                    "genesis",
                    .list(all) {
                        [
                            "fields": $0.vector, "bytes": .bytes(of: $0), "hash": .bytes(of: $0.hash),
                            "validators": .bytes(of: ValidatorSet($0)),
                            "validatorsHash": .bytes(of: ValidatorSet($0).hash),
                        ]
                    }
                )
            ])
    }

    @Test func operations() throws {
        let operations = Sample.operations
        #expect(Set(operations.map(\.kind)) == Set(Operation.kinds))
        for operation in operations { #expect(try Operation(canonicalBytes: operation.canonicalBytes) == operation) }
        try VectorFile.check(
            "operations", about: "Operations of every kind: fields and bytes.",
            [("operations", .list(operations) { ["fields": $0.vector, "bytes": .bytes(of: $0)] })])
    }

    @Test func transactions() throws {
        let genesis = Sample.genesis.hash
        let cases = try Sample.transactions.map { (body, seeds) throws -> VectorValue in
            let transaction = Transaction(signing: body, genesis: genesis, keys: seeds.map(Sample.key))
            #expect(try Transaction(envelope: transaction.bytes).body == body)
            #expect(transaction.signaturesVerify(genesis: genesis))
            return [
                "fields": body.vector, "seeds": .list(seeds) { .hex(Sample.seed($0)) }, "body": .bytes(of: body),
                "id": .bytes(of: transaction.id),
                "signed": .hex(TransactionBody.signedBytes(genesis: genesis, body: body.canonicalBytes)),
                "signatures": .list(transaction.signatures) { .bytes(of: $0) }, "envelope": .hex(transaction.bytes),
                "envelopeDigest": .bytes(of: transaction.envelopeDigest),
            ] as VectorValue
        }
        let ticket = Sample.ticket(Sample.ticketLine)
        let natural = [Sample.order("1"), Sample.order(String(repeating: "z", count: 48), line: .max, kind: .max)]
        try VectorFile.check(
            "transactions",
            about:
                "Transactions: body, id, signed bytes, signatures from fixed seeds, envelope. A ticket, natural keys.",
            [
                ("genesis", .bytes(of: genesis)), ("transactions", .list(cases)),
                (
                    "ticket",
                    [
                        "organisation": .number(ticket.organisation.number), "line": Sample.ticketLine.vector,
                        "validUntil": .u64(ticket.validUntil), "seed": .hex(Sample.seed(Sample.issuingSeed(2))),
                        "signed": .hex(
                            Ticket.signedBytes(
                                genesis: genesis, organisation: ticket.organisation, line: Sample.ticketLine,
                                validUntil: ticket.validUntil)), "signature": .bytes(of: ticket.signature),
                    ]
                ),
                (
                    "naturalKeys",
                    .list(natural) {
                        .object(
                            [("issuer", 1)] + $0.fields
                                + [
                                    ("bytes", .bytes(of: $0)),
                                    ("digest", .bytes(of: $0.digest(issuer: OrganisationID(1)))),
                                ])
                    }
                ),
            ])
    }

    @Test func receipts() throws {
        let blocks = SampleChain.grown.blocks
        var receipts = blocks.flatMap(\.receipts)
        receipts += [
            Receipt(transaction: .zero, result: ResultCode(rawValue: .max), operation: 0, line: 0),
            Receipt(transaction: sample(1), result: .accountFrozen, operation: .max, line: .max),
            Receipt(transaction: sample(2), result: .duplicate, first: Place(height: .max, index: .max)),
            Receipt(
                transaction: sample(3), result: .done, outcomes: [.exists, .done, .lines(done: .max, exceptions: [])]),
        ]
        for receipt in receipts { #expect(try Receipt(canonicalBytes: receipt.canonicalBytes) == receipt) }
        try VectorFile.check(
            "receipts", about: "Receipts: fields, bytes, and the digest that is their leaf in a block's receipt root.",
            [
                (
                    "receipts",
                    .list(receipts) {
                        ["fields": $0.vector, "bytes": .bytes(of: $0), "leaf": .bytes(of: Proof.leaf($0))]
                    }
                )
            ])
    }

    /// The first new entry of a ring that follows on another.
    private static func firstOfEpoch(_ chain: SampleChain) -> [UInt8] {
        let head = chain.blocks[5].header
        return Entry(
            position: 6, previous: head.entry, proposer: OrganisationID(2), certificate: nil,
            epoch: EpochChange([
                EpochChangeTests.statement(1), EpochChangeTests.statement(2, certified: 0, last: 0),
                EpochChangeTests.statement(4, certified: 3, last: 4, vote: { _ in nil }),
            ]), transactions: []
        ).signed(genesis: chain.genesis.hash, key: Sample.key(2))
    }

    @Test func entries() throws {
        let chain = SampleChain.grown
        let ordered = chain.blocks.dropFirst().map { (height: Int($0.header.height), raw: $0.raw) }
        let cases = try (ordered + [(6, Self.firstOfEpoch(chain))]).map { (height, raw) throws -> VectorValue in
            let entry = try Entry(
                raw: raw, position: UInt64(height), previous: chain.blocks[height - 1].header.entry,
                genesis: chain.genesis.hash, set: chain.set, rules: chain.genesis.rulesVersion)
            return [
                "position": .u64(entry.position), "previous": .bytes(of: entry.previous),
                "proposer": .number(entry.proposer.number),
                "certificate": .optional(entry.certificate, \.vector),
                "epoch": .optional(entry.epoch) { .list($0.statements, \.vector) },
                "transactions": .list(entry.transactions) { .hex($0.bytes) },
                "seed": .hex(Sample.seed(Sample.votingSeed(UInt8(entry.proposer.number)))), "bytes": .hex(raw),
                "hash": .bytes(of: Entry.hash(raw: raw)),
            ] as VectorValue
        }
        try VectorFile.check(
            "entries", about: "Entries of the order: fields, raw bytes with the proposer's signature, hash.",
            [("genesis", .bytes(of: chain.genesis.hash)), ("entries", .list(cases))])
    }
}
