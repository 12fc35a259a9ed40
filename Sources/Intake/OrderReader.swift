/// Reads a shop's orders from a CSV file and the files beside it, as a mapping says.
///
/// The main file is read as a stream; the joined files and the keys of the orders seen are kept in memory, within the
/// bounds that ``JoinedTable`` and ``ordersMax`` name. Reading changes nothing anywhere, so it can be done again.
///
/// Used from one thread.
public final class OrderReader {
    /// The most orders of one file.
    public static let ordersMax = 10_000_000

    public enum Row: Equatable, Sendable {
        case order(Order)
        /// An order that is in good order but gives no point; its `points` are 0. The text says why.
        case earnsNothing(Order, reason: String)
        case rejected(Reject)
    }

    public let mapping: Mapping
    /// The main file's name, without its directory.
    public let fileName: String

    private let reader: CSVReader
    private let tables: [JoinedTable]
    private let keys: [[Source]]
    private let order: Source
    private let person: Source
    private let date: Source?
    private let money: (amount: Source, times: Source?)?
    private let sum: Int?
    private let state: Chooser<Order.State>
    private let unit: Chooser<Int>

    /// Where a field is found: in the record, or in a row of a joined file.
    private enum Source {
        case main(Int)
        case joined(table: Int, column: Int)
    }

    private var pendingRejects: ArraySlice<Reject>
    private var seen = ByteTable()
    /// Of each key of `seen`: its line, and a digest of its record.
    private var seenAt: [(line: Int32, digest: Int)] = []
    /// The row of each joined file for the current record.
    private var found: [Int?]
    private var key: [UInt8] = []

    /// Opens the main file, and loads the joined files from its directory.
    /// - Throws: ``IntakeError`` when one of them cannot be read or lacks a column that the mapping names.
    public init(mapping: Mapping, file: String) throws(IntakeError) {
        self.mapping = mapping
        let slash = file.utf8.lastIndex(of: UInt8(ascii: "/"))
        let directory = slash.map { String(file[...$0]) } ?? ""
        fileName = slash.map { String(file[file.utf8.index(after: $0)...]) } ?? file
        reader = try CSVReader(path: file, format: mapping.format)

        // Which columns of the joined files are used, so that no other is kept.
        var wanted = mapping.joins.map { _ in [String]() }
        let reader = reader
        func source(_ column: Mapping.Column) throws(IntakeError) -> Source {
            switch column {
            case .main(let name): return .main(try reader.index(ofColumn: name, place: file))
            case .joined(let join, let name):
                if let known = wanted[join].firstIndex(where: { $0.utf8.elementsEqual(name.utf8) }) {
                    return .joined(table: join, column: known)
                }
                wanted[join].append(name)
                return .joined(table: join, column: wanted[join].count - 1)
            }
        }
        var keys: [[Source]] = []
        for join in mapping.joins {
            var parts: [Source] = []
            for match in join.match { parts.append(try source(match.from)) }
            keys.append(parts)
        }
        self.keys = keys
        order = try source(mapping.order)
        person = try source(mapping.person)
        date = try mapping.date.map { date throws(IntakeError) in try source(date.column) }
        switch mapping.money {
        case .column(let column, let times):
            money = (
                try source(column), try times.map { column throws(IntakeError) in try source(column) }
            )
            sum = nil
        case .sum(let join):
            money = nil
            sum = join
        }
        state = try Chooser(mapping.state) { column throws(IntakeError) in try source(column) }
        unit = try Chooser(mapping.unit) { column throws(IntakeError) in try source(column) }

        var tables: [JoinedTable] = []
        for (join, columns) in zip(mapping.joins, wanted) {
            tables.append(
                try JoinedTable(join, columns: columns, path: directory + join.file, money: mapping.moneyFormat))
        }
        self.tables = tables
        found = tables.map { _ in nil }
        pendingRejects = tables.flatMap(\.rejects)[...]
    }

