import CSQLite

/// A compiled statement. Bind its values, step through its rows, reset it to use it again.
///
/// Parameters count from 1 and columns from 0, as in SQLite. Used from the thread of its ``Database``.
/// Safe to use since the handle is freed only with the statement, and what SQLite points to is copied at once.
@safe public final class Statement {
    private let handle: OpaquePointer
    /// Kept so that the connection outlives its statements, and for its error texts.
    private let database: Database

    init(_ handle: OpaquePointer, of database: Database) {
        unsafe self.handle = handle
        self.database = database
    }

    deinit { unsafe sqlite3_finalize(handle) }

    /// - Throws: ``SQLiteError`` when there is no such parameter, or the value is longer than SQLite takes.
    public func bind(_ index: Int32, _ value: Int64) throws(SQLiteError) {
        try check(unsafe sqlite3_bind_int64(handle, index, value))
    }

    public func bind(_ index: Int32, _ text: String) throws(SQLiteError) {
        // An empty text may have no address, and a null pointer would bind null.
        guard !text.isEmpty else { return try check(unsafe sqlite3_bind_text(handle, index, "", 0, nil)) }
        var text = text
        // The length goes with it, so that a zero byte does not end the text.
        let code = text.withUTF8 { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) { characters in
                unsafe sqlite3_bind_text64(
                    handle, index, characters.baseAddress, UInt64(characters.count), lf_sqlite_transient(),
                    UInt8(SQLITE_UTF8))
            }
        }
        try check(code)
    }

    public func bind(_ index: Int32, _ bytes: [UInt8]) throws(SQLiteError) {
        guard !bytes.isEmpty else { return try check(unsafe sqlite3_bind_zeroblob(handle, index, 0)) }
        let code = unsafe bytes.withUnsafeBytes { raw in
            unsafe sqlite3_bind_blob64(handle, index, raw.baseAddress, UInt64(raw.count), lf_sqlite_transient())
        }
        try check(code)
    }

    public func bindNull(_ index: Int32) throws(SQLiteError) {
        try check(unsafe sqlite3_bind_null(handle, index))
    }

    /// Goes to the next row.
    /// - Returns: false when there is none; the statement is then reset.
    public func step() throws(SQLiteError) -> Bool {
        let code = unsafe sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        if code == SQLITE_DONE {
            reset()
            return false
        }
        let error = database.error(code)
        reset()
        throw error
    }

    /// Steps once and resets, for a statement whose rows do not matter.
    public func run() throws(SQLiteError) {
        if try step() { reset() }
    }

    /// Makes the statement ready to run again. What was bound stays.
    public func reset() {
        // It repeats the code of the last step, which was reported there.
        _ = unsafe sqlite3_reset(handle)
    }

    public func integer(_ column: Int32) -> Int64 { unsafe sqlite3_column_int64(handle, column) }

    public func isNull(_ column: Int32) -> Bool { unsafe sqlite3_column_type(handle, column) == SQLITE_NULL }

    /// The text of a column, empty for null.
    public func text(_ column: Int32) -> String { String(decoding: bytes(column), as: UTF8.self) }

    /// The bytes of a column, empty for null.
    public func bytes(_ column: Int32) -> [UInt8] {
        // The pointer first: asking for it may convert the value, and only then is the length right.
        guard let pointer = unsafe sqlite3_column_blob(handle, column) else { return [] }
        let count = Int(unsafe sqlite3_column_bytes(handle, column))
        return unsafe Array(UnsafeRawBufferPointer(start: pointer, count: count))
    }

    private func check(_ code: Int32) throws(SQLiteError) {
        guard code == SQLITE_OK else { throw database.error(code) }
    }
}
