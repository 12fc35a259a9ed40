import Concurrency
import JSON
import Testing

@testable import Terminal

@Suite struct ProgressBarTests {
    /// A clock that moves by hand.
    final class HandClock: Sendable {
        private let now = Locked<UInt64>(7_000_000_000)
        var clock: ProgressBar.Clock { { self.now.withLock { $0 } } }
        func pass(milliseconds: UInt64) { now.withLock { $0 += milliseconds * 1_000_000 } }
        func goBack() { now.withLock { $0 = 1 } }
    }

    private static func console(_ errors: Recorder, terminal: Bool, json: Bool = false) -> Console {
        let streams = Streams(
            output: errors.sink, errors: errors.sink, errorsAreTerminal: terminal, columns: 100)
        return Console(streams: streams, json: json)
    }

    @Test func plainLinesEveryFiveSeconds() {
        let errors = Recorder()
        let time = HandClock()
        let bar = ProgressBar(
            Self.console(errors, terminal: false), "import", unit: "orders", total: 4000, clock: time.clock)
        for _ in 0..<120 {
            time.pass(milliseconds: 100)
            bar.advance(by: 20)
        }
        bar.finish()
        bar.finish()
        bar.advance()
        let expected = """
            import 25% 1,000 of 4,000 orders, 200 a second, 15 s left
            import 50% 2,000 of 4,000 orders, 200 a second, 10 s left
            import 2,400 orders, 200 a second, took 12 s

            """
        #expect(errors.text == expected)
    }

    @Test func withoutTotalThereIsNoTimeLeft() {
        let errors = Recorder()
        let time = HandClock()
        let bar = ProgressBar(Self.console(errors, terminal: false), "audit", unit: "blocks", clock: time.clock)
        time.pass(milliseconds: 65_000)
        bar.set(130)
        #expect(errors.text == "audit 130 blocks, 2 a second, 1 min 05 s so far\n")
    }

    @Test func underJSONALineIsAnObject() {
        let errors = Recorder()
        let time = HandClock()
        let bar = ProgressBar(
            Self.console(errors, terminal: false, json: true), "audit", unit: "blocks", total: 300, clock: time.clock)
        time.pass(milliseconds: 10_000)
        bar.set(100)
        let fields =
            #""label":"audit","unit":"blocks","done":100,"total":300,"perSecond":10,"secondsLeft":20,"seconds":10"#
        #expect(errors.text == "{\"progress\":{\(fields)}}\n")
    }

    @Test func terminalIsRedrawnTenTimesASecondAtMost() {
        let errors = Recorder()
        let time = HandClock()
        let bar = ProgressBar(
            Self.console(errors, terminal: true), "demo", unit: "orders", total: 1000, clock: time.clock)
        for _ in 0..<1000 {
            time.pass(milliseconds: 1)
            bar.advance()
        }
        let drawings = errors.text.split(separator: "\r\u{1B}[K")
        #expect(drawings.count == 10)
        #expect(drawings.last == "demo [####################] 100% 1,000 of 1,000 orders, 1,000 a second, 0 s left")
        bar.finish()
        #expect(errors.text.hasSuffix("\r\u{1B}[Kdemo 1,000 orders, 1,000 a second, took 1 s\n"))
    }

    @Test func linesStandAboveTheBar() {
        let errors = Recorder()
        let console = Self.console(errors, terminal: true)
        console.setStatus("bar")
        console.note("note")
        console.answer(nil, text: "answer")
        console.setStatus("")
        let clear = "\r\u{1B}[K"
        #expect(errors.text == "bar\(clear)note\nbar\(clear)answer\nbar\(clear)")
    }

    @Test func staysInsideItsBounds() {
        let errors = Recorder()
        let time = HandClock()
        let bar = ProgressBar(
            Self.console(errors, terminal: false), "import", unit: "orders", total: 10, clock: time.clock)
        bar.advance(by: .max)
        bar.advance(by: .max)
        time.pass(milliseconds: 5000)
        bar.advance(by: 5)
        time.goBack()
        bar.set(-3)
        bar.finish()
        #expect(errors.text.hasPrefix("import 100% 10 of 10 orders, 2 a second, 0 s left\nimport 0% 0 of 10 orders,"))
    }

    @Test func manyThreadsLoseNoCount() async {
        let errors = Recorder()
        let bar = ProgressBar(Self.console(errors, terminal: false, json: true), "x", unit: "y")
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { for _ in 0..<10_000 { bar.advance() } } }
        }
        bar.finish()
        #expect(errors.text.contains(#""done":80000,"#))
    }

    @Test(arguments: [
        (0, "0 s"), (59, "59 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (7620, "2 h 07 min"),
        (3_600_000, "1,000 h 00 min"),
    ]) func lengthsAreForPeople(_ seconds: Int, _ expected: String) {
        #expect(ProgressBar.length(seconds) == expected)
    }
}
