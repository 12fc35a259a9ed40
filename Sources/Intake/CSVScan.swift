/// Finds one record in a run of bytes: where its fields are, where the next record begins, and what is wrong with it.
///
/// It is run again from the record's first byte when more bytes have come, so that nothing depends on where a chunk
/// ends.
struct Scan {
    struct Span {
        var start: Int
        var end: Int
        var hasDoubledQuotes: Bool
    }

    enum Fault: Equatable {
        /// Columns count from 0.
        case openQuote(column: Int, line: Int)
        case textAfterQuote(column: Int, line: Int)
        case zeroByte(column: Int)
        case columns(Int)
        case longField(Int)
        case overlong
        case encoding
    }

    private(set) var spans: [Span] = []
    var fault: Fault?
    /// Where the record ends, without and with its line break.
    private(set) var contentEnd = 0
    private(set) var next = 0
    /// How many lines of the file the record takes.
    private(set) var lines = 1
    private(set) var hasHighBytes = false
    private(set) var isEmptyLine = false

    /// - Returns: false when the record may go on after `end`; then only running again makes sense.
    mutating func run(
        _ bytes: UnsafeBufferPointer<UInt8>, from start: Int, to end: Int, atEnd: Bool, delimiter: UInt8, line: Int
    ) -> Bool {
        spans.removeAll(keepingCapacity: true)
        fault = nil
        isEmptyLine = false
        var high: UInt8 = 0
        var breaks = 0
        var i = start
        while true {
            if i < end, bytes[i] == 0x22 {
                let opened = line + breaks
                i += 1
                var span = Span(start: i, end: i, hasDoubledQuotes: false)
                while true {
                    guard i < end else {
                        guard atEnd else { return false }
                        fault = fault ?? .openQuote(column: spans.count, line: opened)
                        // A line break at the very end begins no further line.
                        let endsInBreak = i > start && (bytes[i - 1] == 0x0A || bytes[i - 1] == 0x0D)
                        return finish(contentEnd: end, next: end, breaks: endsInBreak ? breaks : breaks + 1)
                    }
                    let byte = bytes[i]
                    high |= byte
                    if byte == 0x22 {
                        guard i + 1 < end || atEnd else { return false }
                        guard i + 1 < end, bytes[i + 1] == 0x22 else { break }
                        span.hasDoubledQuotes = true
                        i += 2
                        continue
                    }
                    if byte == 0x0A {
                        breaks += 1
                    } else if byte == 0x0D {
                        guard i + 1 < end || atEnd else { return false }
                        if i + 1 >= end || bytes[i + 1] != 0x0A { breaks += 1 }
                    } else if byte == 0 {
                        fault = fault ?? .zeroByte(column: spans.count)
                    }
                    i += 1
                }
                span.end = i
                i += 1
                if i < end, bytes[i] != delimiter, bytes[i] != 0x0A, bytes[i] != 0x0D {
                    fault = fault ?? .textAfterQuote(column: spans.count, line: line + breaks)
                    while i < end, bytes[i] != 0x0A, bytes[i] != 0x0D { i += 1 }
                }
                spans.append(span)
            } else {
                let from = i
                while i < end {
                    let byte = bytes[i]
                    if byte == delimiter || byte == 0x0A || byte == 0x0D { break }
                    high |= byte
                    if byte == 0 { fault = fault ?? .zeroByte(column: spans.count) }
                    i += 1
                }
                spans.append(Span(start: from, end: i, hasDoubledQuotes: false))
            }
            guard i < end else {
                guard atEnd else { return false }
                hasHighBytes = high >= 0x80
                return finish(contentEnd: end, next: end, breaks: breaks + 1)
            }
            switch bytes[i] {
            case 0x0A:
                hasHighBytes = high >= 0x80
                isEmptyLine = i == start
                return finish(contentEnd: i, next: i + 1, breaks: breaks + 1)
            case 0x0D:
                guard i + 1 < end || atEnd else { return false }
                hasHighBytes = high >= 0x80
                isEmptyLine = i == start
                let isPair = i + 1 < end && bytes[i + 1] == 0x0A
                return finish(contentEnd: i, next: i + (isPair ? 2 : 1), breaks: breaks + 1)
            default:
                i += 1
            }
        }
    }

    private mutating func finish(contentEnd: Int, next: Int, breaks: Int) -> Bool {
        self.contentEnd = contentEnd
        self.next = next
        lines = breaks
        return true
    }

    /// The record was too long to be held; it ended at `next`.
    mutating func setOverlong(next: Int, lines: Int) {
        spans.removeAll(keepingCapacity: true)
        fault = .overlong
        isEmptyLine = false
        _ = finish(contentEnd: next, next: next, breaks: lines)
    }
}

/// Follows the quoting of a record without keeping any of it.
struct OverlongSkip {
    private enum State {
        /// `closed` is right behind a closing quote; `spoiled` is text where only a delimiter or a line break may be.
        case fieldStart, plain, quoted, closed, spoiled
    }

    let delimiter: UInt8
    private var state = State.fieldStart
    private var lastIsBreak = false
    private(set) var lines = 1
    /// The last byte given means something only together with the one after it, and has to be given again.
    private(set) var holdsBack = false

    init(delimiter: UInt8) { self.delimiter = delimiter }

    /// - Returns: where the next record begins; nil when that is not among these bytes.
    mutating func run(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int, to end: Int, atEnd: Bool) -> Int? {
        holdsBack = false
        var i = start
        while i < end {
            let byte = bytes[i]
            if (byte == 0x0D || (byte == 0x22 && state == .quoted)) && i + 1 == end && !atEnd {
                holdsBack = true
                return nil
            }
            lastIsBreak = byte == 0x0A || byte == 0x0D
            let following = i + 1 < end ? bytes[i + 1] : 0
            if state == .quoted {
                if byte == 0x22, following == 0x22 {
                    i += 1
                } else if byte == 0x22 {
                    state = .closed
                } else if byte == 0x0A || (byte == 0x0D && following != 0x0A) {
                    lines += 1
                }
            } else if byte == 0x0A {
                return i + 1
            } else if byte == 0x0D {
                return i + (following == 0x0A ? 2 : 1)
            } else if state != .spoiled {
                switch (byte, state) {
                case (delimiter, _): state = .fieldStart
                case (_, .closed): state = .spoiled
                case (0x22, .fieldStart): state = .quoted
                default: state = .plain
                }
            }
            i += 1
        }
        guard atEnd else { return nil }
        if state == .quoted, lastIsBreak { lines -= 1 }
        return end
    }
}
