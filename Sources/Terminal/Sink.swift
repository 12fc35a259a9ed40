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

/// Where bytes come from that a command takes in: a file descriptor, or an array in a test.
public struct Source: Sendable {
    /// The next bytes; empty at the end, nil where reading fails.
    let read: @Sendable () -> [UInt8]?
    /// Whether a person types them.
    let isTerminal: Bool

    public init(isTerminal: Bool = false, read: @escaping @Sendable () -> [UInt8]?) {
        self.isTerminal = isTerminal
        self.read = read
    }

    /// Nothing.
    public static let empty = Source { [] }

    /// Reads from an open descriptor, waiting where nothing is there yet.
    public static func descriptor(_ descriptor: Int32) -> Source {
        Source(isTerminal: isatty(descriptor) == 1) {
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = Glibc.read(descriptor, &buffer, buffer.count)
                if count >= 0 { return Array(buffer.prefix(count)) }
                if errno == EAGAIN {
                    var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                    _ = poll(&ready, 1, -1)
                } else if errno != EINTR {
                    return nil
                }
            }
        }
    }
}

/// The streams of the process and what is known about the terminal behind them.
public struct Streams: Sendable {
    let input: Source
    let output: Sink
    let errors: Sink
    /// Whether a line on the error stream can be drawn again in place.
    let errorsAreTerminal: Bool
    /// Places of a line.
    let columns: Int

    /// Streams of any kind; `columns` is held between 40 and 120, beyond which a text is hard to read.
    public init(
        input: Source = .empty, output: Sink, errors: Sink, errorsAreTerminal: Bool, columns: Int
    ) {
        self.input = input
        self.output = output
        self.errors = errors
        self.errorsAreTerminal = errorsAreTerminal
        self.columns = min(max(columns, 40), 120)
    }

    /// Standard input, output and error. Lines are 80 places wide where there is no terminal.
    public static func standard() -> Streams {
        var size = winsize()
        let asked = [STDOUT_FILENO, STDERR_FILENO].contains { ioctl($0, UInt(TIOCGWINSZ), &size) == 0 }
        let columns = asked && size.ws_col > 0 ? Int(size.ws_col) : 80
        return Streams(
            input: .descriptor(STDIN_FILENO), output: .descriptor(STDOUT_FILENO), errors: .descriptor(STDERR_FILENO),
            errorsAreTerminal: isatty(STDERR_FILENO) == 1 && !isDumbTerminal, columns: columns)
    }

    private static var isDumbTerminal: Bool {
        guard let term = getenv("TERM") else { return true }
        return strcmp(term, "dumb") == 0
    }
}
