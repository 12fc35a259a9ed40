import Glibc

/// Where bytes for people or for other programs go: a file descriptor, or an array in a test.
public struct Sink: Sendable {
    /// Writes all of the bytes; false when the other side is gone or full, after which nothing more is sent.
    let write: @Sendable ([UInt8]) -> Bool

    public init(write: @escaping @Sendable ([UInt8]) -> Bool) { self.write = write }

    /// Writes to an open descriptor, waiting where it is not ready.
    public static func descriptor(_ descriptor: Int32) -> Sink {
        Sink { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let (written, code) = rest.withUnsafeBytes { buffer in
                    let count = Glibc.write(descriptor, buffer.baseAddress, buffer.count)
                    return (count, errno)
                }
                if written > 0 {
                    rest = rest.dropFirst(written)
                } else if code == EAGAIN {
                    var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = poll(&ready, 1, -1)
                } else if code != EINTR {
                    return false
                }
            }
            return true
        }
    }
}

/// The two streams of the process and what is known about the terminal behind them.
public struct Streams: Sendable {
    let output: Sink
    let errors: Sink
    /// Whether a line on the error stream can be drawn again in place.
    let errorsAreTerminal: Bool
    /// Places of a line.
    let columns: Int

    /// Streams of any kind; `columns` is held between 40 and 120, beyond which a text is hard to read.
    public init(output: Sink, errors: Sink, errorsAreTerminal: Bool, columns: Int) {
        self.output = output
        self.errors = errors
        self.errorsAreTerminal = errorsAreTerminal
        self.columns = min(max(columns, 40), 120)
    }

    /// Standard output and standard error. Lines are 80 places wide where there is no terminal.
    public static func standard() -> Streams {
        var size = winsize()
        let asked = [STDOUT_FILENO, STDERR_FILENO].contains { ioctl($0, UInt(TIOCGWINSZ), &size) == 0 }
        let columns = asked && size.ws_col > 0 ? Int(size.ws_col) : 80
        return Streams(
            output: .descriptor(STDOUT_FILENO), errors: .descriptor(STDERR_FILENO),
            errorsAreTerminal: isatty(STDERR_FILENO) == 1 && !isDumbTerminal, columns: columns)
    }

    private static var isDumbTerminal: Bool {
        guard let term = getenv("TERM") else { return true }
        return strcmp(term, "dumb") == 0
    }
}
