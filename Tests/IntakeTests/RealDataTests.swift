import Foundation
import Intake
import Testing

/// The totals that `data/README.md` beside the data promises, exactly.
@Suite(.enabled(if: RealData.isPresent, "the real data is not at ../shared/data (or LIANFEN_DATA)"))
struct RealDataTests {
    struct Total: Equatable {
        var orders = 0
        var points: UInt64 = 0
    }

    @Test func olist() throws {
        let reader = try OrderReader(
            mapping: Mapping(json: RealData.mapping("olist")),
            file: RealData.file("olist-sample/olist_orders_dataset.csv"))
        var totals: [Order.State: Total] = [:]
        var nothing: [Order.State: Int] = [:]
        var people: Set<String> = []
        var rejects: [Reject] = []
        while let row = try reader.next() {
            switch row {
            case .order(let order):
                totals[order.state, default: Total()].orders += 1
                totals[order.state, default: Total()].points += order.points
                people.insert(order.person)
            case .earnsNothing(let order, let reason):
                nothing[order.state, default: 0] += 1
                #expect(reason == "olist_order_items_dataset.csv has no row for it")
            case .rejected(let reject): rejects.append(reject)
            }
        }
        #expect(rejects == [])
        #expect(totals[.vested] == Total(orders: 5172, points: 720_055))
        #expect(totals[.pending] == Total(orders: 1721, points: 271_867))
        #expect(totals[.voided] == Total(orders: 467, points: 96_980))
        #expect(nothing[.voided] == 767)
        #expect(nothing.values.reduce(0, +) == 775)
        #expect(people.count == 7263)
    }

    @Test func istanbulMalls() throws {
        let reader = try OrderReader(
            mapping: Mapping(json: RealData.mapping("istanbul-malls")),
            file: RealData.file("istanbul-malls/customer_shopping_data.csv"))
        var totals: [String: Total] = [:]
        var others = 0
        while let row = try reader.next() {
            guard case .order(let order) = row, order.state == .vested, order.dateMilliseconds != nil else {
                others += 1
                continue
            }
            totals[order.unit, default: Total()].orders += 1
            totals[order.unit, default: Total()].points += order.points
        }
        #expect(others == 0)
        #expect(
            totals == [
                "CEVAHIR": Total(orders: 4991, points: 3_431_680),
                "EMAAR": Total(orders: 4811, points: 3_388_487),
                "FORUM": Total(orders: 4947, points: 3_334_064),
                "ISTINYE": Total(orders: 9781, points: 6_713_149),
                "KANYON": Total(orders: 19823, points: 13_702_839),
                "MALL_OF_ISTANBUL": Total(orders: 19943, points: 13_843_768),
                "METROCITY": Total(orders: 15011, points: 10_244_018),
                "METROPOL": Total(orders: 10161, points: 6_933_905),
                "VIAPORT": Total(orders: 4914, points: 3_412_071),
                "ZORLU": Total(orders: 5075, points: 3_507_612),
            ])
        #expect(totals.values.map(\.points).reduce(0, +) == 68_511_593)
    }

    /// Reviews have quoted line breaks, some of them CRLF.
    @Test func reviewsWithLineBreaks() throws {
        let reader = try CSVReader(path: RealData.file("olist-sample/olist_order_reviews_dataset.csv"))
        var records = 0
        while true {
            let step = try reader.next()
            if step == .end { break }
            #expect(step == .record)
            records += 1
        }
        #expect(records == 8225)
    }
}
