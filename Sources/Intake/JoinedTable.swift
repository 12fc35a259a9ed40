/// A joined file, loaded whole: its keys, and for each the columns that are used or the sum.
struct JoinedTable {
    /// The most rows of a joined file.
    static let rowsMax = 10_000_000
    /// The most bytes of keys and values kept of a joined file.
    static let bytesMax = 1 << 30
    /// The most rows of a joined file that may be rejected before the import is given up.
    static let rejectsMax = 10_000

    let join: Mapping.Join
    /// The names of the columns whose values are kept.
    let columns: [String]
    private(set) var rejects: [Reject] = []

    private var keys = ByteTable()
    /// `one`: where the values of key k end in `values`, `columns.count` entries a key.
    private var ends: [Int] = []
    private var values: [UInt8] = []
    /// `sum`: the sum of key k.
    private var sums: [Int64] = []
    private var lines: [Int32] = []
    /// What makes the rows of a key unusable; every order that needs them is rejected with it.
    private var problems: [Int: String] = [:]

    /// Loads the file.
    /// - Throws: ``IntakeError`` when it cannot be read, lacks a column, or exceeds a bound.
    init(_ join: Mapping.Join, columns: [String], path: String, money: MoneyFormat) throws(IntakeError) {
        self.join = join
        self.columns = columns
        let reader = try CSVReader(path: path, format: join.format)
        var keyColumns: [Int] = []
        for match in join.match { keyColumns.append(try reader.index(ofColumn: match.to, place: path)) }
        var kept: [Int] = []
        for name in columns { kept.append(try reader.index(ofColumn: name, place: path)) }
        var amount: AmountColumns?
        if case .sum(let names) = join.kind {
            let times = try names.times.map { name throws(IntakeError) in
                try reader.index(ofColumn: name, place: path)
            }
            amount = AmountColumns(column: try reader.index(ofColumn: names.column, place: path), times: times)
        }
        var key: [UInt8] = []
        var rows = 0
        while true {
            let step = try reader.next()
            if step == .end { break }
            rows += 1
            guard rows <= Self.rowsMax else {
                throw IntakeError(.limit, "has more than \(Self.rowsMax) rows; split the import", place: path)
            }
            if case .malformed(let fault) = step {
                try reject(fault.line, fault.reason, reader.text(of: fault.raw), path)
                continue
            }
            let record = reader.record
            key.removeAll(keepingCapacity: true)
            let emptyKey = keyColumns.first { column in
                let part = trimmed(record[column])
                appendKeyPart(part, isOnly: keyColumns.count == 1, to: &key)
                return part.isEmpty
            }
            if let emptyKey {
                try reject(
                    record.line, "column “\(reader.columns[emptyKey])” is empty", reader.text(of: reader.raw), path)
                continue
            }
            let (index, isNew) = keys.insert(key[...])
            if let amount {
                add(amount.value(record, money, names: reader.columns), index, isNew, record.line)
            } else {
                keep(kept, record, index, isNew)
            }
            guard keys.keyBytes + values.count <= Self.bytesMax else {
                throw IntakeError(
                    .limit, "has more than \(Self.bytesMax) bytes of keys and values; split the import", place: path)
            }
        }
    }

    /// The number of a key made with ``appendKeyPart(_:isOnly:to:)``; nil where the file has no such row.
    func index(of key: ArraySlice<UInt8>) -> Int? { keys.index(of: key) }

    func problem(_ index: Int) -> String? { problems.isEmpty ? nil : problems[index] }

    func sum(_ index: Int) -> Int64 { sums[index] }

    /// The value of a column of ``columns``, without the blanks around it.
    func value(_ index: Int, column: Int) -> ArraySlice<UInt8> {
        let position = index * columns.count + column
        return values[(position == 0 ? 0 : ends[position - 1])..<ends[position]]
    }

    private mutating func add(_ parsed: MoneyFormat.Parsed, _ index: Int, _ isNew: Bool, _ line: Int) {
        if isNew { sums.append(0) }
        switch parsed {
        case .refused(let reason): problems[index] = problems[index] ?? "\(join.file) line \(line): \(reason)"
        case .amount(let amount):
            let (sum, overflow) = sums[index].addingReportingOverflow(amount)
            if overflow {
                problems[index] = problems[index] ?? "\(join.file) line \(line): the sum is too large an amount"
            } else {
                sums[index] = sum
            }
        }
    }

    private mutating func keep(_ kept: [Int], _ record: CSVRecord, _ index: Int, _ isNew: Bool) {
        if isNew {
            lines.append(Int32(clamping: record.line))
            for column in kept {
                values.append(contentsOf: trimmed(record[column]))
                ends.append(values.count)
            }
            return
        }
        let isSame = kept.indices.allSatisfy { value(index, column: $0) == trimmed(record[kept[$0]]) }
        if !isSame {
            problems[index] =
                problems[index]
                ?? "\(join.file) has two different rows for it, lines \(lines[index]) and \(record.line)"
        }
    }

    private mutating func reject(
        _ line: Int, _ reason: String, _ text: String, _ path: String
    ) throws(IntakeError) {
        guard rejects.count < Self.rejectsMax else {
            throw IntakeError(
                .limit,
                "more than \(Self.rejectsMax) of its rows cannot be read (the first: line \(rejects[0].line), "
                    + "\(rejects[0].reason)); is it the right file?", place: path)
        }
        rejects.append(Reject(file: join.file, line: line, reason: reason, record: text))
    }
}

/// Appends one part of a key. Parts of a longer key carry their length, so that no two keys run together.
func appendKeyPart(_ part: ArraySlice<UInt8>, isOnly: Bool, to key: inout [UInt8]) {
    if !isOnly { withUnsafeBytes(of: UInt32(part.count).littleEndian) { key.append(contentsOf: $0) } }
    key.append(contentsOf: part)
}

/// Where in a record an amount of money stands.
struct AmountColumns {
    let column: Int
    let times: Int?

    func value(_ record: CSVRecord, _ money: MoneyFormat, names: [String]) -> MoneyFormat.Parsed {
        amount(
            record[column], times: times.map { record[$0] }, money, column: names[column],
            timesColumn: times.map { names[$0] } ?? "")
    }
}

/// The largest quantity of one line.
let quantityMax: Int64 = 1_000_000_000

/// An amount, perhaps times a whole quantity, with sentences that name the column.
func amount(
    _ field: ArraySlice<UInt8>, times: ArraySlice<UInt8>?, _ money: MoneyFormat, column: String, timesColumn: String
) -> MoneyFormat.Parsed {
    let amount: Int64
    switch money.parse(field) {
    case .refused(let reason): return .refused("column “\(column)”: \(reason)")
    case .amount(let parsed): amount = parsed
    }
    var product = amount
    if let times {
        // A quantity is a whole number in the same spelling; returned goods have one below zero.
        var whole = money
        whole.decimals = 0
        switch whole.parse(times) {
        case .refused: return .refused("column “\(timesColumn)”: \(quoted(times)) is not a whole quantity")
        case .amount(let quantity):
            let (value, overflow) = amount.multipliedReportingOverflow(by: quantity)
            guard !overflow, abs(quantity) <= quantityMax else {
                return .refused("column “\(timesColumn)”: \(quoted(times)) makes it too large an amount")
            }
            product = value
        }
    }
    if product < 0, money.negative == .reject { return .refused("column “\(column)”: \(quoted(field)) is below zero") }
    return .amount(product)
}
