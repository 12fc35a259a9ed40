public import JSON

extension Mapping {
    /// Reads a mapping.
    /// - Throws: ``MappingError`` with the path of the first value that is wrong.
    public init(json text: [UInt8]) throws(MappingError) {
        let root = JSONNode(path: "$", value: try JSONValue(parsing: text))
        let top = try root.members([
            "lianfen", "source", "file", "joins", "order", "person", "date", "money", "moneyFormat", "earn", "state",
            "unit", "programs",
        ])
        let version = try top.required("lianfen")
        guard try version.string() == Self.version else {
            throw version.refused("has to be “\(Self.version)”, the version of the format")
        }
        source = try Self.source(top.required("source"))
        format =
            try top.optional("file").map { node throws(MappingError) in
                try Self.format(node.members(["encoding", "delimiter", "columns"]), default: CSVFormat())
            } ?? CSVFormat()
        joins = try Self.joins(top.optional("joins"), mainFormat: format)

        let columns = ColumnReader(joins: joins)
        order = try columns.column(top.required("order"))
        person = try columns.column(top.required("person"))
        date = try top.optional("date").map { node throws(MappingError) in try columns.date(node) }
        moneyFormat = try Self.moneyFormat(top.optional("moneyFormat"))
        money = try columns.money(top.required("money"))
        state = try columns.choice(top.required("state"), otherWord: "reject") { node throws(MappingError) in
            try node.word(Order.State.self)
        }
        programs = try Self.programs(top.required("programs"), earn: top.optional("earn"), moneyFormat)
        let codes = programs.map(\.code)
        unit = try columns.choice(top.required("unit"), otherWord: nil) { node throws(MappingError) in
            let code = try node.string()
            guard let index = codes.firstIndex(of: code) else {
                throw node.refused("“\(code)” is not the code of one of the programs")
            }
            return index
        }
        try refuseIdleJoins()
    }

    private static func source(_ node: JSONNode) throws(MappingError) -> String {
        let text = try node.name(bytesMax: sourceBytesMax)
        guard text.utf8.allSatisfy({ isASCIILetterOrDigit($0) || [0x2D, 0x2E, 0x5F].contains($0) }) else {
            throw node.refused("“\(text)” may only have the letters a–z and A–Z, digits, “.”, “-” and “_”")
        }
        return text
    }

    private static func format(
        _ members: JSONMembers, default base: CSVFormat
    ) throws(MappingError) -> CSVFormat {
        var format = base
        if let node = members.optional("encoding") { format.encoding = try node.word(CSVFormat.Encoding.self) }
        if let node = members.optional("delimiter") {
            switch try node.string() {
            case ",": format.delimiter = .comma
            case ";": format.delimiter = .semicolon
            case "\t": format.delimiter = .tab
            default: throw node.refused("has to be \",\", \";\" or \"\\t\"")
            }
        }
        if let node = members.optional("columns") {
            var names: [String] = []
            for element in try node.elements(max: CSVReader.columnsMax) {
                let name = try element.name(bytesMax: columnNameBytesMax)
                guard !names.contains(where: { $0.utf8.elementsEqual(name.utf8) }) else {
                    throw element.refused("“\(name)” is given twice")
                }
                names.append(name)
            }
            guard !names.isEmpty else { throw node.refused("is empty; leave it out where the file has a header") }
            format.columns = names
        }
        return format
    }

    private static func joins(_ node: JSONNode?, mainFormat: CSVFormat) throws(MappingError) -> [Join] {
        guard let node else { return [] }
        var joins: [Join] = []
        for element in try node.elements(max: joinsMax) {
            let members = try element.members([
                "name", "file", "encoding", "delimiter", "columns", "how", "match", "sum", "missing",
            ])
            let name = try members.required("name")
            let nameText = try name.name(bytesMax: joinNameBytesMax)
            guard !joins.contains(where: { $0.name == nameText }) else {
                throw name.refused("“\(nameText)” is the name of another join")
            }
            // A joined file has a header unless it says otherwise itself.
            var base = mainFormat
            base.columns = nil
            let kind = try kind(members)
            joins.append(
                Join(
                    name: nameText, file: try fileName(members.required("file")),
                    format: try format(members, default: base), kind: kind,
                    match: try matches(members.required("match"), ColumnReader(joins: joins)),
                    missing: try members.optional("missing").map { node throws(MappingError) in
                        try node.word(Join.Missing.self)
                    } ?? (kind == .one ? .reject : .nothing)))
        }
        return joins
    }

