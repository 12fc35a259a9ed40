import CRocksDB
import Glibc
package import Storage

extension Database {
    static func open(_ directory: String, _ mode: RocksDBStore.Mode) throws(StorageError) -> Database {
        switch mode {
        case .create: try create(directory)
        case .readWrite: try openForWriting(directory)
        case .readOnly: try openBesideWriter(directory)
        }
    }

    private static let formatKey = Array("format".utf8)

    private static func create(_ directory: String) throws(StorageError) -> Database {
        // 0750: a node's rows are its members' business; an auditor may be in the group.
        if unsafe mkdir(directory, 0o750) != 0, errno != EEXIST { throw .fileSystem(errno, directory) }
        let lock = try DirectoryLock(directory)
        if try files(in: directory).contains(where: isOfDatabase) {
            throw StorageError(
                .exists, "the directory \(directory) already holds a chain; open that, or choose an empty directory",
                place: directory)
        }
        try Room.require(Room.openBytes, in: directory)
        let database = try open(directory, .create, ["default"] + Column.allCases.map(\.rawValue), lock: lock)
        return try database.closedOnError { (database) throws(StorageError) in
            var batch = WriteBatch()
            batch.put(.meta, formatKey, Array(String(RocksDBStore.format).utf8))
            try database.write(batch, synced: true)
            try sync(directory)
            try sync("\(directory)/..")
        }
    }

    private static func openForWriting(_ directory: String) throws(StorageError) -> Database {
        try checkHoldsChain(directory)
        let lock = try DirectoryLock(directory)
        try Room.require(Room.openBytes, in: directory)
        let present = try familyNames(directory)
        // Before the open, which brings what stands in a log to where it belongs, as far as it is known.
        let hadRows = try holdsRows(directory)
        let database = try open(directory, .readWrite, present, lock: lock)
        return try database.closedOnError { (database) throws(StorageError) in
            try database.checkFormat(hadRows: hadRows)
            let unknown = present.filter { $0 != "default" && Column(rawValue: $0) == nil }
            if !unknown.isEmpty {
                throw StorageError(
                    .format,
                    "the directory has columns that this build does not know (\(unknown.joined(separator: ", ")));"
                        + " use the newer build that made them", place: directory)
            }
            // Only now that the directory is known to be ours: columns that came after it was made.
            let options = Options(.readWrite)
            for column in Column.allCases where unsafe database.families[column] == nil {
                let family = try unsafe asking(directory) {
                    unsafe rocksdb_create_column_family(
                        database.handle, options.column(column.rawValue), column.rawValue, &$0)
                }
                unsafe database.add(column.rawValue, family!)
            }
        }
    }

    /// A writer may drop a log while it is being looked for here, and the rows in it would be missing without a word.
    /// So the logs' names are read before and after, and only an open during which they stayed the same counts.
    private static func openBesideWriter(_ directory: String) throws(StorageError) -> Database {
        try checkHoldsChain(directory)
        var failure: StorageError?
        for attempt in 0..<20 {
            if attempt > 0 { usleep(25_000) }
            let before = try files(in: directory).filter(isPartOfState)
            do throws(StorageError) {
                let known = try familyNames(directory).filter { $0 == "default" || Column(rawValue: $0) != nil }
                let database = try open(directory, .readOnly, known, lock: nil)
                if try files(in: directory).filter(isLog) == before.filter(isLog) {
                    let hasRows = try holdsRows(directory)
                    return try database.closedOnError { (database) throws(StorageError) in
                        try database.checkFormat(hadRows: hasRows)
                    }
                }
                database.close()
            } catch {
                // Also a file may be gone between being named and being opened. With no change it is really missing.
                if try files(in: directory).filter(isPartOfState) == before { throw error }
                failure = error
            }
        }
        throw StorageError(
            .inputOutput,
            "the node writes so fast that the directory would not hold still; try again"
                + (failure.map { " (\($0.reason))" } ?? ""), place: directory)
    }

