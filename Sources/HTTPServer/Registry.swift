import Concurrency

/// All connections, for those who look after all of them.
final class Registry: Sendable {
    private struct State {
        var slots: [Connection?] = []
        var free: [Int] = []
    }

    private let state = Locked(State())

    func add(_ make: (_ slot: Int) -> Connection) -> Connection {
        state.withLock { state in
            if let slot = state.free.popLast() {
                let connection = make(slot)
                state.slots[slot] = connection
                return connection
            }
            let connection = make(state.slots.count)
            state.slots.append(connection)
            return connection
        }
    }

    func remove(_ connection: Connection) {
        state.withLock { state in
            state.slots[connection.slot] = nil
            state.free.append(connection.slot)
        }
    }

    func all() -> [Connection] { state.withLock { $0.slots.compactMap { $0 } } }
}
