import Formats
import Models
import Tensors

extension LoRAAdapter {
    /// Writes the checkpoint in which each adapted weight is `W + scale B A`, as a whole, or leaves
    /// what was there.
    ///
    /// Sums are made in f32 and rounded once to the type of the base. Files, shards and index are
    /// those of the base; config, tokenizer and generation settings are copied.
    ///
    /// - Parameters:
    ///   - base: folder of the checkpoint that the adapter belongs to.
    ///   - directory: the folder to write.
    /// - Throws: when the base lacks a weight or has it in another shape, the disk is full, or what
    ///   was written reads back differently.
    package func merge(base: String, to directory: String) throws {
        let checkpoint = try SafetensorsCheckpoint(directory: base)
        guard canonicalPath(base) != canonicalPath(directory) else {
            throw AdapterError("\(directory) is the base model; merge into another folder.")
        }
        let merged = try mergedWeights(checkpoint)
        let folder = try AtomicFolder(replacing: directory)
        for (name, file) in zip(checkpoint.fileNames, checkpoint.files) {
            let sources = file.names.compactMap { file.tensors[$0] }.map { entry in
                merged[entry.name]?.source ?? SafetensorsSource(copying: entry, of: file)
            }
            let path = "\(folder.partialPath)/\(name)"
            try SafetensorsWriter.write(sources, metadata: file.metadata, to: path)
            try check(SafetensorsFile(path: path), against: file, merged)
        }
        let copies =
            ["config.json"] + (checkpoint.isSharded ? [SafetensorsCheckpoint.indexName] : [])
        for name in copies {
            try AtomicFile.write(
                [UInt8](contentsOfFile: "\(base)/\(name)"), to: "\(folder.partialPath)/\(name)")
        }
        try CheckpointWriter.copyCompanions(from: base, to: folder.partialPath)
        try folder.commit()
    }

    /// The weights that change, by name; none is computed yet.
    private func mergedWeights(
        _ checkpoint: SafetensorsCheckpoint
    ) throws -> [String: MergedWeight] {
        let weights = weights(training: false)
        var merged: [String: MergedWeight] = [:]
        for module in modules {
            let name = "\(module.path).weight"
            let (file, entry) = try checkpoint.entry(name)
            guard entry.shape == module.shape else {
                throw AdapterError(
                    "\(file.path): the tensor \"\(name)\" has the shape \(entry.shape), but the "
                        + "adapter was made for \(module.shape).")
            }
            guard let lowRank = weights[module.layer, module.projection] else { continue }
            merged[name] = MergedWeight(
                name: name, base: try Tensor(mapping: entry, of: file), lowRank: lowRank)
        }
        return merged
    }

    private func check(
        _ written: SafetensorsFile, against base: SafetensorsFile, _ merged: [String: MergedWeight]
    ) throws {
        for entry in written.tensors.values {
            let isSame =
                if let weight = merged[entry.name] {
                    try Tensor(mapping: entry, of: written).hasSameBytes(as: weight.tensor)
                } else {
                    try written.file.hasSameBytes(
                        in: entry.byteRange, as: base.file, in: base.entry(entry.name).byteRange)
                }
            guard isSame else {
                throw AdapterError(
                    "\(written.path): the tensor \"\(entry.name)\" read back differs from what was "
                        + "written; the disk may be failing.")
            }
        }
    }
}

/// A weight of the base with the low-rank part that is added to it.
private struct MergedWeight {
    let name: String
    let base: Tensor
    let lowRank: LowRank

    /// `W + scale B A` in the type of W, computed anew each time: only one lies in memory.
    var tensor: Tensor {
        let sum = base.converted(to: .float32)
        sum.add(lowRank)
        return sum.converted(to: base.dataType)
    }

    var source: SafetensorsSource {
        SafetensorsSource(
            name: name, dtype: base.dataType.safetensorsType, shape: base.shape
        ) { (piece) throws(FormatError) in
            try tensor.withBytes(piece)
        }
    }
}
