import Formats

/// One row of a data file with the name that messages give it: "train.jsonl line 12".
struct DataRow {
    let name: String
    let fields: JSONObject
}

extension DataRow {
    /// The row with a field replaced by what lies within it at the end of a path of names.
    func opening(_ key: String, _ path: [String]) throws(TrainingError) -> DataRow {
        guard !path.isEmpty, var value = fields[key] else { return self }
        for name in path {
            guard let inner = value[name] else {
                throw TrainingError("\(self.name): there is no '\(name)' within '\(key)'.")
            }
            value = inner
        }
        var fields = fields
        fields[key] = value
        return DataRow(name: name, fields: fields)
    }
}

/// Reads the rows of data files.
enum DataFile {
    /// All rows of some files, in order.
    ///
    /// - Throws: one sentence that names the file, and the line where one is to blame.
    static func rows(of paths: [String]) throws -> [DataRow] {
        var rows: [DataRow] = []
        for path in paths {
            let count = rows.count
            try append(path, to: &rows)
            guard rows.count > count else { throw TrainingError("\(path) has no rows.") }
        }
        return rows
    }

    private static func append(_ path: String, to rows: inout [DataRow]) throws {
        let name = path.lowercased()
        if name.hasSuffix(".jsonl") || name.hasSuffix(".ndjson") {
            return try appendLines(path, to: &rows)
        }
        guard name.hasSuffix(".json") else {
            let found = name.hasSuffix(".parquet") ? "Parquet is not read yet" : "its name says not"
            throw TrainingError(
                "\(path) cannot be read (\(found)): data are JSON lines (.jsonl), one row a line,"
                    + " or one JSON array of rows (.json).")
        }
        // Both kinds of content go by the name .json.
        let bytes = try [UInt8](contentsOfFile: path)
        guard bytes.first(where: { !" \t\r\n".utf8.contains($0) }) == UInt8(ascii: "[") else {
            return try appendLines(path, to: &rows)
        }
        let array = try JSON(parsing: bytes, name: path).array ?? []
        for (index, value) in array.enumerated() {
            rows.append(try row(value, name: "\(path) row \(index + 1)"))
        }
    }

    private static func appendLines(_ path: String, to rows: inout [DataRow]) throws {
        var reader = try JSONLinesReader(path: path)
        while let line = try reader.next() {
            rows.append(try row(line.value, name: "\(path) line \(line.number)"))
        }
    }

    private static func row(_ value: JSON, name: String) throws(TrainingError) -> DataRow {
        guard case .object(let fields) = value else {
            throw TrainingError("\(name): a row must be a JSON object, but this is \(value.kind).")
        }
        return DataRow(name: name, fields: fields)
    }
}
