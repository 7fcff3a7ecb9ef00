/// Where one tensor lies in a safetensors file.
package struct SafetensorsEntry: Sendable, Equatable {
    /// Name of the tensor.
    package let name: String
    /// Type of its elements.
    package let dtype: SafetensorsType
    /// Sizes, slowest first; empty for a single number.
    package let shape: [Int]
    /// Bytes of the tensor, counted from the beginning of the file.
    package let byteRange: Range<Int>

    /// Whether the bytes begin at a multiple of the element's size, so that they can be read in
    /// place.
    package var isAligned: Bool { byteRange.lowerBound % max(1, dtype.bitCount / 8) == 0 }

    /// Number of elements.
    package var elementCount: Int { shape.reduce(1, *) }
}

/// A safetensors file: a table of tensors, and their bytes as they lie in the mapped file.
///
/// Nothing in the file is believed: the table must describe every byte exactly once, as
/// https://github.com/huggingface/safetensors asks.
package struct SafetensorsFile: Sendable {
    /// The mapped bytes; keep it for as long as a view of a tensor is used.
    package let file: MappedFile
    /// The tensors by name.
    package let tensors: [String: SafetensorsEntry]
    /// The names in the order of the bytes.
    package let names: [String]
    /// What the header says of the file: `{"format": "pt"}`.
    package let metadata: [String: String]
    /// Where the tensors' bytes begin: all before them is the table.
    package let dataStart: Int

    /// Maps a file and reads its table; throws one sentence with the file and the tensor when it is
    /// broken.
    package init(path: String) throws(FormatError) {
        let file = try MappedFile(path: path)
        let header = try SafetensorsHeader(of: file)
        self.file = file
        tensors = header.tensors
        names = header.names
        metadata = header.metadata
        dataStart = header.dataStart
    }

    /// Path of the file.
    package var path: String { file.path }

    /// The tensor of a name; throws when the file lacks it.
    package func entry(_ name: String) throws(FormatError) -> SafetensorsEntry {
        guard let entry = tensors[name] else {
            throw FormatError("\(path): there is no tensor \"\(name)\"")
        }
        return entry
    }

    /// Gives a tensor's bytes to a closure without a copy; the closure must not keep them.
    package func withBytes<Result, Failure: Error>(
        of entry: SafetensorsEntry, _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try file.withBytes(in: entry.byteRange, body)
    }
}
