import Canonical
import Crypto
import JSON
public import Ledger

/// Values that operations, transactions and answers consist of.
extension Form where Value == Party {
    /// `{"organisation": 1}`, `{"account": "lf1…"}`, `{"guardian": "lf1…"}`, `{"governor": 1}` or `{"validator": 1}`.
    public static let party = choice(
        "Who signs: an organisation by its issuing key, an account, the guardian that an account named when it was "
            + "opened, an organisation by its governing key, or by its voting key.",
        [
            Choice("organisation", .organisation, { .organisation($0) }) {
                if case .organisation(let id) = $0 { id } else { nil }
            },
            Choice("account", .account, { .account($0) }) { if case .account(let id) = $0 { id } else { nil } },
            Choice("guardian", .account, { .guardian($0) }) { if case .guardian(let id) = $0 { id } else { nil } },
            Choice("governor", .organisation, { .governor($0) }) { if case .governor(let id) = $0 { id } else { nil } },
            Choice("validator", .organisation, { .validator($0) }) {
                if case .validator(let id) = $0 { id } else { nil }
            },
        ]
    ).named("Party")
}

/// One of several members, exactly one of which an object has.
struct Choice<Value>: Sendable {
    let name: String
    let schema: Schema
    let read: @Sendable (JSONValue) throws(JSONError) -> Value
    let write: @Sendable (Value) -> JSONValue?

    init<Part>(
        _ name: String, _ form: Form<Part>, _ make: @escaping @Sendable (Part) -> Value,
        _ part: @escaping @Sendable (Value) -> Part?
    ) {
        self.name = name
        schema = form.schema
        read = { (json: JSONValue) throws(JSONError) -> Value in make(try form.read(json)) }
        write = { part($0).map(form.write) }
    }
}

extension Form {
    /// An object with exactly one member, whose name tells what it is.
    static func choice(_ about: String, _ choices: [Choice<Value>]) -> Form {
        let names = choices.map { "“\($0.name)”" }.joined(separator: ", ")
        return Form(
            Schema(
                [
                    "oneOf": .array(
                        choices.map { choice in
                            [
                                "type": "object",
                                "properties": .object([.init(choice.name, choice.schema.json)]),
                                "required": [.string(choice.name)], "additionalProperties": false,
                            ]
                        }), "description": .string(about),
                ], needing: choices.map(\.schema)),
            read: { (json: JSONValue) throws(JSONError) -> Value in
                guard case .object(let members) = json, members.count == 1 else {
                    throw json.wanted("an object with exactly one of \(names)")
                }
                guard let choice = choices.first(where: { $0.name.utf8.elementsEqual(members[0].name.utf8) }) else {
                    throw JSONError(JSONError.part(members[0].name), "is not known; here can stand one of \(names)")
                }
                do throws(JSONError) { return try choice.read(members[0].value) } catch {
                    throw error.under(JSONError.part(choice.name))
                }
            },
            write: { value in
                for choice in choices {
                    if let json = choice.write(value) { return .object([.init(choice.name, json)]) }
                }
                preconditionFailure("every case has its choice")
            })
    }
}

extension Form where Value == SourceID {
    public static let source = Form<[UInt8]>.byteString(1...16, spaces: false, exact: 16).map(
        read: { (bytes: [UInt8]) throws(JSONError) -> SourceID in
            let padded = bytes + [UInt8](repeating: 0, count: SourceID.byteCount - bytes.count)
            return try! SourceID(canonicalBytes: padded)
        },
        write: { source in
            let text = Array(source.bytes.prefix { $0 != 0 })
            return SourceID(String(decoding: text, as: UTF8.self)) == source ? text : source.bytes
        })
}

extension Form where Value == [UInt8] {
    /// An order's number at its source.
    public static let order = byteString(1...NaturalKey.orderBytesMax, spaces: true)
}

extension Form where Value == NaturalKey {
    public static let naturalKey = object(
        "The business key of an accrual, which is used once for ever within its issuer.",
        Field("source", .source, "Whoever numbers the orders; never the channel that a request came by."),
        Field("order", .order, "The order's number at its source."),
        Field.optional("line", .integer, "The order's line.", else: 0),
        Field.optional("kind", .integer, "0: purchase; other numbers are the source's own.", else: 0),
        make: { (source: SourceID, order: [UInt8], line: UInt32, kind: UInt8) throws(JSONError) -> NaturalKey in
            NaturalKey(source: source, order: order, line: line, kind: kind)
        }, parts: { ($0.source, $0.order, $0.line, $0.kind) }
    ).named("NaturalKey")
}

