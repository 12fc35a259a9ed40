import Glibc

/// Writes the rows that did not go in to a CSV file of their own: file, line, reason, record.
///
/// The file appears whole or not at all: it is written beside its place and renamed when ``finish()`` is called, and an
/// earlier one stays until then. Only its owner can read it, since rows name people. A cell that a spreadsheet would
/// take for a formula gets an apostrophe before it.
public final class RejectsWriter {
    /// How many bytes are collected before they are written.
    public static let bufferBytesMax = 1 << 16

    public let path: String
    public private(set) var count = 0
    private let temporary: String
    private var descriptor: Int32
    private var buffer = Array("file,line,reason,record\r\n".utf8)

    /// - Throws: ``IntakeError`` when no file can be created beside `path`.
    public init(path: String) throws(IntakeError) {
        self.path = path
        temporary = path + ".part"
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            // The file is not there yet, so it can only be its directory that is missing.
            guard errno != ENOENT else {
                throw IntakeError(.notFound, "cannot be created, since its directory does not exist", place: path)
            }
            throw IntakeError.system(errno, "cannot be created", place: path)
        }
    }

    /// Without ``finish()`` nothing is left behind.
    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        unlink(temporary)
    }

    /// - Throws: ``IntakeError`` when the disk is full or fails.
    public func write(_ reject: Reject) throws(IntakeError) {
        count += 1
        append(reject.file)
        buffer.append(0x2C)
        append(String(reject.line))
        buffer.append(0x2C)
        append(reject.reason)
        buffer.append(0x2C)
        append(reject.record)
        buffer += [0x0D, 0x0A]
        if buffer.count >= Self.bufferBytesMax { try flush() }
    }

    /// Puts the file in its place, synced. Without any reject it has its header only, so that an older one is not taken
    /// for the result of this import.
    /// - Precondition: called at most once, and nothing is written after it.
    public func finish() throws(IntakeError) {
        precondition(descriptor >= 0)
        try flush()
        guard fsync(descriptor) == 0 else { throw IntakeError.system(errno, "cannot be written", place: temporary) }
        guard rename(temporary, path) == 0 else {
            throw IntakeError.system(errno, "cannot be put in place", place: path)
        }
        close(descriptor)
        descriptor = -1
    }

    private func append(_ text: String) {
        var cell = Array(text.utf8)
        // What spreadsheets evaluate, also behind blanks; full-width forms are evaluated too.
        if let first = trimmed(cell[...]).first, [0x3D, 0x2B, 0x2D, 0x40, 0x0D, 0x0A].contains(first) {
            cell.insert(0x27, at: 0)
        } else if let first = text.unicodeScalars.first, ["＝", "＋", "－", "＠", "\t"].contains(first) {
            cell.insert(0x27, at: 0)
        }
        appendCSVField(cell, delimiter: 0x2C, to: &buffer)
    }

    private func flush() throws(IntakeError) {
        var written = 0
        while written < buffer.count {
            let count = buffer.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress! + written, $0.count - written)
            }
            if count < 0 {
                let code = errno
                if code == EINTR { continue }
                throw IntakeError.system(code, "cannot be written", place: temporary)
            }
            written += count
        }
        buffer.removeAll(keepingCapacity: true)
    }
}
