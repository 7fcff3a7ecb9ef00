package import Formats
package import Tensors

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension SafetensorsSource {
    /// A tensor as it lies in memory.
    package init(name: String, _ tensor: Tensor) {
        self.init(
            name: name, dtype: tensor.dataType.safetensorsType, shape: tensor.shape
        ) { (piece) throws(FormatError) in
            try tensor.withBytes(piece)
        }
    }
}

/// Writes checkpoint folders in Hugging Face layout.
package enum CheckpointWriter {
    /// Files beside the weights that belong to a model and are copied as they are.
    private static let companions = [
        "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
        "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
    ]

    /// Writes a whole checkpoint, or leaves what was there.
    ///
    /// - Parameters:
    ///   - sources: the weights, named as the architecture names them.
    ///   - config: the content of `config.json`; its `dtype` is set to `type`.
    ///   - companionDirectory: where tokenizer and generation settings are copied from.
    ///   - check: looks at the written folder before it takes its place; an error leaves what was
    ///     there.
    package static func write(
        _ sources: [SafetensorsSource], config: JSON, type: DataType,
        companionDirectory: String?, to directory: String,
        check: (_ written: String) throws -> Void = { _ in }
    ) throws {
        let folder = try AtomicFolder(replacing: directory)
        try SafetensorsWriter.write(sources, to: "\(folder.partialPath)/model.safetensors")
        var fields = config.object ?? JSONObject()
        let typeKey = fields["torch_dtype"] == nil ? "dtype" : "torch_dtype"
        fields[typeKey] = .string("\(type)")
        try AtomicFile.write(
            JSON.object(fields).serialized(.pretty) + "\n",
            to: "\(folder.partialPath)/config.json")
        if let companionDirectory {
            try copyCompanions(from: companionDirectory, to: folder.partialPath)
        }
        try check(folder.partialPath)
        try folder.commit()
    }

    /// Copies the tokenizer's and generation's files that `source` has.
    package static func copyCompanions(from source: String, to target: String) throws(FormatError) {
        for name in companions where fileExists("\(source)/\(name)") {
            try AtomicFile.write(
                [UInt8](contentsOfFile: "\(source)/\(name)"), to: "\(target)/\(name)")
        }
    }
}

extension Decoder {
    /// Writes this decoder's weights as a checkpoint and reads them back.
    ///
    /// - Parameters:
    ///   - source: the checkpoint that training began with, whose config and tokenizer are copied.
    /// - Throws: also when what was written differs from what is in memory; whatever lay in
    ///   `directory` before is then still there.
    package func save(to directory: String, from source: String) throws {
        let sources = weights.named.map { SafetensorsSource(name: $0.name, $0.weight.tensor) }
        try CheckpointWriter.write(
            sources, config: JSON(contentsOfFile: "\(source)/config.json"),
            type: weights.embedding.tensor.dataType, companionDirectory: source, to: directory
        ) { written in
            try checkIsSame(as: Decoder(directory: written, on: .cpu), in: directory)
        }
    }

    private func checkIsSame(as written: Decoder, in directory: String) throws(ModelError) {
        for (here, there) in zip(weights.named, written.weights.named) {
            guard here.weight.tensor.hasSameBytes(as: there.weight.tensor) else {
                throw ModelError.differsFromMemory(here.name, in: directory)
            }
        }
    }
}

extension ModelError {
    /// The error for a tensor of a checkpoint that was written and reads back differently.
    static func differsFromMemory(_ tensor: String, in directory: String) -> ModelError {
        ModelError(
            "\(directory)/model.safetensors: the tensor \"\(tensor)\" read back differs from the "
                + "one in memory; the disk may be failing.")
    }
}
