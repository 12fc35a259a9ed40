import Chain
import JSON
import Ledger
import Node

/// The way of one transaction through the logs: its id stands in each of these lines, at every node.
///
/// `submitted` where a client hands it in, `request` when that client was answered, `certified` at each node once a
/// block that holds it stands in the tables. The first and the last are of the level `debug`; `block` tells of the
/// block alone.
extension EventLog {
    func note(_ level: Level, _ event: String, _ transaction: Transaction, _ request: String) {
        guard isOn(level) else { return }
        note(
            level, event,
            [
                .init("id", .string(request)), .init("transaction", .string("\(transaction.id)")),
                .init("kinds", .array(transaction.body.operations.map { .string($0.kind) })),
                .init("validUntil", JSONValue(transaction.body.validUntil)),
            ])
    }

    func note(_ block: CertifiedBlock) {
        let (header, output) = (block.block.header, block.block.output)
        // A quiet chain's blocks tell of nothing.
        let level = output.receipts.isEmpty ? Level.debug : .info
        guard isOn(level) else { return }
        note(
            level, "block",
            [
                .init("height", JSONValue(header.height)), .init("header", .string("\(header.hash)")),
                .init("transactions", JSONValue(output.receipts.count)), .init("blockTime", JSONValue(header.time)),
            ])
        guard isOn(.debug) else { return }
        for (index, receipt) in output.receipts.enumerated() {
            note(
                .debug, "certified",
                [
                    .init("transaction", .string("\(receipt.transaction)")), .init("height", JSONValue(header.height)),
                    .init("index", JSONValue(index)), .init("result", .string(receipt.result.name)),
                ])
        }
    }
}
