/// What the columns of a shop's CSV files mean. `docs/import.md` describes the file it is read from.
public struct Mapping: Equatable, Sendable {
    /// The value of the member `lianfen` of every mapping this version reads.
    public static let version = "mapping/1"
    public static let sourceBytesMax = 16
    public static let joinsMax = 16
    public static let programsMax = 1000
    /// The most entries of one table of values.
    public static let valuesMax = 10_000

    /// Who numbers the orders and the persons, 1 to ``sourceBytesMax`` ASCII bytes: two sources may use the same
    /// numbers.
    public let source: String
    public let format: CSVFormat
    public let joins: [Join]
    public let order: Column
    public let person: Column
    public let date: DateColumn?
    public let money: Money
    public let moneyFormat: MoneyFormat
    public let state: Choice<Order.State>
    /// Indexes of ``programs``.
    let unit: Choice<Int>
    /// The programs whose points are given, in the mapping's order; no two have the same code.
    public let programs: [Program]

    /// A column of the main file, or of a file joined by a single row.
    public enum Column: Equatable, Sendable {
        case main(String)
        case joined(join: Int, String)
    }

    public struct DateColumn: Equatable, Sendable {
        public let column: Column
        public let pattern: DatePattern
        /// Whether the field may be empty.
        public let isOptional: Bool
    }

    /// An amount is a column, perhaps times a quantity.
    public struct Amount: Equatable, Sendable {
        public let column: String
        public let times: String?
    }

    public enum Money: Equatable, Sendable {
        case column(Column, times: Column?)
        /// What a join of the kind ``Join/Kind/sum`` adds up.
        case sum(join: Int)
    }

    /// A further file, found beside the main one.
    public struct Join: Equatable, Sendable {
        public enum Kind: Equatable, Sendable {
            /// At most one row for each key.
            case one
            /// The sum of an amount over all rows of a key.
            case sum(Amount)
        }

        /// What becomes of an order for which the file has no row.
        public enum Missing: String, CaseIterable, Sendable {
            case reject
            /// The order earns nothing.
            case nothing
        }

        public let name: String
        public let file: String
        public let format: CSVFormat
        public let kind: Kind
        public let match: [Match]
        public let missing: Missing
    }

    /// A column here that has the same value as a column of the joined file.
    public struct Match: Equatable, Sendable {
        public let from: Column
        public let to: String
    }

    /// One value for every order, or one that depends on what a column says.
    public enum Choice<Value: Equatable & Sendable>: Equatable, Sendable {
        case always(Value)
        /// `other` is for what the table does not name; nil rejects it.
        case byColumn(Column, [Entry], other: Value?)

        public struct Entry: Equatable, Sendable {
            public let text: String
            public let value: Value
        }
    }

    /// A points program that the import publishes where the ledger does not have it.
    public struct Program: Equatable, Sendable {
        public static let codeBytesMax = 16
        public static let decimalsMax = 4

        /// The unit's code: `A`–`Z`, `0`–`9`, `_` and `-`, at most ``codeBytesMax``.
        public let code: String
        /// One point is 10^`decimals` of the unit's smallest part.
        public let decimals: Int
        /// Three letters of ISO 4217.
        public let currency: String
        public let faceValue: FaceValue
        public let expiry: Expiry?
        /// The number of the organisation that issues the unit.
        public let organisation: UInt32
        public let rate: EarningRate
    }

    /// `points` whole points are worth `minor` of the currency's smallest part.
    public struct FaceValue: Equatable, Sendable {
        public let minor: UInt64
        public let points: UInt64
    }

    /// How long points live.
    public enum Expiry: Equatable, Sendable {
        case days(Int)
        case months(Int)
    }

    /// The program whose code is `unit`.
    public func program(_ unit: String) -> Program? { programs.first { $0.code == unit } }
}
