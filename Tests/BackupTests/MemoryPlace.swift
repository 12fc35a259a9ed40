import Backup
import Concurrency

/// A place in memory that can be told to fail.
final class MemoryPlace: BackupPlace {
    private struct State {
        var objects: [String: [UInt8]] = [:]
        var calls = 0
        /// From this call on nothing works.
        var failsFrom = Int.max
    }

    let title = "memory"
    private let state: Locked<State>

    init(_ objects: [String: [UInt8]] = [:]) { state = Locked(State(objects: objects)) }

    var objects: [String: [UInt8]] {
        get { state.withLock { $0.objects } }
        set { state.withLock { $0.objects = newValue } }
    }
    var calls: Int { state.withLock { $0.calls } }

    /// Lets calls from the `count`th on fail; a call that fails has done nothing.
    func fail(from count: Int) {
        state.withLock { state in
            state.calls = 0
            state.failsFrom = count
        }
    }

    func put(_ name: String, _ bytes: [UInt8]) throws(BackupError) { try call { $0.objects[name] = bytes } }
    func get(_ name: String, max: Int) throws(BackupError) -> [UInt8]? {
        let found = try call { $0.objects[name] }
        if let found, found.count > max { throw .differs(name) }
        return found
    }
    func names() throws(BackupError) -> [String] { try call { $0.objects.keys.shuffled() } }
    func remove(_ name: String) throws(BackupError) { try call { $0.objects[name] = nil } }
    func cancel() { fail(from: 0) }

    private func call<R>(_ body: (inout State) -> R) throws(BackupError) -> R {
        let result: R? = state.withLock { state in
            defer { state.calls += 1 }
            return state.calls < state.failsFrom ? body(&state) : nil
        }
        guard let result else { throw .place("reach memory", reason: "the line is cut") }
        return result
    }
}
