package import Formats
package import Tensors

extension Decoder {
    /// Opens the checkpoint in `directory` (Hugging Face layout). The weights stay in the mapped
    /// files: nothing is read until it is used.
    ///
    /// - Throws: `FormatError` or `ModelError` when a file is missing or broken, the architecture is
    ///   not supported, or config and tensors contradict each other.
    package init(directory: String) throws {
        let path = "\(directory)/config.json"
        try self.init(
            DecoderConfig(JSON(contentsOfFile: path), name: path),
            SafetensorsCheckpoint(directory: directory))
    }

    /// Opens the body of a checkpoint, whatever head that has: a language model's, a critic's or a
    /// reward model's.
    ///
    /// - Throws: as `init(directory:)`.
    package init(bodyOf directory: String) throws {
        let path = "\(directory)/config.json"
        try self.init(
            DecoderConfig(body: JSON(contentsOfFile: path), name: path),
            SafetensorsCheckpoint(directory: directory))
    }

    private init(_ config: DecoderConfig, _ checkpoint: SafetensorsCheckpoint) throws {
        let directory = checkpoint.directory
        var unread = Set(checkpoint.names)
        let weights = try DecoderWeights(config) { name, shape in
            unread.remove(name)
            let (file, entry) = try checkpoint.entry(name)
            guard entry.shape == shape else {
                throw ModelError(
                    "\(file.path): the tensor \"\(name)\" has the shape \(entry.shape), but "
                        + "\(directory)/config.json implies \(shape).")
            }
            return Weight.dense(try Tensor(mapping: entry, of: file))
        }
        if let name = unread.sorted().first(where: { !Self.isIgnorable($0, config) }) {
            throw ModelError(
                "\(directory): the checkpoint holds the tensor \"\(name)\", which a "
                    + "\(config.architecture) of \(config.layerCount) layers has no place for.")
        }
        self.init(config, weights)
    }

    /// Tensors that old checkpoints hold although they can be computed from the others, and the
    /// heads of a checkpoint whose body alone is read.
    private static func isIgnorable(_ name: String, _ config: DecoderConfig) -> Bool {
        if name.hasSuffix("rotary_emb.inv_freq") { return true }
        if !config.hasLanguageHead { return ValueHead.headNames.contains(name) }
        return name == "lm_head.weight" && config.tiesEmbeddings
    }
}

extension Tensor {
    /// A view of a tensor in a mapped file, or a copy where it does not lie on a multiple of its
    /// element size.
    ///
    /// - Throws: `ModelError` when its elements are no f32, f16 or bf16.
    package init(mapping entry: SafetensorsEntry, of file: SafetensorsFile) throws(ModelError) {
        guard let type = DataType(entry.dtype) else {
            throw ModelError(
                "\(file.path): the tensor \"\(entry.name)\" is stored as \(entry.dtype.rawValue); "
                    + "only F32, F16 and BF16 are supported.")
        }
        if entry.isAligned {
            let bytes = unsafe UnsafeRawBufferPointer(
                start: file.file.baseAddress + entry.byteRange.lowerBound,
                count: entry.byteRange.count)
            let storage = unsafe Storage(borrowing: bytes, owner: file.file)
            self.init(storage: storage, shape: entry.shape, dataType: type)
        } else {
            self.init(uninitialized: entry.shape, dataType: type)
            let target = self
            file.withBytes(of: entry) { target.copy(from: $0) }
        }
    }
}

extension DataType {
    /// The type that a checkpoint names, or `nil` where no kernel reads it.
    package init?(_ type: SafetensorsType) {
        switch type {
        case .f32: self = .float32
        case .f16: self = .float16
        case .bf16: self = .bfloat16
        default: return nil
        }
    }

    /// The same type in a checkpoint's words.
    package var safetensorsType: SafetensorsType {
        switch self {
        case .float32: .f32
        case .float16: .f16
        case .bfloat16: .bf16
        }
    }
}