extension Form where Value == Reference {
    static let reference = Form<[UInt8]>.byteString(0...Reference.byteCountMax, spaces: true).map(
        read: { (bytes: [UInt8]) throws(JSONError) in Reference(bytes) }, write: { $0.bytes })
}

extension Form where Value == Role {
    public static let role = words { (role: Role) in "\(role)" }
}

extension Form where Value == OpenLine {
    static let openLine = object(
        "An account to open.",
        Field("account", .account, "16 random bytes, drawn by whoever opens it and derived from nothing."),
        Field.optional("role", .role, "What the account is for.", else: .consumer),
        Field.optional("credential", .publicKey, "The holder's key. None: unclaimed, until its holder claims it."),
        Field.optional("guardian", .publicKey, "May freeze the account and revoke its keys, nothing else."),
        make: {
            (account: AccountID, role: Role, credential: PublicKey?, guardian: PublicKey?) throws(JSONError) in
            OpenLine(account: account, role: role, credential: credential, guardian: guardian)
        }, parts: { ($0.account, $0.role, $0.credential, $0.guardian) }
    ).named("OpenLine")
}

extension Form where Value == Ticket {
    static let ticket = object(
        "An organisation's word that one account may be opened, with this role and by this key.",
        Field("organisation", .organisation),
        Field("validUntil", .time),
        Field("key", .publicKey, "The issuing key that signed it."),
        Field("signature", .signature),
        make: {
            (organisation: OrganisationID, validUntil: UInt64, key: PublicKey, signature: Signature) throws(JSONError)
            in
            Ticket(organisation: organisation, validUntil: validUntil, key: key, signature: signature)
        }, parts: { ($0.organisation, $0.validUntil, $0.key, $0.signature) }
    ).named("Ticket")
}

extension Form where Value == AccrualLine {
    static let accrualLine = object(
        "Points for one order line.",
        Field("account", .account), Field("key", .naturalKey), Field("amount", .number64),
        Field.optional("pending", .bool, "Pending points cannot move until they vest.", else: false),
        make: { (account: AccountID, key: NaturalKey, amount: UInt64, pending: Bool) throws(JSONError) in
            AccrualLine(account: account, key: key, amount: amount, pending: pending)
        }, parts: { ($0.account, $0.key, $0.amount, $0.pending) }
    ).named("AccrualLine")
}

extension Form where Value == TotalLine {
    static let totalLine = object(
        "What an accrual has come to in all, so that a repeat changes nothing.",
        Field("key", .naturalKey),
        Field("total", .number64, "Vested, voided or clawed back so far, this time included."),
        make: { (key: NaturalKey, total: UInt64) throws(JSONError) in TotalLine(key: key, total: total) },
        parts: { ($0.key, $0.total) }
    ).named("TotalLine")
}

extension Form where Value == Credential {
    public static let credential = object(
        "A key that speaks for an account at heights from–to, the last excluded.",
        Field("key", .publicKey), Field("from", .number64),
        Field.optional("to", .number64, "No end where it is missing."),
        make: { (key: PublicKey, from: UInt64, to: UInt64?) throws(JSONError) in
            Credential(key: key, from: from, to: to ?? Credential.noEnd)
        }, parts: { ($0.key, $0.from, $0.to == Credential.noEnd ? nil : $0.to) }
    ).named("Credential")
}

extension Form where Value == Reservation.Use {
    public static let use = choice(
        "What the organisation may do with reserved points.",
        [
            Choice("redeem", .reference, { .redeem($0) }) { if case .redeem(let it) = $0 { it } else { nil } },
            Choice("transfer", .account, { .transfer(to: $0) }) {
                if case .transfer(let to) = $0 { to } else { nil }
            },
        ]
    ).named("ReservationUse")
}

extension Form where Value == [ZoneOffset] {
    /// An object from instants to minutes, so that no instant can be given twice.
    static let zone: Form = {
        let minutes = Form<Int16>.integer(-900...900)
        let instant = Form<UInt64>.number64
        return Form(
            Schema(
                [
                    "type": "object",
                    "description": .string(
                        "Offset from UTC in minutes, by the instant (milliseconds since 1970 UTC) from which it holds; "
                            + "the first from 0."), "properties": ["0": minutes.schema.json], "required": ["0"],
                    "propertyNames": instant.schema.json, "additionalProperties": minutes.schema.json,
                    "maxProperties": JSONValue(Program.zoneOffsetsMax),
                ], needing: [minutes.schema, instant.schema]),
            read: { (json: JSONValue) throws(JSONError) -> [ZoneOffset] in
                guard case .object(let members) = json else { throw json.wanted("an object from instants to minutes") }
                guard members.count <= Program.zoneOffsetsMax else {
                    throw JSONError("", "has more than \(Program.zoneOffsetsMax) offsets")
                }
                var offsets: [ZoneOffset] = []
                for member in members {
                    do throws(JSONError) {
                        offsets.append(
                            ZoneOffset(
                                from: try instant.read(.string(member.name)), minutes: try minutes.read(member.value)))
                    } catch { throw error.under(JSONError.part(member.name)) }
                }
                offsets.sort { $0.from < $1.from }
                guard offsets.first?.from == 0 else { throw JSONError(JSONError.part("0"), "is missing") }
                return offsets
            },
            write: { offsets in
                .object(offsets.map { JSONValue.Member(String($0.from), minutes.write($0.minutes)) })
            })
    }()
}

