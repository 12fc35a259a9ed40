import Chain
import Concurrency
import HTTPServer
import JSON
import Ledger
import Node
import Storage
import Wire

/// Server-sent events. A stream keeps the height it stands at and nothing else: the chain itself is the queue, so who
/// reads slowly, or not at all, costs no memory, and who comes back with `Last-Event-ID` misses nothing.
final class EventStream: HTTPStream {
    /// What a height gives; none where nothing of it is for this stream.
    typealias Frame = @Sendable (BlockContents) throws(StorageError) -> [UInt8]?

    private struct State: Sendable {
        /// The newest height that was told.
        var height: UInt64
        var spokeAt: UInt64
        var rest: ArraySlice<UInt8> = []
        /// What of the budget is taken for the rest.
        var taken = 0
    }

    private let chain: ChainReader
    private let frame: Frame
    private let budget: StreamBudget
    /// Whether whoever reads may go on.
    private let isOpen: @Sendable () -> Bool
    private let gone: @Sendable () -> Void
    private let state: Locked<State>

    /// Heights looked at before others get their turn.
    private static let heightsMax = 32
    /// Bytes of entries looked at before others get their turn.
    private static let bytesLookedMax = 1 << 20
    /// Bytes of an event that wait for a client without being counted: all streams together hold that much.
    private static let restBytesFree = 4096
    /// After so long without an event a comment shows that the line still stands.
    static let quietMilliseconds: UInt64 = 15_000

    init(
        chain: ChainReader, after height: UInt64, budget: StreamBudget, isOpen: @escaping @Sendable () -> Bool,
        gone: @escaping @Sendable () -> Void, frame: @escaping Frame
    ) {
        self.chain = chain
        self.frame = frame
        self.budget = budget
        self.isOpen = isOpen
        self.gone = gone
        // A first line at once, so that whoever connects sees that it is open; browsers wait as long before a new try.
        state = Locked(State(height: height, spokeAt: chain.clock(), rest: ArraySlice("retry: 2000\n\n".utf8)))
    }

    func next(max: Int) -> HTTPStreamStep {
        guard isOpen() else { return .end }
        var current = state.withLock { $0 }
        let step = step(&current, max: max)
        state.withLock { $0 = current }
        return step
    }

    /// As many events as fit into one piece, since each piece is a call of the system; what does not fit is kept as a
    /// part of bytes that all streams share.
    private func step(_ current: inout State, max: Int) -> HTTPStreamStep {
        var piece: [UInt8] = []
        take(&current, into: &piece, max)
        let head = chain.stamp.height
        var (looked, bytesLooked) = (0, 0)
        while current.rest.isEmpty, piece.count < max, current.height < head {
            guard looked < Self.heightsMax, bytesLooked < Self.bytesLookedMax else {
                // More to look at: a comment where there was nothing, so that the server asks again in its turn.
                if piece.isEmpty { piece = Array(":\n".utf8) }
                break
            }
            looked += 1
            do throws(StorageError) {
                guard let block = try chain.block(current.height + 1) else { break }
                if let bytes = try frame(block) { current.rest = bytes[...] }
                current.height += 1
                bytesLooked += block.byteCount
                take(&current, into: &piece, max)
                // What the client has not taken is memory here: where there is too much of it, he comes again.
                if current.rest.count > Self.restBytesFree {
                    guard budget.take(current.rest.count) else { return .end }
                    current.taken = current.rest.count
                }
            } catch {
                return .end
            }
        }
        let now = chain.clock()
        if piece.isEmpty, now > current.spokeAt + Self.quietMilliseconds {
            piece = Array(": height \(current.height)\n\n".utf8)
        }
        guard !piece.isEmpty else { return .wait }
        current.spokeAt = now
        return .bytes(piece)
    }

    private func take(_ current: inout State, into piece: inout [UInt8], _ max: Int) {
        guard !current.rest.isEmpty else { return }
        let part = current.rest.prefix(max - piece.count)
        piece += part
        current.rest = current.rest.count == part.count ? [] : current.rest.dropFirst(part.count)
        if current.rest.isEmpty, current.taken > 0 {
            budget.giveBack(current.taken)
            current.taken = 0
        }
    }

    func closed() {
        budget.giveBack(
            state.withLock { state in
                defer { state.taken = 0 }
                return state.taken
            })
        gone()
    }

    /// One event. The text has no line breaks: JSON writes them as escapes.
    static func event(_ name: String, id: UInt64, _ json: JSONValue) -> [UInt8] {
        var out = Array("id: \(id)\nevent: \(name)\ndata: ".utf8)
        out += json.bytes
        out += "\n\n".utf8
        return out
    }
}

/// The frames of the newest blocks, made once for all streams.
final class BlockFrames: Sendable {
    private let frames = Locked<(bytes: [UInt64: [UInt8]], order: [UInt64])>(([:], []))
    private static let countMax = 64

    func frame(_ block: BlockContents, head: UInt64) -> [UInt8] {
        let height = block.header.height
        if let known = frames.withLock({ $0.bytes[height] }) { return known }
        let made = EventStream.event("block", id: height, Form<BlockSummary>.blockSummary.write(block.summary))
        // Older ones are asked for by one stream alone, and must not push out what all ask for.
        guard height + UInt64(Self.countMax) > head else { return made }
        frames.withLock { frames in
            if frames.bytes.updateValue(made, forKey: height) == nil { frames.order.append(height) }
            if frames.order.count > Self.countMax { frames.bytes[frames.order.removeFirst()] = nil }
        }
        return made
    }
}

extension BlockContents {
    var summary: BlockSummary {
        BlockSummary(
            header: header,
            transactions: zip(transactions, receipts).enumerated().map { index, pair in
                TransactionSummary(
                    id: pair.0.id, index: UInt32(index), kinds: pair.0.body.operations.map(\.kind),
                    result: pair.1.result)
            })
    }
}

/// Bytes that streams hold together.
final class StreamBudget: Sendable {
    private let taken = Locked(0)
    private let bytesMax: Int

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    func take(_ count: Int) -> Bool {
        taken.withLock { taken in
            guard taken + count <= bytesMax else { return false }
            taken += count
            return true
        }
    }

    func giveBack(_ count: Int) { taken.withLock { $0 -= count } }
}
