#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// An open file: the system calls with their failures as sentences; closed when it goes out of
/// scope.
struct OpenFile: ~Copyable, Sendable {
    /// What a file is opened for.
    enum Purpose {
        /// An existing file is read; a folder is refused.
        case reading
        /// A folder, or any file, is put on the disk.
        case synchronizing
        /// A file is created, or emptied when it exists.
        case replacing
        /// Rows are added at the end; created when missing.
        case appending
    }

    let descriptor: Int32
    /// The path that messages show.
    let name: String

    /// Opens a file.
    ///
    /// - Parameter name: the path that messages show where it is not the one to open (a temporary
    ///   file).
    init(_ path: String, for purpose: Purpose, name: String? = nil) throws(FormatError) {
        let flags =
            switch purpose {
            case .reading, .synchronizing: O_RDONLY
            case .replacing: O_WRONLY | O_CREAT | O_TRUNC
            case .appending: O_RDWR | O_CREAT | O_APPEND
            }
        self.name = name ?? path
        descriptor = unsafe open(path, flags | O_CLOEXEC, 0o666)
        if descriptor < 0 {
            let verb = purpose == .reading ? "read" : "write"
            throw systemFailure("cannot \(verb) \(self.name)")
        }
        if purpose == .reading, try status().isFolder {
            throw FormatError("cannot read \(self.name): it is a folder")
        }
    }

    deinit { _ = close(descriptor) }

    /// What the system says of an open file.
    struct Status {
        /// In bytes.
        let size: Int
        /// When its content was last changed, in nanoseconds since 1970.
        let modificationTime: Int
        let isRegular: Bool
        let isFolder: Bool
    }

    /// Size, time of the last change and kind.
    func status() throws(FormatError) -> Status {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw systemFailure("cannot read \(name)")
        }
        #if canImport(Darwin)
            let time = status.st_mtimespec
        #else
            let time = status.st_mtim
        #endif
        let kind = status.st_mode & S_IFMT
        return Status(
            size: Int(status.st_size),
            modificationTime: Int(time.tv_sec) &* 1_000_000_000 &+ Int(time.tv_nsec),
            isRegular: kind == S_IFREG, isFolder: kind == S_IFDIR)
    }

    /// Writes all of the bytes at the current position.
    func write(_ bytes: RawSpan) throws(FormatError) {
        try unsafe bytes.withUnsafeBytes { (buffer) throws(FormatError) in
            var done = 0
            while done < buffer.count {
                // Darwin refuses more than 2^31 - 1 bytes a call.
                let piece = unsafe UnsafeRawBufferPointer(
                    rebasing: buffer[done..<min(buffer.count, done + 1 << 30)])
                let count = unsafe systemWrite(descriptor, piece)
                if count < 0 {
                    if errno == EINTR { continue }
                    throw systemFailure("cannot write \(name)")
                }
                done += count
            }
        }
    }

    /// Writes all of the bytes at the current position.
    func write(_ bytes: [UInt8]) throws(FormatError) { try write(unsafe bytes.span.bytes) }

    /// Reads up to a buffer of bytes from the current position, or from an offset; 0 at the end.
    func read(into buffer: inout [UInt8], at offset: Int? = nil) throws(FormatError) -> Int {
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe systemRead(descriptor, $0, offset)
            }
            if count >= 0 { return count }
            if errno != EINTR { throw systemFailure("cannot read \(name)") }
        }
    }

    /// Cuts the file off at a size.
    func truncate(to size: Int) throws(FormatError) {
        while ftruncate(descriptor, off_t(size)) != 0 {
            if errno != EINTR { throw systemFailure("cannot shorten \(name)") }
        }
    }

    /// Waits until what was written lies on the disk.
    func synchronize() throws(FormatError) {
        while fsync(descriptor) != 0 {
            if errno == EINTR { continue }
            // Some file systems have nothing to wait for, and say so in this way.
            if errno == EINVAL || errno == ENOTSUP { return }
            throw systemFailure("cannot write \(name)")
        }
    }
}

extension Array where Element == UInt8 {
    /// The bytes of a whole file; throws when it cannot be read.
    package init(contentsOfFile path: String) throws(FormatError) {
        let file = try OpenFile(path, for: .reading)
        let size = try file.status().size
        self = []
        reserveCapacity(size)
        var chunk = [UInt8](repeating: 0, count: Swift.min(size + 1, 1 << 20))
        while case let count = try file.read(into: &chunk), count > 0 {
            append(contentsOf: chunk[..<count])
        }
    }
}

extension JSON {
    /// Reads a whole file that holds one JSON document.
    package init(contentsOfFile path: String) throws(FormatError) {
        try self.init(parsing: [UInt8](contentsOfFile: path), name: path)
    }
}

extension Array where Element == Float {
    /// Gives the bytes of 32-bit floats to a closure, which must not keep them.
    package func withBytes<Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Void
    ) throws(Failure) {
        try body(unsafe span.bytes)
    }
}

/// «WHAT: No space left on device», from the last system call's error number.
func systemFailure(_ what: String, _ code: Int32 = errno) -> FormatError {
    FormatError("\(what): \(unsafe String(cString: strerror(code)))")
}

/// Gives a file or folder another path in the same file system; false and `errno` when that fails.
func renameFile(_ path: String, to newPath: String) -> Bool { unsafe rename(path, newPath) == 0 }

/// Removes a file; false and `errno` when that fails.
@discardableResult
func removeFile(_ path: String) -> Bool { unsafe unlink(path) == 0 }

/// Makes one folder; false and `errno` when that fails.
func makeFolder(_ path: String) -> Bool { unsafe mkdir(path, 0o777) == 0 }

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    unsafe write(descriptor, bytes.baseAddress, bytes.count)
}

private func systemRead(
    _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, _ offset: Int?
) -> Int {
    guard let offset else { return unsafe read(descriptor, buffer.baseAddress, buffer.count) }
    return unsafe pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
}

/// Whether a file or folder lies at a path.
package func fileExists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }
