/// The table at the beginning of a safetensors file: 8 bytes of length, JSON, and then the tensors'
/// bytes.
struct SafetensorsHeader {
    private(set) var tensors: [String: SafetensorsEntry] = [:]
    private(set) var names: [String] = []
    private(set) var metadata: [String: String] = [:]

    /// What the reference implementation allows: a longer table is an attack or no safetensors
    /// file.
    static let maximumLength = 100_000_000

    /// Where the tensors' bytes begin.
    let dataStart: Int
    private let path: String
    /// How many bytes the tensors have.
    private let dataCount: Int

    init(of file: MappedFile) throws(FormatError) {
        path = file.path
        guard file.count >= 8 else {
            throw FormatError(
                "\(path) is no safetensors file: it has \(file.count) bytes, and the length of the "
                    + "table alone takes 8")
        }
        let length = file.copy(of: 0..<8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= Self.maximumLength else {
            throw FormatError(
                "\(path) is no safetensors file: its table would take \(length) bytes, and at most "
                    + "\(Self.maximumLength) are allowed")
        }
        guard Int(length) <= file.count - 8 else {
            throw FormatError(
                "\(path) is cut off: its table takes \(length) bytes and only "
                    + "\(file.count - 8) follow"
            )
        }
        dataStart = 8 + Int(length)
        dataCount = file.count - dataStart
        let table = try JSON(
            parsing: file.copy(of: 8..<dataStart), name: "\(path) (table)",
            refusesDuplicateKeys: true)
        guard let table = table.object else {
            throw FormatError("\(path): the table must be an object, found \(table.kind)")
        }
        try read(table)
    }

    private mutating func read(_ table: JSONObject) throws(FormatError) {
        var entries: [SafetensorsEntry] = []
        entries.reserveCapacity(table.count)
        for (name, value) in table {
            if name == "__metadata__" {
                try readMetadata(value)
                continue
            }
            let entry = try entry(name, value)
            guard tensors.updateValue(entry, forKey: name) == nil else {
                throw failure(name, "the name stands twice in the table")
            }
            entries.append(entry)
        }
        entries.sort {
            ($0.byteRange.lowerBound, $0.byteRange.upperBound)
                < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
        }
        try checkLayout(entries)
        names = entries.map(\.name)
    }

    private mutating func readMetadata(_ value: JSON) throws(FormatError) {
        guard let object = value.object else {
            throw FormatError("\(path): __metadata__ must be an object, found \(value.kind)")
        }
        for (key, value) in object {
            guard let text = value.string else {
                throw FormatError(
                    "\(path): \"\(key)\" of __metadata__ must be a string, found \(value.kind)")
            }
            metadata[key] = text
        }
    }

    private func entry(_ name: String, _ value: JSON) throws(FormatError) -> SafetensorsEntry {
        guard let fields = value.object else {
            throw failure(name, "its description must be an object, found \(value.kind)")
        }
        guard let typeName = fields["dtype"]?.string else {
            throw failure(name, "\"dtype\" is missing")
        }
        guard let dtype = SafetensorsType(rawValue: typeName) else {
            throw failure(name, "the dtype \"\(typeName)\" is not known")
        }
        guard let shape = integers(fields["shape"]) else {
            throw failure(name, "\"shape\" must be an array of whole numbers")
        }
        guard let byteCount = dtype.byteCount(of: shape) else {
            throw failure(name, "the shape \(shape) of \(typeName) is impossible")
        }
        guard let offsets = integers(fields["data_offsets"]), offsets.count == 2 else {
            throw failure(name, "\"data_offsets\" must be two whole numbers")
        }
        guard 0 <= offsets[0], offsets[0] <= offsets[1], offsets[1] <= dataCount else {
            throw failure(
                name, "the data_offsets \(offsets) do not lie in the \(dataCount) bytes of data")
        }
        guard offsets[1] - offsets[0] == byteCount else {
            throw failure(
                name,
                "the shape \(shape) of \(typeName) takes \(byteCount) bytes, but the "
                    + "data_offsets \(offsets) hold \(offsets[1] - offsets[0])")
        }
        return SafetensorsEntry(
            name: name, dtype: dtype, shape: shape,
            byteRange: dataStart + offsets[0]..<dataStart + offsets[1])
    }

    /// Every byte must belong to exactly one tensor.
    private func checkLayout(_ entries: [SafetensorsEntry]) throws(FormatError) {
        var end = dataStart
        for entry in entries {
            let start = entry.byteRange.lowerBound
            if start < end {
                throw failure(entry.name, "its bytes overlap those of another tensor")
            }
            if start > end {
                throw failure(entry.name, "the \(start - end) bytes before it belong to no tensor")
            }
            end = entry.byteRange.upperBound
        }
        guard end == dataStart + dataCount else {
            throw FormatError(
                "\(path): the last \(dataStart + dataCount - end) bytes belong to no tensor")
        }
    }

    private func integers(_ value: JSON?) -> [Int]? {
        guard let elements = value?.array else { return nil }
        var integers: [Int] = []
        for element in elements {
            guard case .integer(let integer) = element else { return nil }
            integers.append(integer)
        }
        return integers
    }

    private func failure(_ name: String, _ what: String) -> FormatError {
        FormatError("\(path): tensor \"\(name)\": \(what)")
    }
}
