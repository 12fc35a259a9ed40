import Concurrency
public import JSON

/// How a command speaks: answers on the output stream, everything else on the error stream.
///
/// Under `--json` every line of either stream is one JSON object: answers as the command gives them, notes as
/// `{"note":…}`, progress as `{"progress":…}`, and at the end of a failed call `{"error":{"code","field","reason"}}`.
/// Only the bar of a terminal is drawn as for a person, since no program reads it there.
///
/// May be used from any thread. Lines of several threads do not mix, because they are written while a lock is held; the
/// sinks therefore must not call back.
public final class Console: Sendable {
    private struct State {
        /// What is drawn on the terminal's last line and has to be drawn again below each new line.
        var status = ""
        var outputFailed = false
    }

    /// Whether answers are JSON.
    public let json: Bool
    let streams: Streams
    private let state = Locked(State())

    public init(streams: Streams = .standard(), json: Bool = false) {
        self.streams = streams
        self.json = json
    }

    /// Whether an answer could not be written; the process then ends with ``ExitCode/environment``.
    public var outputFailed: Bool { state.withLock { $0.outputFailed } }

    /// Answers with the JSON under `--json` and with the text otherwise; only the one that is needed is made. An empty
    /// text answers nothing.
    public func answer(_ json: @autoclosure () -> JSONValue, text: @autoclosure () -> String) {
        if self.json { print(json().text) } else { print(text()) }
    }

    /// Writes text to the output stream as it is, in every mode: for a command whose answer goes on to another program.
    public func pass(_ text: String) { print(text) }

    /// Writes bytes to the output stream as they are.
    public func pass(bytes: [UInt8]) { write(bytes) }

    /// All of the input stream.
    /// - Throws: ``CommandError`` where it cannot be read or is longer than `max` bytes.
    public func input(max: Int) throws(CommandError) -> [UInt8] {
        if streams.input.isTerminal { note("Reading from the terminal; end with Ctrl-D.") }
        var bytes: [UInt8] = []
        while true {
            guard let next = streams.input.read() else {
                throw CommandError(code: "input", reason: "the input cannot be read", exit: .environment)
            }
            if next.isEmpty { return bytes }
            guard bytes.count + next.count <= max else {
                throw CommandError(code: "input-too-large", reason: "the input is larger than \(max) bytes")
            }
            bytes += next
        }
    }

    /// Tells a person something that is not part of the answer.
    public func note(_ text: String) {
        writeError(json ? JSONValue.object([.init("note", .string(text))]).text : text)
    }

    /// Says why the call failed.
    public func fail(_ error: CommandError) {
        writeError(json ? error.json.text : error.text)
    }

    /// Writes text to the output stream as it is, in every mode: for help and for the version.
    func print(_ text: String) {
        guard !text.isEmpty else { return }
        write(Console.line(text))
    }

    private func write(_ bytes: [UInt8]) {
        state.withLock { state in
            guard !state.outputFailed else { return }
            erase(state)
            state.outputFailed = !streams.output.write(bytes)
            draw(state)
        }
    }

    func writeError(_ text: String) {
        state.withLock { state in
            erase(state)
            _ = streams.errors.write(Console.line(text))
            draw(state)
        }
    }

    /// Whether a person watches the error stream on a terminal, where a line can be drawn again in place.
    public var isWatched: Bool { streams.errorsAreTerminal }

    /// Draws the terminal's last line anew, for live figures; empty takes it away. Does nothing where nobody watches,
    /// and cuts what does not fit. How often is up to the caller: ten times a second is plenty.
    public func setStatus(_ text: String) {
        guard streams.errorsAreTerminal else { return }
        // The last place stays free: some terminals begin a new line when it is filled.
        let clipped = TextLayout.clipped(text, to: streams.columns - 1)
        state.withLock { state in
            erase(state)
            state.status = clipped
            draw(state)
        }
    }

    private func erase(_ state: State) {
        if !state.status.isEmpty { _ = streams.errors.write(Array("\r\u{1B}[K".utf8)) }
    }

    private func draw(_ state: State) {
        if !state.status.isEmpty { _ = streams.errors.write(Array(state.status.utf8)) }
    }

    private static func line(_ text: String) -> [UInt8] {
        var bytes = Array(text.utf8)
        if bytes.last != UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\n")) }
        return bytes
    }
}
