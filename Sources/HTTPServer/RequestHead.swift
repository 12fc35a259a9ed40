/// The bytes of a request's head: target and fields one after another, and where each of them stands.
struct RequestHead: Sendable {
    struct Field: Sendable {
        let start: UInt32
        let nameCount: UInt32
        let valueCount: UInt32
    }

    private(set) var bytes: [UInt8] = []
    private(set) var fields: [Field] = []
    private var pathStart = 0
    private var pathEnd = 0
    private var targetEnd = 0

    /// The target without its query. Of the absolute form, which proxies send, the part after the authority.
    var path: ArraySlice<UInt8> { bytes[pathStart..<pathEnd] }
    /// What follows the first `?`.
    var query: ArraySlice<UInt8> { pathEnd < targetEnd ? bytes[(pathEnd + 1)..<targetEnd] : [] }

    func name(_ field: Field) -> ArraySlice<UInt8> {
        bytes[Int(field.start)..<Int(field.start + field.nameCount)]
    }

    func value(_ field: Field) -> ArraySlice<UInt8> {
        let start = Int(field.start + field.nameCount)
        return bytes[start..<(start + Int(field.valueCount))]
    }

    mutating func setTarget(_ target: some Collection<UInt8>) {
        bytes.reserveCapacity(target.count + 384)
        fields.reserveCapacity(12)
        bytes.append(contentsOf: target)
        targetEnd = bytes.count
        pathStart = bytes.first == UInt8(ascii: "/") ? 0 : Self.pathOfAbsoluteForm(bytes)
        pathEnd = bytes[pathStart...].firstIndex(of: UInt8(ascii: "?")) ?? targetEnd
    }

    mutating func append(name: some Collection<UInt8>, value: some Collection<UInt8>) {
        let field = Field(
            start: UInt32(bytes.count), nameCount: UInt32(name.count), valueCount: UInt32(value.count))
        bytes.append(contentsOf: name)
        bytes.append(contentsOf: value)
        fields.append(field)
    }

    /// The first field of a name in any case.
    func first(_ name: some Collection<UInt8>) -> Field? {
        let count = UInt32(name.count)
        return fields.first { field in
            field.nameCount == count && zip(self.name(field), name).allSatisfy { Self.lowered($0) == Self.lowered($1) }
        }
    }

    /// ASCII letters in lower case.
    static func lowered(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }

    private static func pathOfAbsoluteForm(_ bytes: [UInt8]) -> Int {
        for scheme in ["http://", "https://"] {
            let count = scheme.utf8.count
            guard bytes.count > count, zip(bytes, scheme.utf8).allSatisfy({ lowered($0) == $1 }) else { continue }
            return bytes[count...].firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? bytes.count
        }
        return 0
    }
}
