public import JSON

/// Why a mapping is refused: the value concerned, as a JSON path such as `$.programs[0].code`, and a sentence.
public typealias MappingError = JSONError

func isASCIIDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

func isASCIILetterOrDigit(_ byte: UInt8) -> Bool { isASCIIDigit(byte) || (byte | 0x20) &- 0x61 < 26 }
