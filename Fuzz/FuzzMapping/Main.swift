import Glibc
import Intake
import JSON

/// Any text is read as a mapping or refused; what was read can be used.
@main enum FuzzMapping {
    static func main() {
        exit(
            runFuzzer { start, count in
                do throws(MappingError) {
                    let mapping = try Mapping(json: bytes(start, count))
                    let field = Array(mapping.source.utf8)[...]
                    _ = mapping.moneyFormat.parse(field)
                    _ = mapping.date?.pattern.milliseconds(field)
                    for program in mapping.programs {
                        _ = program.rate.points(for: .max, unitDecimals: program.decimals)
                    }
                } catch {
                    precondition(error.path.hasPrefix("$"))
                }
                return 0
            })
    }
}
