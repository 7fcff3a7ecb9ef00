import Formats
import Foundation

/// Writes a line to standard error, where everything goes that is not data.
func note(_ line: String) {
    var error = StandardError()
    print(line, to: &error)
}

/// Standard error as a stream of text.
private struct StandardError: TextOutputStream {
    func write(_ string: String) {
        try? FileHandle.standardError.write(contentsOf: Data(string.utf8))
    }
}

/// Where a data command writes its rows: a file that appears when it is whole, or standard output,
/// a pipe or a device row by row.
struct RowOutput: ~Copyable {
    private var file: AtomicFile?
    private var stream = FileHandle.standardOutput

    /// - Parameters:
    ///   - path: the file to replace; standard output when nil.
    init(path: String?) throws {
        file = nil
        guard let path else { return }
        // A link stays, and what it points at is replaced.
        let target = URL(filePath: path).resolvingSymlinksInPath().path
        let kind = try? FileManager.default.attributesOfItem(atPath: target)[.type]
        // Links below /dev lead to pipes without a name (`--output >(gzip >out.gz)`).
        switch path.hasPrefix("/dev/") ? .typeUnknown : kind as? FileAttributeType {
        case nil: file = try AtomicFile(replacing: path)
        case .typeRegular: file = try AtomicFile(replacing: target)
        case .typeDirectory: throw CommandError("--output: \(path) is a folder; name a file.")
        default:
            guard let opened = FileHandle(forWritingAtPath: path) else {
                throw CommandError("--output: \(path) cannot be written.")
            }
            stream = opened
        }
    }

    /// Adds one row.
    mutating func write(_ row: JSON) throws {
        let line = Array((row.serialized() + "\n").utf8)
        if file != nil {
            try file?.write(line)
        } else {
            try stream.write(contentsOf: line)
        }
    }

    /// Puts the file in its place.
    consuming func finish() throws(FormatError) {
        if let file = file.take() { try file.commit() }
    }
}