/// When points end, with the zone whose days count.
struct DatedExpiry {
    let policy: ExpiryPolicy
    let zone: [ZoneOffset]
}

extension Form where Value == DatedExpiry {
    static let expiry = Form(
        Schema(
            [
                "oneOf": .array([days.schema.json, months.schema.json, yearEnds.schema.json]),
                "description": "When points end, counted in days of the program's zone.",
            ], needing: [days.schema, months.schema, yearEnds.schema]),
        read: { (json: JSONValue) throws(JSONError) -> DatedExpiry in
            guard case .object(let members) = json else {
                throw json.wanted("an object with days, months or yearEnds, and zone,")
            }
            if members.contains(where: { $0.name == "days" }) { return try days.read(json) }
            return try members.contains { $0.name == "months" } ? months.read(json) : yearEnds.read(json)
        },
        write: { expiry in
            switch expiry.policy {
            case .days: days.write(expiry)
            case .months: months.write(expiry)
            case .yearEnds: yearEnds.write(expiry)
            }
        }
    ).named("Expiry")

    private static func counted(
        _ name: String, _ range: ClosedRange<UInt16>, _ about: String,
        _ policy: @escaping @Sendable (UInt16) -> ExpiryPolicy
    ) -> Form {
        object(
            "", Field(name, .integer(range), about), Field("zone", .zone),
            make: { (count: UInt16, zone: [ZoneOffset]) throws(JSONError) in
                DatedExpiry(policy: policy(count), zone: zone)
            },
            parts: { expiry in
                switch expiry.policy {
                case .days(let count), .months(let count), .yearEnds(let count): (count, expiry.zone)
                }
            })
    }

    private static let days = counted("days", 1...3650, "At the end of the day this many days later.") { .days($0) }
    private static let months = counted("months", 1...120, "At the end of the same day this many months later.") {
        .months($0)
    }
    private static let yearEnds = counted("yearEnds", 0...10, "At the end of the year this many years later.") {
        .yearEnds($0)
    }
}

extension Form where Value == Program {
    public static let program = object(
        "What an issuer publishes of a unit: one version of its terms.",
        Field("unit", .unit),
        Field.optional(
            "decimals", .integer(0...Program.decimalsMax), "Digits after the point when amounts are shown.", else: 0),
        Field("currency", .currency, "ISO 4217."),
        Field("faceMinor", .positive64, "What facePoints are worth, in the currency's minor units."),
        Field("facePoints", .positive64),
        Field.optional("expiry", .expiry, "None: points of this version do not expire."),
        make: {
            (
                unit: UnitCode, decimals: UInt8, currency: String, faceMinor: UInt64, facePoints: UInt64,
                expiry: DatedExpiry?
            ) throws(JSONError) in
            Program(
                unit: unit, decimals: decimals, currency: currency, faceMinor: faceMinor, facePoints: facePoints,
                expiry: expiry?.policy, zone: expiry?.zone ?? [])
        },
        parts: { program in
            (
                program.unit, program.decimals, program.currency, program.faceMinor, program.facePoints,
                program.expiry.map { DatedExpiry(policy: $0, zone: program.zone) }
            )
        }
    ).named("Program")
}

extension Form where Value == String {
    static let currency = text(
        "a currency's three capital letters", pattern: "^[A-Z]{3}$", example: "CNY",
        read: { text in
            text.utf8.count == 3 && text.utf8.allSatisfy { (0x41...0x5A).contains($0) } ? text : nil
        }, write: { $0 })
}

extension Form where Value == UInt64 {
    /// As ``number64``, from 1 on.
    static let positive64 = Form(
        Schema(["allOf": [number64.schema.json], "not": ["const": "0"]], number64.schema.definitions),
        read: { (json: JSONValue) throws(JSONError) -> UInt64 in
            let number = try number64.read(json)
            guard number > 0 else { throw JSONError("", "is 0; it has to be at least 1") }
            return number
        }, write: number64.write)
}
