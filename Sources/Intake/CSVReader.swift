/// Reads a CSV file record by record, in constant memory.
///
/// RFC 4180, and what real files do besides: a byte order mark, lines that end in LF, CRLF or CR in any mixture, no
/// line break at the end, empty lines (skipped), quotes in the middle of an unquoted field (kept as they are).
///
/// A record that cannot be read is a ``Step/malformed(_:)`` step, and reading goes on after it. What stands between
/// quotes is never taken for records, however wrong the quoting: text that somebody typed into a comment must not
/// become an order. A broken quote so costs the record up to the first line break outside of it, and the fault says
/// which lines these were.
///
/// Used from one thread.
public final class CSVReader {
    /// The longest record, with its quotes and its line break.
    public static let recordBytesMax = 1 << 20
    /// The longest field.
    public static let fieldBytesMax = 1 << 16
    /// The most columns of a file.
    public static let columnsMax = 1024
    /// How much of a malformed record is kept.
    public static let faultBytesMax = 1 << 16
    /// How much is read at a time.
    public static let chunkBytesDefault = 1 << 18

    public enum Step: Equatable, Sendable {
        /// ``CSVReader/record`` holds the next record, which has as many fields as there are columns.
        case record
        case malformed(CSVFault)
        case end
    }

    /// The names of the columns, in the file's order.
    public private(set) var columns: [String] = []
    /// The record last read; the next step overwrites it.
    public private(set) var record = CSVRecord()

    private let source: ByteSource
    private let delimiter: UInt8
    private let gb18030: GB18030Decoder?
    private let chunkBytes: Int

    /// What is read and not yet given out is `buffer[start..<end]`; `line` is the line of `buffer[start]`.
    private var buffer: [UInt8] = []
    private var start = 0
    private var end = 0
    private var line = 1
    private var sourceEnded = false

    private var scan = Scan()
    private var rawRange = 0..<0

    /// Opens a file and reads its header.
    /// - Throws: ``IntakeError`` when it cannot be opened, is in another encoding, is empty or has no readable header.
    public convenience init(path: String, format: CSVFormat = CSVFormat()) throws(IntakeError) {
        try self.init(source: ByteSource(path: path), format: format, chunkBytes: Self.chunkBytesDefault)
    }

    /// Reads from memory, `chunkBytes` at a time.
    public convenience init(
        bytes: [UInt8], format: CSVFormat = CSVFormat(), name: String = "memory", chunkBytes: Int = chunkBytesDefault
    ) throws(IntakeError) {
        try self.init(source: ByteSource(bytes: bytes, name: name), format: format, chunkBytes: chunkBytes)
    }

    init(source: ByteSource, format: CSVFormat, chunkBytes: Int) throws(IntakeError) {
        precondition(chunkBytes > 0)
        self.source = source
        self.chunkBytes = chunkBytes
        delimiter = format.delimiter.rawValue
        gb18030 = format.encoding == .gb18030 ? try GB18030Decoder(place: source.name) : nil
        try skipByteOrderMark(format.encoding)
        if let names = format.columns {
            columns = names
        } else {
            try readHeader()
        }
    }

    /// Goes to the next record.
    /// - Throws: ``IntakeError`` only when the file can no longer be read.
    public func next() throws(IntakeError) -> Step {
        guard try findRecord() else { return .end }
        defer { leaveRecord() }
        rawRange = start..<scan.contentEnd
        let fault = scan.fault ?? wrongColumnCount() ?? fillRecord()
        guard let fault else { return .record }
        return .malformed(
            CSVFault(line: line, lastLine: line + scan.lines - 1, reason: sentence(fault), raw: rawRecord()))
    }

    /// The text of a record's bytes, for showing: what cannot be decoded is U+FFFD.
    public func text(of raw: [UInt8]) -> String {
        gb18030?.lossy(raw) ?? String(decoding: raw, as: UTF8.self)
    }

    /// The bytes of the record last read as they are in the file, cut at ``faultBytesMax``.
    public var raw: [UInt8] { Array(buffer[rawRange.prefix(Self.faultBytesMax)]) }

    // MARK: Header

    private func skipByteOrderMark(_ encoding: CSVFormat.Encoding) throws(IntakeError) {
        while end < 4, !sourceEnded { try refill() }
        let first = Array(buffer[0..<min(end, 4)])
        if first.starts(with: [0xFF, 0xFE]) || first.starts(with: [0xFE, 0xFF]) {
            throw IntakeError(.encoding, "is UTF-16 text; save it as UTF-8 or GB18030", place: source.name)
        }
        if first.starts(with: [0xEF, 0xBB, 0xBF]) {
            guard encoding == .utf8 else {
                throw IntakeError(
                    .encoding, "begins with the mark of UTF-8, but the mapping says gb18030", place: source.name)
            }
            start = 3
        } else if encoding == .gb18030, first == [0x84, 0x31, 0x95, 0x33] {
            start = 4
        }
    }

    private func readHeader() throws(IntakeError) {
        guard try findRecord() else {
            throw IntakeError(.columns, "is empty: the first line has to name the columns", place: source.name)
        }
        defer { leaveRecord() }
        if let fault = scan.fault ?? fillRecord() {
            throw IntakeError(.columns, "the header cannot be read: \(sentence(fault))", place: source.name)
        }
        guard record.count <= Self.columnsMax else {
            throw IntakeError(
                .limit, "has \(record.count) columns; at most \(Self.columnsMax) are read", place: source.name)
        }
        columns = record.fields
    }

    // MARK: Records

