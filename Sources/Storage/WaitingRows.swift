import Canonical

/// Rows by column and key, each as the newest batch left it.
struct WaitingRows: Sendable {
    /// A row by itself.
    struct Row: Sendable {
        let key: [UInt8]
        /// None: the row was deleted.
        let value: [UInt8]?
    }

    private struct Place: Sendable {
        let start: Int
        let keyEnd: Int
        var valueStart: Int
        var valueEnd: Int
        var isDeletion: Bool
        /// The row before it whose key has the same hash, which is none nearly always.
        let next: Int?
    }

    /// Rows of a column. Their bytes lie in one place, and rows are found by the hash of their keys.
    private struct Rows: Sendable {
        var content = Encoder()
        var places: [Place] = []
        var newest: [Int: Int] = [:]

        static func hash(_ key: RawSpan) -> Int {
            var hasher = Hasher()
            key.withUnsafeBytes { hasher.combine(bytes: $0) }
            return hasher.finalize()
        }

        func find(_ key: RawSpan, _ hash: Int) -> Int? {
            var found = newest[hash]
            while let index = found, !holds(places[index], key) { found = places[index].next }
            return found
        }

        private func holds(_ place: Place, _ key: RawSpan) -> Bool {
            content.withBytes { KeyOrder.areEqual($0.extracting(place.start..<place.keyEnd), key) }
        }

        func row(_ place: Place) -> Row {
            content.withBytes { content in
                func copy(_ range: Range<Int>) -> [UInt8] { Array(copying: content.extracting(range)) }
                return Row(
                    key: copy(place.start..<place.keyEnd),
                    value: place.isDeletion ? nil : copy(place.valueStart..<place.valueEnd))
            }
        }

        /// Answers whether the row is new here.
        mutating func put(_ key: RawSpan, _ value: RawSpan?) -> Bool {
            let hash = Self.hash(key)
            if let index = find(key, hash) {
                replace(index, value)
                return false
            }
            let next = newest.updateValue(places.count, forKey: hash)
            let start = content.count
            content.fixed(key)
            let keyEnd = content.count
            if let value { content.fixed(value) }
            places.append(
                Place(
                    start: start, keyEnd: keyEnd, valueStart: keyEnd, valueEnd: content.count, isDeletion: value == nil,
                    next: next))
            return true
        }

        /// Where the value is as long as the one before, in its place; otherwise that one's bytes are lost until all
        /// leave.
        private mutating func replace(_ index: Int, _ value: RawSpan?) {
            places[index].isDeletion = value == nil
            guard let value else { return }
            let place = places[index]
            if value.byteCount == place.valueEnd - place.valueStart {
                content.overwrite(from: place.valueStart, value)
            } else {
                places[index].valueStart = content.count
                content.fixed(value)
                places[index].valueEnd = content.count
            }
        }
    }

    private var columns: [Column: Rows] = [:]
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// What keys and values take.
    var byteCount: Int { columns.values.reduce(0) { $0 + $1.content.count } }

    init() {}

    /// With room for as many rows as there were: what waits next will be about as much, and need not grow into it.
    init(roomFor rows: WaitingRows) {
        for (column, there) in rows.columns where there.places.count > Self.roomMin {
            var empty = Rows()
            empty.content = Encoder(capacity: there.content.count)
            empty.places.reserveCapacity(there.places.count)
            empty.newest.reserveCapacity(there.places.count)
            columns[column] = empty
        }
    }

    private static let roomMin = 1024

    func row(_ column: Column, _ key: [UInt8]) -> Row? {
        guard let rows = columns[column], !rows.places.isEmpty else { return nil }
        return rows.find(key.span.bytes, Rows.hash(key.span.bytes)).map { rows.row(rows.places[$0]) }
    }

    /// Rows of a column, in no particular order.
    func rows(_ column: Column, where isWanted: ([UInt8]) -> Bool) -> [Row] {
        guard let rows = columns[column] else { return [] }
        return rows.places.map(rows.row).filter { isWanted($0.key) }
    }

    func holdAny(of batch: WriteBatch) -> Bool {
        var holds = false
        batch.visit { column, key, _ in
            guard !holds, let rows = columns[column], !rows.places.isEmpty else { return }
            holds = rows.find(key, Rows.hash(key)) != nil
        }
        return holds
    }

    mutating func apply(_ batch: WriteBatch) {
        var rows = Rows()
        var column: Column?
        batch.visit { next, key, value in
            if next != column {
                if let column { columns[column] = rows }
                // Taken out while it is changed, so that there is one reference to it.
                rows = columns.removeValue(forKey: next) ?? Rows()
                column = next
            }
            if rows.put(key, value) { count += 1 }
        }
        if let column { columns[column] = rows }
    }

    /// All rows as changes, column by column in ascending order of key.
    var batch: WriteBatch {
        var batch = WriteBatch(room: byteCount, count: count)
        for column in Column.allCases {
            guard let rows = columns[column] else { continue }
            let order = KeyOrder.ascending(rows.places.map { $0.start..<$0.keyEnd }, in: rows.content)
            rows.content.withBytes { content in
                for index in order {
                    let place = rows.places[index]
                    let key = content.extracting(place.start..<place.keyEnd)
                    if place.isDeletion {
                        batch.change(column, key, nil)
                    } else {
                        batch.change(column, key, content.extracting(place.valueStart..<place.valueEnd))
                    }
                }
            }
        }
        return batch
    }

    /// Rows in ascending order of key; of several with the same key the last.
    static func newest(of rows: [Row]) -> [Row] {
        let order = rows.indices.sorted { one, other in
            let (first, second) = (rows[one].key, rows[other].key)
            return first == second ? one < other : first.lexicographicallyPrecedes(second)
        }
        var newest: [Row] = []
        newest.reserveCapacity(rows.count)
        for index in order {
            if newest.last?.key == rows[index].key { newest.removeLast() }
            newest.append(rows[index])
        }
        return newest
    }
}
