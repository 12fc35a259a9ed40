import JSON

extension Mapping {
    /// - Parameter earn: the rate of the programs that have none of their own.
    static func programs(
        _ node: JSONNode, earn: JSONNode?, _ money: MoneyFormat
    ) throws(MappingError) -> [Program] {
        let common = try earn.map { node throws(MappingError) in try rate(node, money) }
        var programs: [Program] = []
        for element in try node.elements(max: programsMax) {
            let members = try element.members([
                "code", "decimals", "currency", "faceValue", "expiry", "organisation", "earn",
            ])
            let code = try members.required("code")
            let codeText = try Self.code(code)
            guard !programs.contains(where: { $0.code == codeText }) else {
                throw code.refused("“\(codeText)” is the code of another program")
            }
            let own = try members.optional("earn").map { node throws(MappingError) in try rate(node, money) }
            guard let rate = own ?? common else {
                throw MappingError("\(element.path).earn", "is missing, and the mapping has no earn for all programs")
            }
            programs.append(
                Program(
                    code: codeText,
                    decimals: Int(try members.optional("decimals")?.integer(0...Int64(Program.decimalsMax)) ?? 0),
                    currency: try currency(members.required("currency")),
                    faceValue: try faceValue(members.required("faceValue")),
                    expiry: try members.optional("expiry").map { node throws(MappingError) in try expiry(node) },
                    organisation: UInt32(
                        try members.optional("organisation")?.integer(1...Int64(UInt32.max)) ?? 1),
                    rate: rate))
        }
        guard !programs.isEmpty else { throw node.refused("is empty; name at least one program") }
        return programs
    }

    private static func code(_ node: JSONNode) throws(MappingError) -> String {
        let text = try node.name(bytesMax: Program.codeBytesMax)
        let isPlain = text.utf8.allSatisfy {
            isASCIIDigit($0) || (0x41...0x5A).contains($0) || [0x5F, 0x2D].contains($0)
        }
        guard isPlain else { throw node.refused("“\(text)” may only have the letters A–Z, digits, “_” and “-”") }
        return text
    }

    private static func currency(_ node: JSONNode) throws(MappingError) -> String {
        let text = try node.string()
        guard text.utf8.count == 3, text.utf8.allSatisfy({ (0x41...0x5A).contains($0) }) else {
            throw node.refused("“\(text)” has to be the three capital letters of a currency, such as CNY")
        }
        return text
    }

    private static func faceValue(_ node: JSONNode) throws(MappingError) -> FaceValue {
        let members = try node.members(["minor", "points"])
        return FaceValue(
            minor: UInt64(try members.required("minor").amount(1...faceValueMax)),
            points: UInt64(try members.required("points").amount(1...faceValueMax)))
    }

    private static func expiry(_ node: JSONNode) throws(MappingError) -> Expiry {
        let members = try node.members(["days", "months"])
        switch (members.optional("days"), members.optional("months")) {
        case (let days?, nil): return .days(Int(try days.integer(1...expiryDaysMax)))
        case (nil, let months?): return .months(Int(try months.integer(1...expiryMonthsMax)))
        default: throw node.refused("has to have either days or months")
        }
    }

    /// `{"points": 1, "per": "1.00"}`; `per` is money with a decimal point, or whole money as a number.
    private static func rate(_ node: JSONNode, _ money: MoneyFormat) throws(MappingError) -> EarningRate {
        let members = try node.members(["points", "per"])
        let points = try members.required("points").amount(1...Int64(EarningRate.pointsMax))
        let per = try members.required("per")
        let text: String
        switch per.value {
        case .integer(let whole): text = String(whole)
        case .string(let written): text = written
        default: throw per.refused("is \(per.value.kind); an amount of money like \"1.00\" was expected")
        }
        // The mapping itself is written in one way, whatever the files look like.
        switch MoneyFormat(decimals: money.decimals).parse(Array(text.utf8)[...]) {
        case .refused(let reason): throw per.refused(reason)
        case .amount(let minor):
            guard minor > 0 else { throw per.refused("has to be more than zero") }
            return EarningRate(points: UInt64(points), per: UInt64(minor))
        }
    }

    static let faceValueMax: Int64 = 1_000_000_000_000
    static let expiryDaysMax: Int64 = 36_500
    static let expiryMonthsMax: Int64 = 1200
}
