/// One path that a busy node runs again and again, from seeds alone: no clock, no file, no thread, nothing drawn.
struct HotPath: Sendable {
    let name: String
    /// What one operation is.
    let about: String
    /// Makes what the path needs, which is not counted.
    let prepare: @Sendable () throws -> Prepared

    /// A path that is ready.
    struct Prepared {
        /// Operations of one pass.
        let count: Int
        /// Runs a pass, 0 or 1, and answers a number that depends on all of it, so that nothing can be left out. Passes
        /// are alike, but what one has changed is not there again in the other.
        let run: (_ pass: Int) -> Int
    }

    init(_ name: String, _ about: String, _ prepare: @escaping @Sendable () throws -> Prepared) {
        self.name = name
        self.about = about
        self.prepare = prepare
    }

    static let all = ledger + bytes + texts

    /// Prepares it, runs it once so that what is made on first use is there, and once more to be counted.
    func run() throws -> (count: Int, sum: Int) {
        let prepared = try prepare()
        let before = prepared.run(0)
        return (prepared.count, before &+ countedPass(prepared))
    }
}

/// Callgrind begins to count when this is entered, and stops when ``finishedPass(_:)`` is: it is told both names, and
/// neither is inlined.
@inline(never)
func countedPass(_ path: HotPath.Prepared) -> Int { finishedPass(path.run(1)) }

@inline(never)
func finishedPass(_ sum: Int) -> Int { sum &* 31 }
