#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A folder that is replaced as a whole or not at all.
///
/// Files are written into `partialPath`; `commit` puts them on the disk and swaps the two folders.
/// A full disk or a crash before that leaves the previous folder as it was. (A crash between the
/// two renames of the swap leaves both folders whole, the previous one as `PATH.previous-PID`.)
package struct AtomicFolder: ~Copyable {
    /// The folder that is replaced.
    package let path: String
    /// The folder to write into: `PATH.partial-PID`, empty at first.
    package let partialPath: String
    private var isCommitted = false

    /// Makes the partial folder, and the folders above it; throws when that is not possible.
    package init(replacing path: String) throws(FormatError) {
        self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        partialPath = "\(self.path).partial-\(getpid())"
        removeTree(partialPath)
        try makeFolders(partialPath, name: self.path)
    }

    deinit { if !isCommitted { removeTree(partialPath) } }

    /// Puts the new folder in the place of the previous one, which is removed.
    package consuming func commit() throws(FormatError) {
        try synchronizeTree(partialPath)
        if !renameFile(partialPath, to: path) {
            // A folder that is not empty is not overwritten by a rename.
            guard errno == ENOTEMPTY || errno == EEXIST else {
                throw systemFailure("cannot write \(path)")
            }
            try swap()
        }
        isCommitted = true
        try synchronizeFolder(containing: path)
    }

    /// Moves the previous folder aside, the new one in, and removes the previous one.
    private func swap() throws(FormatError) {
        let previousPath = "\(path).previous-\(getpid())"
        removeTree(previousPath)
        guard renameFile(path, to: previousPath) else {
            throw systemFailure("cannot write \(path)")
        }
        guard renameFile(partialPath, to: path) else {
            let failure = systemFailure("cannot write \(path)")
            _ = renameFile(previousPath, to: path)
            throw failure
        }
        removeTree(previousPath)
    }
}

/// Makes a folder and the folders above it, where they are not there yet.
package func makeFolders(_ path: String) throws(FormatError) {
    try makeFolders(path, name: path)
    guard try OpenFile(path, for: .synchronizing).status().isFolder else {
        throw FormatError("cannot make the folder \(path): a file has that name")
    }
}

private func makeFolders(_ path: String, name: String) throws(FormatError) {
    if makeFolder(path) || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
        throw systemFailure("cannot make the folder \(name)")
    }
    try makeFolders(String(path[..<slash]), name: name)
    if !makeFolder(path), errno != EEXIST {
        throw systemFailure("cannot make the folder \(name)")
    }
}

/// Removes a file or a folder with what lies in it; what cannot be removed stays, since it is only
/// left over.
private func removeTree(_ path: String) { try? FileManager.default.removeItem(atPath: path) }

/// Waits until every file and folder under a path lies on the disk.
private func synchronizeTree(_ path: String) throws(FormatError) {
    let file = try OpenFile(path, for: .synchronizing)
    if try file.status().isFolder {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] {
            try synchronizeTree("\(path)/\(name)")
        }
    }
    try file.synchronize()
}
