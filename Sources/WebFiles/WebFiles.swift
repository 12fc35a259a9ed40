internal import CWebFiles

/// The pages that a node serves: the files of `Web/`, inside the program, so that there is nothing to install or to
/// find beside it. A new file is a stanza in `Sources/CWebFiles/files.c`.
public enum WebFiles {
    /// Path under the server's root without a slash in front (`index.html` is the root's own page), media type, bytes.
    public static let all: [(path: String, type: String, bytes: [UInt8])] = {
        var count = 0
        let first = unsafe lf_web_files(&count)
        return unsafe UnsafeBufferPointer(start: first, count: count).map { file in
            unsafe (
                String(cString: file.path), String(cString: file.type),
                Array(UnsafeBufferPointer(start: file.bytes, count: file.count))
            )
        }
    }()
}
