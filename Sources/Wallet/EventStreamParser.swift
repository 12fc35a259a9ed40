/// Takes an event stream (`text/event-stream`) apart, as it comes: lines may be cut anywhere.
struct EventStreamParser {
    struct Event: Equatable {
        var id: String?
        var name = "message"
        var data = ""
    }

    /// Bytes of one event.
    static let eventBytesMax = 8 << 20

    private var line: [UInt8] = []
    private var afterReturn = false
    private var event = Event()
    private var hasData = false
    private var byteCount = 0

    /// Takes bytes, and answers the events that they end; nil where one is larger than it may be.
    mutating func take(_ bytes: [UInt8]) -> [Event]? {
        var events: [Event] = []
        for byte in bytes {
            switch byte {
            case 0x0A where afterReturn: break
            case 0x0A, 0x0D:
                if let event = endLine() { events.append(event) }
            default:
                line.append(byte)
                byteCount += 1
                if byteCount > Self.eventBytesMax { return nil }
            }
            afterReturn = byte == 0x0D
        }
        return events
    }

    private mutating func endLine() -> Event? {
        defer { line.removeAll(keepingCapacity: true) }
        guard !line.isEmpty else {
            defer {
                event = Event()
                hasData = false
                byteCount = 0
            }
            return hasData ? event : nil
        }
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.count
        // A comment, which only says that the stream lives.
        guard colon > 0 else {
            byteCount -= line.count
            return nil
        }
        var value = line[min(colon + 1, line.count)...]
        if value.first == 0x20 { value = value.dropFirst() }
        let text = String(decoding: value, as: UTF8.self)
        switch String(decoding: line[..<colon], as: UTF8.self) {
        case "id": event.id = text
        case "event": event.name = text
        case "data":
            event.data += hasData ? "\n" + text : text
            hasData = true
        default: break
        }
        return nil
    }
}