    /// The next row; nil at the end. The rejects of joined files come before the first row of the main file.
    /// - Throws: ``IntakeError`` when the file can no longer be read, or has more than ``ordersMax`` orders.
    public func next() throws(IntakeError) -> Row? {
        if let reject = pendingRejects.popFirst() { return .rejected(reject) }
        switch try reader.next() {
        case .end: return nil
        case .malformed(let fault):
            return .rejected(
                Reject(file: fileName, line: fault.line, reason: fault.reason, record: reader.text(of: fault.raw)))
        case .record: break
        }
        let outcome: Row
        do throws(Problem) {
            outcome = try read(reader.record)
        } catch {
            return .rejected(
                Reject(
                    file: fileName, line: reader.record.line, reason: error.reason,
                    record: reader.text(of: reader.raw)))
        }
        guard seenAt.count <= Self.ordersMax else {
            throw IntakeError(.limit, "has more than \(Self.ordersMax) orders; split the file", place: fileName)
        }
        return outcome
    }

    /// What is wrong with a row, in a sentence.
    private struct Problem: Error {
        let reason: String
        init(_ reason: String) { self.reason = reason }
    }

    /// Decides about one record. The first thing that is wrong is the reason: the order's key, whether the file had it
    /// before, the joined rows, the person, the unit, the state, the date, the money.
    private func read(_ record: CSVRecord) throws(Problem) -> Row {
        // The key may itself come from a joined file, so the joins are looked up first and judged afterwards.
        let missing = findJoined(record)
        let orderKey = try required(order, record, bytesMax: Order.keyBytesMax)
        let digest = Self.digest(record)
        if let index = seen.index(of: orderKey) {
            let first = seenAt[index]
            throw Problem(
                "order \(quoted(orderKey)) is already on line \(first.line)"
                    + (first.digest == digest ? ", with the same content" : ", with other content"))
        }
        for (join, table) in tables.enumerated() {
            if let row = found[join] {
                if let problem = table.problem(row) { throw Problem(problem) }
            } else if table.join.missing == .reject {
                throw Problem("\(table.join.file) has no row for \(describeKey(join, record))")
            }
        }
        // An order whose person is in a missing row cannot even be said to earn nothing.
        let personKey = try required(person, record, bytesMax: Order.personBytesMax)
        let program = mapping.programs[try choose(unit, record)]
        var result = Order(
            line: record.line, order: Array(orderKey), person: String(decoding: personKey, as: UTF8.self),
            unit: program.code, points: 0, state: try choose(state, record), dateMilliseconds: nil)
        result.dateMilliseconds = try dateMilliseconds(record)

        let outcome: Row
        if let missing {
            outcome = .earnsNothing(result, reason: "\(tables[missing].join.file) has no row for it")
        } else {
            let amount = try amount(record)
            guard let points = program.rate.points(for: UInt64(max(amount, 0)), unitDecimals: program.decimals) else {
                throw Problem("the amount makes more than \(Order.pointsMax) points")
            }
            result.points = points
            if points > 0 {
                outcome = .order(result)
            } else {
                outcome = .earnsNothing(
                    result, reason: amount < 0 ? "its amount is below zero" : "its amount is too small for a point")
            }
        }
        _ = seen.insert(orderKey)
        seenAt.append((Int32(clamping: record.line), digest))
        return outcome
    }

    // MARK: Fields

    /// A field without the blanks around it; nil where the joined file has no row.
    private func field(_ source: Source, _ record: CSVRecord) -> ArraySlice<UInt8>? {
        switch source {
        case .main(let column): return trimmed(record[column])
        case .joined(let table, let column): return found[table].map { tables[table].value($0, column: column) }
        }
    }

    private func required(
        _ source: Source, _ record: CSVRecord, bytesMax: Int = CSVReader.fieldBytesMax
    ) throws(Problem) -> ArraySlice<UInt8> {
        guard let field = field(source, record) else { throw Problem("\(name(source)) has no row for it") }
        guard !field.isEmpty else { throw Problem("\(name(source)) is empty") }
        guard field.count <= bytesMax else {
            throw Problem("\(name(source)) has \(field.count) bytes; at most \(bytesMax) are allowed")
        }
        return field
    }

    private func name(_ source: Source) -> String {
        switch source {
        case .main(let column): "column “\(reader.columns[column])”"
        case .joined(let table, let column):
            "column “\(tables[table].columns[column])” of \(tables[table].join.file)"
        }
    }

