import Glibc

/// Bytes that come in chunks, from a file or from memory. Used by one reader, on one thread.
final class ByteSource {
    let name: String
    private let descriptor: Int32
    private var memory: ArraySlice<UInt8>

    /// - Throws: ``IntakeError`` when there is no such file, it is a directory, or it may not be read.
    init(path: String) throws(IntakeError) {
        name = path
        memory = []
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw IntakeError.system(errno, "cannot be opened", place: path) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw IntakeError.system(code, "cannot be opened", place: path)
        }
        guard status.st_mode & S_IFMT != S_IFDIR else {
            close(descriptor)
            throw IntakeError(.inputOutput, "is a directory, not a CSV file", place: path)
        }
    }

    init(bytes: [UInt8], name: String) {
        self.name = name
        descriptor = -1
        memory = bytes[...]
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Reads at most `count` bytes to `target` and says how many; 0 is the end.
    func read(into target: UnsafeMutablePointer<UInt8>, count: Int) throws(IntakeError) -> Int {
        guard descriptor >= 0 else {
            let taken = memory.prefix(count)
            _ = UnsafeMutableBufferPointer(start: target, count: taken.count).update(fromContentsOf: taken)
            memory = memory.dropFirst(taken.count)
            return taken.count
        }
        while true {
            let got = Glibc.read(descriptor, target, count)
            if got >= 0 { return got }
            let code = errno
            if code != EINTR { throw IntakeError.system(code, "cannot be read", place: name) }
        }
    }
}

extension IntakeError {
    /// An error of the operating system, in its own words.
    static func system(_ code: Int32, _ what: String, place: String) -> IntakeError {
        switch code {
        case ENOENT: IntakeError(.notFound, "there is no such file", place: place)
        case EACCES, EPERM: IntakeError(.denied, "\(what): this user has no permission", place: place)
        default: IntakeError(.inputOutput, "\(what): \(String(cString: strerror(code)))", place: place)
        }
    }
}
