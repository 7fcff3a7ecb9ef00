#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A file that is replaced as a whole or not at all.
///
/// The bytes go to `PATH.partial-PID-NUMBER` in the same folder, with a random number since two
/// containers that share a folder may have processes of one PID; `commit` puts them on the disk and
/// renames. A full disk or a crash before that leaves the previous file as it was.
package struct AtomicFile: ~Copyable {
    /// The file that is replaced.
    package let path: String
    private let partialPath: String
    private let file: OpenFile
    private var isCommitted = false

    /// Opens the partial file; throws when the folder is missing or cannot be written.
    package init(replacing path: String) throws(FormatError) {
        self.path = path
        partialPath = "\(path).partial-\(getpid())-\(UInt32.random(in: 0...(.max)))"
        file = try OpenFile(partialPath, for: .replacing, name: path)
    }

    deinit { if !isCommitted { removeFile(partialPath) } }

    /// Adds bytes; throws one sentence with path and reason when the disk is full.
    package func write(_ bytes: RawSpan) throws(FormatError) { try file.write(bytes) }

    /// Adds bytes; throws one sentence with path and reason when the disk is full.
    package func write(_ bytes: [UInt8]) throws(FormatError) { try file.write(bytes) }

    /// Puts the new file in the place of the previous one.
    package consuming func commit() throws(FormatError) {
        try file.synchronize()
        guard renameFile(partialPath, to: path) else {
            throw systemFailure("cannot write \(path)")
        }
        isCommitted = true
        try synchronizeFolder(containing: path)
    }

    /// Replaces a whole file at once.
    package static func write(_ bytes: [UInt8], to path: String) throws(FormatError) {
        let file = try AtomicFile(replacing: path)
        try file.write(bytes)
        try file.commit()
    }

    /// Replaces a whole file with text at once.
    package static func write(_ text: String, to path: String) throws(FormatError) {
        try write(Array(text.utf8), to: path)
    }
}

/// Waits until the names in the folder of a path lie on the disk.
func synchronizeFolder(containing path: String) throws(FormatError) {
    let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    let folder = try OpenFile(parent.isEmpty ? "/" : parent, for: .synchronizing)
    try folder.synchronize()
}
