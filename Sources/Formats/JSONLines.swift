/// One row of a JSON lines file.
package struct JSONLine: Sendable, Equatable {
    /// Line in the file, from 1.
    package let number: Int
    /// What the line holds.
    package let value: JSON
}

/// Reads a file with one JSON value a line, holding one line at a time; blank lines are skipped.
package struct JSONLinesReader: ~Copyable {
    private let file: OpenFile
    private var chunk = [UInt8](repeating: 0, count: 1 << 16)
    private var chunkCount = 0
    private var chunkPosition = 0
    private var lineNumber = 0

    /// Opens a file; throws when it is missing or cannot be read.
    package init(path: String) throws(FormatError) {
        file = try OpenFile(path, for: .reading)
    }

    /// The next row, or nil at the end; a broken line is an error with the file and the line
    /// number.
    package mutating func next() throws(FormatError) -> JSONLine? {
        while let bytes = try nextLine() {
            lineNumber += 1
            if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
            let value = try JSON(
                parsing: bytes, name: file.name, firstLine: lineNumber, refusesDuplicateKeys: false)
            return JSONLine(number: lineNumber, value: value)
        }
        return nil
    }

    /// All rows that are left.
    package consuming func rest() throws(FormatError) -> [JSONLine] {
        var rows: [JSONLine] = []
        while let row = try next() { rows.append(row) }
        return rows
    }

    /// The bytes up to the next line feed or the end; nil at the end.
    private mutating func nextLine() throws(FormatError) -> [UInt8]? {
        var line: [UInt8] = []
        while true {
            if chunkPosition == chunkCount {
                chunkCount = try file.read(into: &chunk)
                chunkPosition = 0
                if chunkCount == 0 { return line.isEmpty ? nil : line }
            }
            let rest = chunk[chunkPosition..<chunkCount]
            if let end = rest.firstIndex(of: 0x0A) {
                line += rest[..<end]
                chunkPosition = end + 1
                return line
            }
            line += rest
            chunkPosition = chunkCount
        }
    }
}

/// Adds rows to a file with one JSON value a line; every row is handed to the system at once,
/// whole.
package struct JSONLinesWriter: ~Copyable, Sendable {
    private let file: OpenFile
    private var size: Int

    /// Opens a file, or makes it.
    ///
    /// A last line that a crash left without its end is completed when it is whole JSON, and cut
    /// off when not, so that later rows stay readable.
    package init(appendingTo path: String) throws(FormatError) {
        let opened = try OpenFile(path, for: .appending)
        size = try Self.endLastLine(of: opened)
        file = opened
    }

    /// Adds a row; when the disk is full the file keeps the rows it had, whole.
    package mutating func append(_ value: JSON) throws(FormatError) {
        let line = Array(value.serialized().utf8) + [0x0A]
        do throws(FormatError) {
            try file.write(line)
        } catch {
            try? file.truncate(to: size)
            throw error
        }
        size += line.count
    }

    /// Completes or removes a last line without its end; returns the size of the file after that.
    private static func endLastLine(of file: borrowing OpenFile) throws(FormatError) -> Int {
        let size = try file.status().size
        let tail = try unfinishedLine(of: file, size: size)
        if tail.isEmpty { return size }
        if (try? JSON(parsing: tail, name: file.name)) != nil {
            try file.write([0x0A])
            return size + 1
        }
        try file.truncate(to: size - tail.count)
        return size - tail.count
    }

    /// The bytes after the last line feed.
    private static func unfinishedLine(
        of file: borrowing OpenFile, size: Int
    ) throws(FormatError) -> [UInt8] {
        var tail: [UInt8] = []
        var end = size
        while end > 0 {
            let start = max(0, end - 1 << 16)
            var chunk = [UInt8](repeating: 0, count: end - start)
            guard try file.read(into: &chunk, at: start) == chunk.count else {
                throw FormatError("cannot read \(file.name): it was shortened meanwhile")
            }
            if let lineFeed = chunk.lastIndex(of: 0x0A) { return chunk[(lineFeed + 1)...] + tail }
            tail = chunk + tail
            end = start
        }
        return tail
    }
}
