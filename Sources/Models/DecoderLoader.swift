package import Formats
package import Tensors

extension Decoder {
    /// Opens the checkpoint in `directory` (Hugging Face layout). The weights stay in the mapped
    /// files: nothing is read until it is used. Quantised ones lie in a mapped file of their own. A
    /// device other than the host gets a copy of all.
    ///
    /// - Parameters:
    ///   - quantization: how the matrices are quantised; nil leaves them as they are.
    ///   - device: where the weights are to lie. On any but the host f16 is rounded to bf16, and what
    ///     is not quantised to bf16 where anything is less than f32.
    /// - Throws: `FormatError` or `ModelError` when a file is missing or broken, the architecture is
    ///   not supported, config and tensors contradict each other, or a matrix that is to be
    ///   quantised has a value that is not finite.
    package init(
        directory: String, quantization: BaseQuantization? = nil, on device: Device = .current
    ) throws {
        let path = "\(directory)/config.json"
        try self.init(
            DecoderConfig(JSON(contentsOfFile: path), name: path),
            SafetensorsCheckpoint(directory: directory), quantization, device)
    }

    /// Opens the body of a checkpoint, whatever head that has: a language model's, a critic's or a
    /// reward model's.
    ///
    /// - Throws: as `init(directory:)`.
    package init(
        bodyOf directory: String, quantization: BaseQuantization? = nil,
        on device: Device = .current
    ) throws {
        let path = "\(directory)/config.json"
        try self.init(
            DecoderConfig(body: JSON(contentsOfFile: path), name: path),
            SafetensorsCheckpoint(directory: directory), quantization, device)
    }

    private init(
        _ config: DecoderConfig, _ checkpoint: SafetensorsCheckpoint,
        _ quantization: BaseQuantization?, _ device: Device
    ) throws {
        let directory = checkpoint.directory
        var dense: [(name: String, tensor: Tensor)] = []
        for (name, shape) in DecoderWeights.names(config) {
            dense.append((name, try checkpoint.tensor(name, shape: shape)))
        }
        let unread = Set(checkpoint.names).subtracting(dense.map(\.name))
        if let name = unread.sorted().first(where: { !Self.isIgnorable($0, config) }) {
            throw ModelError(
                "\(directory): the checkpoint holds the tensor \"\(name)\", which a "
                    + "\(config.architecture) of \(config.layerCount) layers has no place for.")
        }
        let quantized = try quantization?.weights(dense, of: checkpoint) ?? [:]
        var place = 0
        let weights = DecoderWeights(config) { name, _ in
            defer { place += 1 }
            return quantized[name].map(Weight.quantized) ?? .dense(dense[place].tensor)
        }
        let type = weights.deviceType
        self.init(config, device.isHost ? weights : weights.moved(config, to: device, as: type))
        isRoundedFromFloat16 = !device.isHost && weights.holdsFloat16
    }

    /// Tensors that old checkpoints hold although they can be computed from the others, and the
    /// heads of a checkpoint whose body alone is read.
    private static func isIgnorable(_ name: String, _ config: DecoderConfig) -> Bool {
        if name.hasSuffix("rotary_emb.inv_freq") { return true }
        if !config.hasLanguageHead { return ValueHead.headNames.contains(name) }
        return name == "lm_head.weight" && config.tiesEmbeddings
    }
}

extension SafetensorsCheckpoint {
    /// A view of a weight, which must have the shape that the config implies.
    fileprivate func tensor(_ name: String, shape: [Int]) throws -> Tensor {
        let (file, entry) = try entry(name)
        guard entry.shape == shape else {
            throw ModelError(
                "\(file.path): the tensor \"\(name)\" has the shape \(entry.shape), but "
                    + "\(directory)/config.json implies \(shape).")
        }
        return try Tensor(mapping: entry, of: file)
    }
}

extension Storage {
    /// The bytes of a tensor in a mapped file, which must lie on a multiple of their element's
    /// size.
    convenience init(mapping entry: SafetensorsEntry, of file: SafetensorsFile) {
        precondition(entry.isAligned, "\(file.path): \"\(entry.name)\" is not aligned.")
        let bytes = unsafe UnsafeRawBufferPointer(
            start: file.file.baseAddress + entry.byteRange.lowerBound,
            count: entry.byteRange.count)
        unsafe self.init(borrowing: bytes, owner: file.file)
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
            self.init(
                storage: Storage(mapping: entry, of: file), shape: entry.shape, dataType: type)
        } else {
            self.init(uninitialized: entry.shape, dataType: type, on: .cpu)
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
