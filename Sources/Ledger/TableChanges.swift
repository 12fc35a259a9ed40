public import Canonical

/// What a block did to one table.
///
/// Keys and values lie row after row in one place: a block changes thousands of rows, and arrays of their own for each
/// of them would cost more than the change.
public struct TableChanges: Sendable {
    @usableFromInline
    struct Place: Sendable {
        @usableFromInline let start: Int
        @usableFromInline let keyEnd: Int
        @usableFromInline let valueEnd: Int
        /// Where the row's leaf has content of its own, that lies behind the value.
        @usableFromInline let end: Int
        @usableFromInline let isDeleted: Bool

        init(start: Int, keyEnd: Int, valueEnd: Int, end: Int, isDeleted: Bool) {
            self.start = start
            self.keyEnd = keyEnd
            self.valueEnd = valueEnd
            self.end = end
            self.isDeleted = isDeleted
        }
    }

    public let table: Table
    /// Tables that change: ascending by key. Logs: in the order of execution.
    @usableFromInline
    var places: [Place] = []
    @usableFromInline
    var content: Encoder

    init(_ table: Table, room rows: Int = 0) {
        self.table = table
        content = Encoder(capacity: rows * Self.roomARow)
        places.reserveCapacity(rows)
    }

    private static let roomARow = 192

    public var count: Int { places.count }
    public var isEmpty: Bool { places.isEmpty }

    // MARK: Reading

    /// Looks at a row.
    /// - Parameters:
    ///   - value: none where the row was deleted.
    ///   - leaf: what its leaf in the state tree is the digest of; see ``Table/leaf(_:_:)``, which gives the same for a
    ///     row that is read.
    @inlinable
    public func look<R>(
        at index: Int, _ body: (_ key: RawSpan, _ value: RawSpan?, _ leaf: RawSpan?) throws -> R
    ) rethrows -> R {
        let place = places[index]
        return try content.withBytes { content in
            let key = content.extracting(place.start..<place.keyEnd)
            if place.isDeleted { return try body(key, nil, nil) }
            let value = content.extracting(place.keyEnd..<place.valueEnd)
            if place.end == place.valueEnd { return try body(key, value, value) }
            return try body(key, value, content.extracting(place.valueEnd..<place.end))
        }
    }

    /// Writes keys and values as a list, in order.
    public func encodeList(to encoder: inout Encoder) {
        encoder.length(count)
        for place in places {
            content.withBytes { content in
                encoder.byteString(content.extracting(place.start..<place.keyEnd))
                encoder.byteString(content.extracting(place.keyEnd..<place.valueEnd))
            }
        }
    }

    /// Bytes that are enough for ``encodeList(to:)``.
    public var listBytesMax: Int { content.count + 8 * (count + 1) }

    /// A row by itself.
    public struct Row: Sendable {
        public let key: [UInt8]
        /// None: deleted.
        public let value: [UInt8]?
    }

    /// All rows, for who keeps them.
    public var rows: [Row] {
        places.indices.map { index in
            look(at: index) { key, value, _ in
                guard let value else { return Row(key: Array(copying: key), value: nil) }
                return Row(key: Array(copying: key), value: Array(copying: value))
            }
        }
    }

    // MARK: Making

    mutating func add(_ key: some RowKey, _ row: (some TableRow)?) {
        let start = content.count
        key.encodeKey(to: &content)
        let keyEnd = content.count
        row?.encode(to: &content)
        let valueEnd = content.count
        row?.encodeLeafContent(to: &content)
        places.append(
            Place(start: start, keyEnd: keyEnd, valueEnd: valueEnd, end: content.count, isDeleted: row == nil))
    }

    /// Puts rows in ascending order of key.
    mutating func sort() {
        let order = KeyOrder.ascending(places.map { $0.start..<$0.keyEnd }, in: content)
        places = order.map { places[$0] }
    }
}