    /// Opens exactly the named families, one of which must be `default`.
    package static func open(
        _ directory: String, _ mode: RocksDBStore.Mode, _ names: [String], lock: consuming DirectoryLock?
    ) throws(StorageError) -> Database {
        let options = Options(mode)
        let copies = unsafe names.map { unsafe strdup($0) }
        defer { unsafe copies.forEach { unsafe free($0) } }
        let pointers = unsafe copies.map { unsafe UnsafePointer($0) }
        let each: [OpaquePointer?] = unsafe names.map { unsafe options.column($0) }
        var families = unsafe [OpaquePointer?](repeating: nil, count: names.count)
        let handle = try unsafe asking(directory) { error in
            if mode == .readOnly {
                unsafe rocksdb_open_for_read_only_column_families(
                    options.ordered, directory, Int32(names.count), pointers, each, &families, 0, &error)
            } else {
                unsafe rocksdb_open_column_families(
                    options.ordered, directory, Int32(names.count), pointers, each, &families, &error)
            }
        }
        return unsafe Database(directory, handle!, Array(zip(names, families.map { unsafe $0! })), lock: lock)
    }

    private static func familyNames(_ directory: String) throws(StorageError) -> [String] {
        let options = Options(.readOnly)
        var count = 0
        let list = try unsafe asking(directory) {
            unsafe rocksdb_list_column_families(options.ordered, directory, &count, &$0)
        }
        defer { unsafe rocksdb_list_column_families_destroy(list, count) }
        return (0..<count).map { unsafe String(cString: list![$0]!) }
    }

    private func checkFormat(hadRows: Bool) throws(StorageError) {
        guard let bytes = try get(.meta, Self.formatKey) else {
            // It is the first row that is ever written.
            if hadRows { throw .damaged("it holds rows and not the one that says in which format", directory) }
            throw StorageError(
                .notFound, "its creation was interrupted, and it holds no chain; remove it and create it again",
                place: directory)
        }
        let found = String(decoding: bytes, as: UTF8.self)
        if found != String(RocksDBStore.format) {
            throw StorageError(
                .format,
                "written in format \(found.prefix(20)), and this build reads format \(RocksDBStore.format); use a build"
                    + " for format \(found.prefix(20)), or make a new directory and fetch the chain from other nodes",
                place: directory)
        }
    }

    /// Closes the database again where `body`, the last step of opening it, throws.
    private func closedOnError(_ body: (Database) throws(StorageError) -> Void) throws(StorageError) -> Database {
        do throws(StorageError) {
            try body(self)
            return self
        } catch {
            close()
            throw error
        }
    }

    // MARK: Files

    private static func checkHoldsChain(_ directory: String) throws(StorageError) {
        let files = try files(in: directory)
        if files.contains("CURRENT") { return }
        if files.contains(where: isOfDatabase) { throw .damaged("the file CURRENT is missing", directory) }
        throw StorageError(.notFound, "the directory holds no chain; check the path, or create one", place: directory)
    }

    private static func isOfDatabase(_ file: String) -> Bool {
        file == "CURRENT" || file.hasPrefix("MANIFEST-") || file.hasSuffix(".sst")
    }

    /// The files whose coming and going changes which rows an open finds.
    private static func isPartOfState(_ file: String) -> Bool {
        file.hasPrefix("MANIFEST-") || file.hasSuffix(".sst") || isLog(file)
    }

    private static func isLog(_ file: String) -> Bool { file.hasSuffix(".log") }

    /// Whether more was ever written than the row of the format.
    private static func holdsRows(_ directory: String) throws(StorageError) -> Bool {
        try bytes(directory) { isLog($0) || $0.hasSuffix(".sst") } > creationBytesMax
    }

    /// Beyond what files of rows have while a directory is made and nothing stands in it yet.
    private static let creationBytesMax = 4096

    /// Size of RocksDB's logs, together.
    static func logBytes(_ directory: String) throws(StorageError) -> Int { try bytes(directory, isLog) }

    private static func bytes(_ directory: String, _ isMeant: (String) -> Bool) throws(StorageError) -> Int {
        try files(in: directory).filter(isMeant).reduce(0) { sum, file in
            var status = stat()
            return unsafe stat("\(directory)/\(file)", &status) == 0 ? sum + Int(status.st_size) : sum
        }
    }

    /// Names in the directory, sorted.
    private static func files(in directory: String) throws(StorageError) -> [String] {
        guard let stream = unsafe opendir(directory) else { throw .fileSystem(errno, directory) }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            names.append(name)
        }
        return names.sorted()
    }

    /// Makes the names in a directory durable.
    private static func sync(_ directory: String) throws(StorageError) {
        let descriptor = unsafe Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor < 0 { throw .fileSystem(errno, directory) }
        defer { Glibc.close(descriptor) }
        if fsync(descriptor) != 0 { throw .fileSystem(errno, directory) }
    }
}