    /// Finds the next record that is not an empty line, reading as much as it needs. False at the end of the file.
    private func findRecord() throws(IntakeError) -> Bool {
        while true {
            let complete = buffer.withUnsafeBufferPointer { bytes in
                scan.run(bytes, from: start, to: end, atEnd: sourceEnded, delimiter: delimiter, line: line)
            }
            if complete {
                if start == end { return false }
                if scan.next - start > Self.recordBytesMax { scan.fault = .overlong }
                guard scan.isEmptyLine else { return true }
                leaveRecord()
            } else if end - start > Self.recordBytesMax {
                try skipOverlong()
                return true
            } else {
                try refill()
            }
        }
    }

    private func leaveRecord() {
        start = scan.next
        line += scan.lines
        overlongRaw = nil
    }

    private func refill() throws(IntakeError) {
        if start > 0 {
            buffer.withUnsafeMutableBufferPointer { bytes in
                for i in start..<end { bytes[i - start] = bytes[i] }
            }
            end -= start
            start = 0
        }
        if buffer.count < end + chunkBytes {
            buffer.append(contentsOf: repeatElement(0, count: end + chunkBytes - buffer.count))
        }
        var got = 0
        // `withUnsafeMutableBufferPointer` with a typed throw does not infer; the result is carried out instead.
        let result: Result<Int, IntakeError> = buffer.withUnsafeMutableBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return .success(0) }
            do throws(IntakeError) {
                return .success(try source.read(into: base + end, count: chunkBytes))
            } catch {
                return .failure(error)
            }
        }
        got = try result.get()
        if got == 0 { sourceEnded = true }
        end += got
    }

    /// The first bytes of a record that is too long to be held.
    private var overlongRaw: [UInt8]?

    /// Drops the rest of a record longer than ``recordBytesMax``, in as little memory as any other.
    private func skipOverlong() throws(IntakeError) {
        overlongRaw = Array(buffer[start..<(start + Self.faultBytesMax)])
        var skip = OverlongSkip(delimiter: delimiter)
        while true {
            let finished = buffer.withUnsafeBufferPointer { skip.run($0, from: start, to: end, atEnd: sourceEnded) }
            if let finished {
                scan.setOverlong(next: finished, lines: skip.lines)
                return
            }
            start = end
            if skip.holdsBack { start -= 1 }
            try refill()
        }
    }

    private func rawRecord() -> [UInt8] {
        overlongRaw ?? Array(buffer[start..<min(scan.contentEnd, start + Self.faultBytesMax)])
    }

    private func wrongColumnCount() -> Scan.Fault? {
        scan.spans.count == columns.count ? nil : .columns(scan.spans.count)
    }

    /// Copies the fields that `scan` found to `record`.
    private func fillRecord() -> Scan.Fault? {
        record.removeAll()
        record.line = line
        return buffer.withUnsafeBufferPointer { bytes in
            if scan.hasHighBytes, gb18030 == nil, !isUTF8(.init(rebasing: bytes[start..<scan.contentEnd])) {
                return .encoding
            }
            for (column, span) in scan.spans.enumerated() {
                if span.end - span.start > Self.fieldBytesMax { return .longField(column) }
                if scan.hasHighBytes, let gb18030 {
                    guard gb18030.decode(.init(rebasing: bytes[span.start..<span.end]), into: &record.bytes) else {
                        return .encoding
                    }
                    if span.hasDoubledQuotes { record.undouble(from: record.ends.last ?? 0) }
                } else if span.hasDoubledQuotes {
                    let from = record.bytes.count
                    record.bytes.append(contentsOf: bytes[span.start..<span.end])
                    record.undouble(from: from)
                } else {
                    record.bytes.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[span.start..<span.end]))
                }
                record.ends.append(record.bytes.count)
            }
            return nil
        }
    }

    private func sentence(_ fault: Scan.Fault) -> String {
        let what =
            switch fault {
            case .openQuote(let column, let at):
                "the quote opened in \(name(column)) on line \(at) is never closed"
            case .textAfterQuote(let column, let at):
                "\(name(column)) has text after its closing quote (line \(at)); quotes inside a field are doubled"
            case .zeroByte(let column): "\(name(column)) contains a zero byte"
            case .columns(let count):
                "has \(count) column\(count == 1 ? "" : "s") where \(columns.count) "
                    + "\(columns.count == 1 ? "is" : "are") expected"
            case .longField(let column): "\(name(column)) is longer than \(Self.fieldBytesMax) bytes"
            case .overlong: "the record is longer than \(Self.recordBytesMax) bytes; perhaps a quote is never closed"
            case .encoding: "the text is not valid \(gb18030 == nil ? "UTF-8" : "GB18030")"
            }
        return scan.lines > 1 ? "\(what) (lines \(line) to \(line + scan.lines - 1))" : what
    }

    private func name(_ column: Int) -> String {
        column < columns.count ? "column “\(columns[column])”" : "column \(column + 1)"
    }
}

extension CSVRecord {
    /// Makes the doubled quotes of the field that begins at `from` single.
    fileprivate mutating func undouble(from: Int) {
        var target = from
        var i = from
        while i < bytes.count {
            bytes[target] = bytes[i]
            target += 1
            i += bytes[i] == 0x22 ? 2 : 1
        }
        bytes.removeSubrange(target...)
    }
}

/// Appends a field to a line of CSV, quoted where it has to be.
func appendCSVField(_ field: some Collection<UInt8>, delimiter: UInt8, to line: inout [UInt8]) {
    guard field.contains(where: { $0 == delimiter || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }) else {
        line.append(contentsOf: field)
        return
    }
    line.append(0x22)
    for byte in field {
        if byte == 0x22 { line.append(0x22) }
        line.append(byte)
    }
    line.append(0x22)
}
