import Glibc
package import Storage

/// The one writer's claim on a directory: `LOCK.lianfen`, held with `flock`, which the kernel lets go when the process
/// ends in whatever way. It belongs to the open file, so the same process cannot take it twice either.
///
/// RocksDB has a lock of its own, but looks at the directory and moves its text log before it takes it.
package struct DirectoryLock: ~Copyable {
    static let name = "LOCK.lianfen"

    private let descriptor: Int32

    package init(_ directory: String) throws(StorageError) {
        let descriptor = unsafe open("\(directory)/\(Self.name)", O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        if descriptor < 0 { throw .fileSystem(errno, directory) }
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let reason = errno
            if reason == EINTR { continue }
            Glibc.close(descriptor)
            throw reason == EWOULDBLOCK ? .locked(directory) : .fileSystem(reason, directory)
        }
        // Last, since `deinit` runs for whatever is complete, also on a throw, and would close the number again.
        self.descriptor = descriptor
    }

    /// Unlocks in so many words: a child between fork and exec shares the open file, and would keep the lock for a
    /// moment after this close.
    deinit {
        flock(descriptor, LOCK_UN)
        Glibc.close(descriptor)
    }
}
