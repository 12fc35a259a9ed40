/// Elements that are made piece by piece, each piece by whichever thread has time.
///
/// `@unchecked Sendable` is true because each piece is filled by one call of a ``StateTree/Parallel``, which returns
/// before ``joined`` is read.
final class Pieces<Element>: @unchecked Sendable {
    private final class Piece { var elements: [Element] = [] }

    private let pieces: [Piece]
    private let total: Int
    private let each: Int

    /// - Parameter each: elements of a piece; the last one may have fewer.
    init(_ total: Int, each: Int) {
        self.total = total
        self.each = each
        pieces = (0..<(total + each - 1) / each).map { _ in Piece() }
    }

    var count: Int { pieces.count }

    /// Makes the elements of a piece, each from its number in all.
    func fill(_ piece: Int, _ make: (Int) -> Element) {
        pieces[piece].elements = (piece * each..<min((piece + 1) * each, total)).map(make)
    }

    /// All elements in order.
    var joined: [Element] { count == 1 ? pieces[0].elements : pieces.flatMap(\.elements) }
}
