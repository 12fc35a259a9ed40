import Concurrency
import Glibc
import JSON

/// How far a long work has come, how fast it goes and how long it will still take.
///
/// On a terminal one line is drawn again, at most ten times a second; elsewhere a line is written every five seconds,
/// so that a log of hours stays short. `advance` may be called for every row and from any thread: between two drawings
/// it costs one lock and one look at the clock.
public final class ProgressBar: Sendable {
    /// Nanoseconds that only ever grow.
    public typealias Clock = @Sendable () -> UInt64

    private static let redraw_ns: UInt64 = 100_000_000
    private static let line_ns: UInt64 = 5_000_000_000
    /// The rate is that of the last samples, so that it follows a work that slows down.
    private static let samples_max = 16
    private static let sample_ns: UInt64 = 1_000_000_000

    private struct State {
        var done = 0
        var samples: [(time: UInt64, done: Int)]
        var shown: UInt64
        var finished = false
    }

    private let console: Console
    private let label: String
    private let unit: String
    private let total: Int?
    private let clock: Clock
    private let begun: UInt64
    private let state: Locked<State>

    /// Begins at nothing done; the first line comes when the first interval is over.
    /// - Parameters:
    ///   - console: where it is shown.
    ///   - label: what is being done, such as `import`.
    ///   - unit: what is counted, in the plural.
    ///   - total: how many there will be; nil where that is not known, and then there is no time left either.
    ///   - clock: is asked at every step.
    public init(
        _ console: Console, _ label: String, unit: String, total: Int? = nil,
        clock: @escaping Clock = ProgressBar.monotonic
    ) {
        self.console = console
        self.label = label
        self.unit = unit
        self.total = total.map { max($0, 0) }
        self.clock = clock
        begun = clock()
        state = Locked(State(samples: [(begun, 0)], shown: begun))
    }

    /// The machine's clock since its start, which no change of the date moves.
    public static let monotonic: Clock = {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Counts more of the work as done.
    public func advance(by count: Int = 1) {
        update { done in
            let (sum, overflow) = done.addingReportingOverflow(count)
            return overflow ? .max : sum
        }
    }

    /// Sets how much is done, where that is known better than the step.
    public func set(_ done: Int) { update { _ in done } }

    /// Writes the last line, with the whole time and the mean rate. Later calls do nothing.
    public func finish() {
        let now = clock()
        let done = state.withLock { state -> Int? in
            guard !state.finished else { return nil }
            state.finished = true
            return state.done
        }
        guard let done else { return }
        console.setStatus("")
        let elapsed = ProgressBar.difference(now, begun)
        let rate = ProgressBar.perSecond(done, over: elapsed)
        show(done: done, rate: rate, left: nil, elapsed: elapsed)
    }

    private func update(_ change: (Int) -> Int) {
        let now = clock()
        let interval = console.streams.errorsAreTerminal ? ProgressBar.redraw_ns : ProgressBar.line_ns
        let due = state.withLock { state -> (done: Int, rate: Int)? in
            guard !state.finished else { return nil }
            state.done = min(max(change(state.done), 0), total ?? .max)
            // A clock that went back must not stop the bar for good.
            guard now < state.shown || now - state.shown >= interval else { return nil }
            state.shown = now
            let rate = ProgressBar.rate(at: now, &state)
            return (state.done, rate)
        }
        guard let due else { return }
        let left = total.flatMap { due.rate > 0 ? ($0 - due.done) / due.rate : nil }
        show(done: due.done, rate: due.rate, left: left, elapsed: ProgressBar.difference(now, begun), redrawn: true)
    }

    private static func rate(at now: UInt64, _ state: inout State) -> Int {
        let oldest = state.samples[0]
        if let newest = state.samples.last, difference(now, newest.time) >= sample_ns {
            state.samples.append((now, state.done))
            if state.samples.count > samples_max { state.samples.removeFirst() }
        }
        return perSecond(state.done - oldest.done, over: difference(now, oldest.time))
    }

    private static func difference(_ now: UInt64, _ then: UInt64) -> UInt64 { now > then ? now - then : 0 }

    private static func perSecond(_ count: Int, over nanoseconds: UInt64) -> Int {
        guard nanoseconds > 0, count > 0 else { return 0 }
        return Int(min(Double(count) * 1e9 / Double(nanoseconds), 1e15))
    }

    private func show(done: Int, rate: Int, left: Int?, elapsed: UInt64, redrawn: Bool = false) {
        let seconds = Int(elapsed / 1_000_000_000)
        if console.streams.errorsAreTerminal {
            let text = line(done: done, rate: rate, left: left, seconds: seconds, finished: !redrawn)
            if redrawn { console.setStatus(text) } else if !console.json { console.writeError(text) }
        } else if console.json {
            let body: JSONValue = [
                "label": .string(label), "unit": .string(unit), "done": JSONValue(done),
                "total": total.map { JSONValue($0) } ?? .null, "perSecond": JSONValue(rate),
                "secondsLeft": left.map { JSONValue($0) } ?? .null, "seconds": JSONValue(seconds),
            ]
            console.writeError(JSONValue.object([.init("progress", body)]).text)
        } else {
            console.writeError(line(done: done, rate: rate, left: left, seconds: seconds, finished: !redrawn))
        }
    }

    private func line(done: Int, rate: Int, left: Int?, seconds: Int, finished: Bool) -> String {
        var parts = [label]
        if let total, !finished {
            let share = total == 0 ? 1 : Double(done) / Double(total)
            if console.streams.errorsAreTerminal { parts.append(ProgressBar.bar(share)) }
            parts.append("\(Int(share * 100))%")
            parts.append("\(ProgressBar.grouped(done)) of \(ProgressBar.grouped(total)) \(unit),")
        } else {
            parts.append("\(ProgressBar.grouped(done)) \(unit),")
        }
        parts.append("\(ProgressBar.grouped(rate)) a second,")
        if finished {
            parts.append(seconds == 0 ? "took less than 1 s" : "took \(ProgressBar.length(seconds))")
        } else if let left {
            parts.append("\(ProgressBar.length(left)) left")
        } else {
            parts.append("\(ProgressBar.length(seconds)) so far")
        }
        return parts.joined(separator: " ")
    }

    private static func bar(_ share: Double) -> String {
        let places = 20
        let full = Int(share * Double(places))
        return "[" + String(repeating: "#", count: full) + String(repeating: ".", count: places - full) + "]"
    }

    /// `1234567` as `1,234,567`.
    public static func grouped(_ number: Int) -> String {
        var shown = ""
        let digits = Array(String(number.magnitude))
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { shown.append(",") }
            shown.append(digit)
        }
        return number < 0 ? "-" + shown : shown
    }

    /// Seconds as people say them: `45 s`, `3 min 05 s`, `2 h 07 min`.
    static func length(_ seconds: Int) -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        if seconds < 60 { return "\(seconds) s" }
        if seconds < 3600 { return "\(seconds / 60) min \(two(seconds % 60)) s" }
        return "\(grouped(seconds / 3600)) h \(two(seconds / 60 % 60)) min"
    }
}
