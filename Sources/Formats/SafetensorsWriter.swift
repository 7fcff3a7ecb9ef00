/// One tensor to write.
package struct SafetensorsSource {
    /// Name of the tensor.
    package let name: String
    /// Type of its elements.
    package let dtype: SafetensorsType
    /// Sizes, slowest first.
    package let shape: [Int]
    /// Hands over the bytes in order, in as many pieces as it likes.
    package let provide:
        (_ piece: (RawSpan) throws(FormatError) -> Void) throws(FormatError) -> Void

    /// A tensor whose bytes are asked for when it is their turn to be written.
    package init(
        name: String, dtype: SafetensorsType, shape: [Int],
        provide:
            @escaping (
                _ piece: (RawSpan) throws(FormatError) -> Void
            ) throws(FormatError) -> Void
    ) {
        self.name = name
        self.dtype = dtype
        self.shape = shape
        self.provide = provide
    }

    /// A tensor of 32-bit floats that lie in memory.
    package init(name: String, shape: [Int], values: [Float]) {
        self.init(name: name, dtype: .f32, shape: shape) { (piece) throws(FormatError) in
            try values.withBytes(piece)
        }
    }

    /// A tensor that is copied from another file as it is.
    package init(copying entry: SafetensorsEntry, of file: SafetensorsFile) {
        self.init(
            name: entry.name, dtype: entry.dtype, shape: entry.shape
        ) { (piece) throws(FormatError) in
            try file.withBytes(of: entry, piece)
        }
    }
}

/// Writes safetensors files as a whole or not at all.
package enum SafetensorsWriter {
    /// Writes tensors to a file, which keeps what it held until the new one lies on the disk.
    ///
    /// The order is kept but for one thing: larger element types come first, so that every tensor
    /// is aligned.
    ///
    /// - Throws: one sentence with path and reason when a name is used twice, a source provides
    ///   another number of bytes than its shape takes, or the disk is full.
    package static func write(
        _ sources: [SafetensorsSource], metadata: [String: String] = ["format": "pt"],
        to path: String
    ) throws(FormatError) {
        let ordered = alignedOrder(sources)
        let header = try header(of: ordered, metadata: metadata, path: path)
        let file = try AtomicFile(replacing: path)
        try file.write(header)
        for source in ordered {
            var count = 0
            try source.provide { (piece) throws(FormatError) in
                count += piece.byteCount
                try file.write(piece)
            }
            let expected = try byteCount(of: source, path: path)
            guard count == expected else {
                throw FormatError(
                    "\(path): tensor \"\(source.name)\": its shape \(source.shape) takes "
                        + "\(expected) bytes, and \(count) were provided")
            }
        }
        try file.commit()
    }

    /// By element size, otherwise as they came (`sort` does not promise that).
    private static func alignedOrder(_ sources: [SafetensorsSource]) -> [SafetensorsSource] {
        sources.enumerated().sorted {
            (-$0.element.dtype.bitCount, $0.offset) < (-$1.element.dtype.bitCount, $1.offset)
        }.map(\.element)
    }

    /// The length and the table, padded with spaces so that the tensors' bytes begin where a cache
    /// line may begin.
    private static func header(
        of sources: [SafetensorsSource], metadata: [String: String], path: String
    ) throws(FormatError) -> [UInt8] {
        var table = JSONObject()
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map { ($0.key, JSON.string($0.value)) }
            table["__metadata__"] = .object(JSONObject(pairs))
        }
        var offset = 0
        for source in sources {
            guard source.name != "__metadata__", table[source.name] == nil else {
                throw FormatError("\(path): tensor \"\(source.name)\": the name is taken")
            }
            let end = try offset + byteCount(of: source, path: path)
            table[source.name] = [
                "dtype": .string(source.dtype.rawValue),
                "shape": .array(source.shape.map { .integer($0) }),
                "data_offsets": [.integer(offset), .integer(end)],
            ]
            offset = end
        }
        var text = Array(JSON.object(table).serialized(.compact).utf8)
        text += repeatElement(0x20, count: 63 - (8 + text.count + 63) % 64)
        let length = UInt64(text.count)
        return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + text
    }

    private static func byteCount(
        of source: SafetensorsSource, path: String
    ) throws(FormatError) -> Int {
        guard let count = source.dtype.byteCount(of: source.shape) else {
            throw FormatError(
                "\(path): tensor \"\(source.name)\": the shape \(source.shape) of "
                    + "\(source.dtype.rawValue) is impossible")
        }
        return count
    }
}
