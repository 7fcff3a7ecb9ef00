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

/// Where a data command writes its rows: a file that appears when it is whole, or standard output
/// row by row.
struct RowOutput: ~Copyable {
    private var file: AtomicFile?

    /// - Parameters:
    ///   - path: the file to replace; standard output when nil.
    init(path: String?) throws(FormatError) {
        file = nil
        if let path { file = try AtomicFile(replacing: path) }
    }

    /// Adds one row.
    mutating func write(_ row: JSON) throws {
        let line = Array((row.serialized() + "\n").utf8)
        if file != nil {
            try file?.write(line)
        } else {
            try FileHandle.standardOutput.write(contentsOf: line)
        }
    }

    /// Puts the file in its place.
    consuming func finish() throws(FormatError) {
        if let file = file.take() { try file.commit() }
    }
}
