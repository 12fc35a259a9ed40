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
        descriptor = unsafe open("\(directory)/\(Self.name)", O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        if descriptor < 0 { throw .fileSystem(errno, directory) }
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let reason = errno
            if reason == EINTR { continue }
            Glibc.close(descriptor)
            throw reason == EWOULDBLOCK ? .locked(directory) : .fileSystem(reason, directory)
        }
    }

    deinit { Glibc.close(descriptor) }
}
