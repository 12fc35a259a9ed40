import Glibc
import Intake

/// The first byte chooses encoding, delimiter and chunk; the rest is the file. Chunks must not change what is read.
@main enum FuzzCSV {
    static func main() {
        exit(
            runFuzzer { start, count in
                let input = bytes(start, count)
                let choice = Int(input.first ?? 0)
                let format = CSVFormat(
                    encoding: choice & 1 == 0 ? .utf8 : .gb18030,
                    delimiter: CSVFormat.Delimiter.allCases[(choice >> 1) % 3])
                let file = Array(input.dropFirst())
                let whole = FuzzCSV.steps(file, format, chunkBytes: file.count + 1)
                precondition(whole == FuzzCSV.steps(file, format, chunkBytes: 1 + choice >> 3))
                for field in whole.joined() {
                    _ = MoneyFormat(thousands: 0x2C, signs: ["￥"]).parse(field)
                }
                return 0
            })
    }

    /// Every record's fields; a malformed one is a record of its reason.
    private static func steps(_ file: [UInt8], _ format: CSVFormat, chunkBytes: Int) -> [[ArraySlice<UInt8>]] {
        guard let reader = try? CSVReader(bytes: file, format: format, chunkBytes: chunkBytes) else { return [] }
        var steps: [[ArraySlice<UInt8>]] = []
        while let step = try? reader.next(), step != .end {
            switch step {
            case .malformed(let fault):
                steps.append([Array((fault.reason + reader.text(of: fault.raw)).utf8)[...]])
            default: steps.append((0..<reader.record.count).map { reader.record[$0] })
            }
        }
        return steps
    }
}