    private func choose<Value>(_ chooser: Chooser<Value>, _ record: CSVRecord) throws(Problem) -> Value {
        switch chooser {
        case .always(let value): return value
        case .byColumn(let source, let table, let values, let other):
            let field = field(source, record) ?? []
            if let index = table.index(of: field) { return values[index] }
            if let other { return other }
            throw Problem("\(name(source)): \(quoted(field)) is not among the values of the mapping")
        }
    }

    private func dateMilliseconds(_ record: CSVRecord) throws(Problem) -> Int64? {
        guard let date, let column = mapping.date else { return nil }
        let field = field(date, record) ?? []
        if field.isEmpty, column.isOptional { return nil }
        guard !field.isEmpty else { throw Problem("\(name(date)) is empty") }
        guard let milliseconds = column.pattern.milliseconds(field) else {
            throw Problem("\(name(date)): \(quoted(field)) is not a date written \(column.pattern.text)")
        }
        return milliseconds
    }

    private func amount(_ record: CSVRecord) throws(Problem) -> Int64 {
        if let sum {
            let total = found[sum].map { tables[sum].sum($0) } ?? 0
            return total
        }
        guard let money else { return 0 }
        let parsed = Intake.amount(
            field(money.amount, record) ?? [], times: money.times.map { field($0, record) ?? [] }, mapping.moneyFormat,
            column: columnName(money.amount), timesColumn: money.times.map(columnName) ?? "")
        switch parsed {
        case .refused(let reason): throw Problem(reason)
        case .amount(let amount): return amount
        }
    }

    private func columnName(_ source: Source) -> String {
        switch source {
        case .main(let column): reader.columns[column]
        case .joined(let table, let column): tables[table].columns[column]
        }
    }

    // MARK: Joins

    /// Looks up the row of every joined file, and gives the first file that has none and lets the order earn nothing.
    private func findJoined(_ record: CSVRecord) -> Int? {
        var missing: Int?
        for (join, table) in tables.enumerated() {
            key.removeAll(keepingCapacity: true)
            let parts = keys[join]
            for part in parts { appendKeyPart(field(part, record) ?? [], isOnly: parts.count == 1, to: &key) }
            found[join] = table.index(of: key[...])
            if found[join] == nil, table.join.missing == .nothing { missing = missing ?? join }
        }
        return missing
    }

    private func describeKey(_ join: Int, _ record: CSVRecord) -> String {
        zip(tables[join].join.match, keys[join]).map { match, source in
            "\(match.to) \(quoted(field(source, record) ?? []))"
        }.joined(separator: ", ")
    }

    private static func digest(_ record: CSVRecord) -> Int {
        var hasher = Hasher()
        hasher.combine(record.bytes)
        hasher.combine(record.ends)
        return hasher.finalize()
    }

    /// A ``Mapping/Choice`` whose column and table are ready for use.
    private enum Chooser<Value: Equatable & Sendable> {
        case always(Value)
        case byColumn(Source, ByteTable, [Value], other: Value?)

        init(
            _ choice: Mapping.Choice<Value>, _ source: (Mapping.Column) throws(IntakeError) -> Source
        ) throws(IntakeError) {
            switch choice {
            case .always(let value): self = .always(value)
            case .byColumn(let column, let entries, let other):
                var table = ByteTable()
                for entry in entries { _ = table.insert(trimmed(Array(entry.text.utf8)[...])) }
                self = .byColumn(try source(column), table, entries.map(\.value), other: other)
            }
        }
    }
}

extension CSVReader {
    /// Where a column stands.
    /// - Throws: ``IntakeError`` when the header has no such column, or two.
    func index(ofColumn name: String, place: String) throws(IntakeError) -> Int {
        let found = columns.indices.filter { columns[$0].utf8.elementsEqual(name.utf8) }
        guard let first = found.first else {
            let known = columns.prefix(20).map { "“\($0)”" }.joined(separator: ", ")
            throw IntakeError(.columns, "has no column “\(name)”; it has \(known)", place: place)
        }
        guard found.count == 1 else {
            throw IntakeError(.columns, "has \(found.count) columns named “\(name)”", place: place)
        }
        return first
    }
}