    private static func kind(_ members: JSONMembers) throws(MappingError) -> Join.Kind {
        let how = try members.required("how")
        switch try how.string() {
        case "one":
            if let sum = members.optional("sum") { throw sum.refused("stands only where how is “sum”") }
            return .one
        case "sum":
            let sum = try members.required("sum")
            if case .string = sum.value {
                return .sum(Amount(column: try sum.name(bytesMax: columnNameBytesMax), times: nil))
            }
            let parts = try sum.members(["column", "times"])
            return .sum(
                Amount(
                    column: try parts.required("column").name(bytesMax: columnNameBytesMax),
                    times: try parts.required("times").name(bytesMax: columnNameBytesMax)))
        case let other: throw how.refused("“\(other)” is not known; write one of “one”, “sum”")
        }
    }

    /// Only a plain name: a mapping that someone sends must not make the import read elsewhere.
    private static func fileName(_ node: JSONNode) throws(MappingError) -> String {
        let name = try node.name(bytesMax: fileNameBytesMax)
        guard !name.hasPrefix("."), !name.utf8.contains(where: { $0 == 0x2F || $0 == 0x5C || $0 < 0x20 }) else {
            throw node.refused("“\(name)” has to be the plain name of a file that lies beside the main one")
        }
        return name
    }

    private static func matches(_ node: JSONNode, _ columns: ColumnReader) throws(MappingError) -> [Match] {
        var matches: [Match] = []
        for element in try node.elements(max: matchesMax) {
            let members = try element.members(["from", "to"])
            matches.append(
                Match(
                    from: try columns.column(members.required("from")),
                    to: try members.required("to").name(bytesMax: columnNameBytesMax)))
        }
        guard !matches.isEmpty else { throw node.refused("is empty; name at least one pair of columns") }
        return matches
    }

    private static func moneyFormat(_ node: JSONNode?) throws(MappingError) -> MoneyFormat {
        guard let node else { return MoneyFormat() }
        let members = try node.members(["decimal", "thousands", "signs", "decimals", "negative"])
        var decimal: UInt8 = 0x2E
        if let sign = members.optional("decimal") {
            switch try sign.string() {
            case ".": decimal = 0x2E
            case ",": decimal = 0x2C
            default: throw sign.refused("has to be \".\" or \",\"")
            }
        }
        var thousands: UInt8?
        if let sign = members.optional("thousands") {
            let text = try sign.string()
            guard let byte = text.utf8.first, text.utf8.count == 1, [0x2C, 0x2E, 0x20, 0x27].contains(byte) else {
                throw sign.refused("has to be \",\", \".\", \"'\" or a space; leave it out where there is none")
            }
            guard byte != decimal else { throw sign.refused("is the decimal sign already") }
            thousands = byte
        }
        var signs: [String] = []
        for sign in try members.optional("signs")?.elements(max: signsMax) ?? [] {
            let text = try sign.name(bytesMax: signBytesMax)
            let taken = text.unicodeScalars.contains {
                ("0"..."9").contains($0) || ("０"..."９").contains($0) || "+-.,' ＋－．，".unicodeScalars.contains($0)
            }
            guard !taken else { throw sign.refused("“\(text)” contains what an amount itself is written with") }
            signs.append(text)
        }
        let decimals = try members.optional("decimals")?.integer(0...Int64(MoneyFormat.decimalsMax)) ?? 2
        let negative = try members.optional("negative")?.word(MoneyFormat.Negative.self) ?? .reject
        return MoneyFormat(
            decimal: decimal, thousands: thousands, signs: signs, decimals: Int(decimals), negative: negative)
    }

    private func refuseIdleJoins() throws(MappingError) {
        var used: Set<Int> = []
        func use(_ column: Column) {
            if case .joined(let join, _) = column { used.insert(join) }
        }
        use(order)
        use(person)
        if let date { use(date.column) }
        switch money {
        case .column(let column, let times):
            use(column)
            if let times { use(times) }
        case .sum(let join): used.insert(join)
        }
        if case .byColumn(let column, _, _) = state { use(column) }
        if case .byColumn(let column, _, _) = unit { use(column) }
        for join in joins { join.match.forEach { use($0.from) } }
        for (index, join) in joins.enumerated() where !used.contains(index) {
            throw MappingError(
                "$.joins[\(index)]", "“\(join.name)” is used nowhere; use one of its columns or leave it out")
        }
    }

