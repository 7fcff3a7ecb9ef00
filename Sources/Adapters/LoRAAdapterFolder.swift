import Formats
package import Models
import Tensors

extension AdapterTask {
    /// What an adapter of this task is, in words.
    fileprivate var words: String {
        switch self {
        case .causalLM: "the adapter of a model that gives tokens"
        case .tokenClassification: "the adapter of a critic"
        }
    }
}

extension LoRAAdapter {
    /// Name of the tensors' file in a PEFT folder.
    package static let fileName = "adapter_model.safetensors"

    /// Reads the adapter of a PEFT folder; tensors stored as f16 or bf16 are widened.
    ///
    /// - Parameter task: what the adapter must be for.
    /// - Throws: `FormatError` or `AdapterError`, one sentence with the file and the tensor, when a
    ///   file is missing or broken, or the adapter is of another kind or for another model.
    package convenience init(
        directory: String, for model: DecoderConfig, task: AdapterTask = .causalLM
    ) throws {
        let configPath = "\(directory)/\(LoRAConfig.fileName)"
        let config = try LoRAConfig(JSON(contentsOfFile: configPath), name: configPath)
        guard config.task == task else {
            throw AdapterError(
                "\(configPath): task_type is \"\(config.task.rawValue)\", \(config.task.words), but "
                    + "\"\(task.rawValue)\" is wanted, \(task.words).")
        }
        do {
            try self.init(zeros: config, for: model)
        } catch {
            throw AdapterError("\(configPath): \(error.description)")
        }
        let path = "\(directory)/\(Self.fileName)"
        if !fileExists(path), fileExists("\(directory)/adapter_model.bin") {
            throw AdapterError(
                "\(directory)/adapter_model.bin is not read, because opening it can run code; save "
                    + "the adapter as \(Self.fileName).")
        }
        let file = try SafetensorsFile(path: path)
        let known = Set(parameters.slots.map(\.name))
        if let name = file.names.first(where: { !known.contains($0) }) {
            throw Self.strangeTensor(name, path: path, configPath: configPath)
        }
        for (index, slot) in parameters.slots.enumerated() {
            guard let entry = file.tensors[slot.name] else {
                throw AdapterError("\(path): the tensor \"\(slot.name)\" is missing.")
            }
            guard entry.shape == slot.shape else {
                throw AdapterError(
                    "\(path): the tensor \"\(slot.name)\" has the shape \(entry.shape), but the "
                        + "model and \(LoRAConfig.fileName) imply \(slot.shape); the adapter was "
                        + "made for another model.")
            }
            let stored = try Tensor(mapping: entry, of: file)
            let parameter = parameters.parameter(index)
            parameter.copy(from: stored.converted(to: .float32))
            guard parameter.isFinite else {
                throw AdapterError(
                    "\(path): the tensor \"\(slot.name)\" has a value that is not a finite number; "
                        + "the training that made it went wrong, or the file is damaged.")
            }
        }
    }

    private static func strangeTensor(
        _ name: String, path: String, configPath: String
    ) -> AdapterError {
        let reason =
            if name.contains("lora_magnitude_vector") {
                "belongs to DoRA, which is not supported"
            } else if name.hasSuffix(".bias") {
                "is a trained bias, which is not supported"
            } else if name.contains("lora_embedding_") || !name.contains(".lora_") {
                "is no low-rank part of a projection, and nothing else is supported"
            } else {
                "has no place in this model with the target_modules of \(configPath)"
            }
        return AdapterError("\(path): the tensor \"\(name)\" \(reason).")
    }

    /// Writes a PEFT folder as a whole, or leaves what was there.
    ///
    /// - Throws: one sentence with path and reason; also when what was written reads back
    ///   differently from what is in memory.
    package func save(to directory: String) throws {
        let folder = try AtomicFolder(replacing: directory)
        try write(into: folder.partialPath)
        try folder.commit()
    }

    /// Writes the two files of a PEFT folder, f32, into a folder that exists (a checkpoint being
    /// put together), and reads them back.
    ///
    /// - Throws: also when a value is not a finite number.
    package func write(into directory: String) throws {
        let path = "\(directory)/\(Self.fileName)"
        guard parameters.values.isFinite else {
            throw AdapterError(
                "\(path) was not written: the adapter has values that are not finite numbers, so "
                    + "training has diverged; what was saved before is as it was.")
        }
        let tensors = parameters.slots.indices.map { parameters.parameter($0) }
        try SafetensorsWriter.write(
            zip(parameters.slots, tensors).map { SafetensorsSource(name: $0.name, $1) }, to: path)
        try AtomicFile.write(
            config.json.serialized(.pretty) + "\n", to: "\(directory)/\(LoRAConfig.fileName)")
        let written = try SafetensorsFile(path: path)
        for (slot, tensor) in zip(parameters.slots, tensors) {
            guard
                try Tensor(mapping: written.entry(slot.name), of: written).hasSameBytes(as: tensor)
            else {
                throw AdapterError(
                    "\(path): the tensor \"\(slot.name)\" read back differs from the one in "
                        + "memory; the disk may be failing.")
            }
        }
    }
}