    static let columnNameBytesMax = 256
    static let joinNameBytesMax = 64
    static let fileNameBytesMax = 255
    static let matchesMax = 8
    static let signsMax = 16
    static let signBytesMax = 16
}

/// Reads what refers to columns; it knows the joins that stand before.
struct ColumnReader {
    let joins: [Mapping.Join]

    /// `"column"` is a column of the main file, `{"join": …, "column": …}` one of a joined file.
    func column(_ node: JSONNode) throws(MappingError) -> Mapping.Column {
        if case .object = node.value {
            let members = try node.members(["join", "column"])
            let join = try self.join(members.required("join"))
            guard joins[join].kind == .one else {
                throw try members.required("join").refused(
                    "“\(joins[join].name)” is a sum; only a join of the kind “one” has columns")
            }
            return .joined(join: join, try members.required("column").name(bytesMax: Mapping.columnNameBytesMax))
        }
        guard case .string = node.value else {
            throw node.refused(
                "is \(node.value.kind); the name of a column or an object with join and column was expected")
        }
        return .main(try node.name(bytesMax: Mapping.columnNameBytesMax))
    }

    private func join(_ node: JSONNode) throws(MappingError) -> Int {
        let name = try node.string()
        guard let index = joins.firstIndex(where: { $0.name == name }) else {
            throw node.refused("“\(name)” is not the name of a join given before")
        }
        return index
    }

    func date(_ node: JSONNode) throws(MappingError) -> Mapping.DateColumn {
        let members = try node.members(["column", "format", "utcOffset", "optional"])
        var offset = 0
        if let zone = members.optional("utcOffset") {
            let text = Array(try zone.string().utf8)[...]
            guard let read = DatePattern.offset(text, colon: true), read.length == text.count else {
                throw zone.refused("has to be an offset like \"+08:00\", \"-03:00\" or \"Z\"")
            }
            offset = read.minutes
        }
        let format = try members.required("format")
        let text = try format.name(bytesMax: Mapping.columnNameBytesMax)
        let pattern: DatePattern
        do throws(DatePattern.Refusal) {
            pattern = try DatePattern(text, offsetMinutes: offset)
        } catch {
            throw format.refused("“\(text)”: \(error.reason)")
        }
        return Mapping.DateColumn(
            column: try column(members.required("column")), pattern: pattern,
            isOptional: try members.optional("optional")?.bool() ?? false)
    }

    func money(_ node: JSONNode) throws(MappingError) -> Mapping.Money {
        let members = try node.members(["column", "times", "sum"])
        if let sum = members.optional("sum") {
            if let other = members.optional("column") ?? members.optional("times") {
                throw other.refused("cannot stand beside sum")
            }
            let index = try join(sum)
            guard joins[index].kind != .one else {
                throw sum.refused("“\(joins[index].name)” is a join of the kind “one”; a sum was expected")
            }
            return .sum(join: index)
        }
        return .column(
            try column(members.required("column")),
            times: try members.optional("times").map { node throws(MappingError) in try column(node) })
    }

    /// A value for all, or `{"column": …, "values": {…}, "other": …}`.
    func choice<Value>(
        _ node: JSONNode, otherWord: String?, _ read: (JSONNode) throws(MappingError) -> Value
    ) throws(MappingError) -> Mapping.Choice<Value> {
        guard case .object = node.value else { return .always(try read(node)) }
        let members = try node.members(["column", "values", "other"])
        var entries: [Mapping.Choice<Value>.Entry] = []
        for (name, value) in try members.required("values").entries(max: Mapping.valuesMax) {
            guard trimmed(Array(name.utf8)[...]).count == name.utf8.count else {
                throw value.refused("has blanks around the value; fields are compared without them")
            }
            entries.append(.init(text: name, value: try read(value)))
        }
        var other: Value?
        if let node = members.optional("other"), try node.string() != "reject" { other = try read(node) }
        return .byColumn(try column(members.required("column")), entries, other: other)
    }
}
