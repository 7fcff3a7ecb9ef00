import Formats
import Tensors

extension Decoder {
    /// Writes this body with a value head as a checkpoint that transformers opens for token
    /// classification with one label, and reads it back.
    ///
    /// - Parameters:
    ///   - source: the checkpoint that training began with, whose config and tokenizer are copied.
    /// - Throws: also when what was written differs from what is in memory; whatever lay in
    ///   `directory` before is then still there.
    package func save(_ head: ValueHead, to directory: String, from source: String) throws {
        let configPath = "\(source)/config.json"
        let named: [(name: String, tensor: Tensor)] =
            weights.named.map { ($0.name, $0.weight.tensor) }
            + [(ValueHead.weightName, head.weight), (ValueHead.biasName, head.bias)]
        try CheckpointWriter.write(
            named.map { SafetensorsSource(name: $0.name, $0.tensor) },
            config: Self.criticConfig(JSON(contentsOfFile: configPath), name: configPath),
            type: weights.embedding.tensor.dataType, companionDirectory: source, to: directory
        ) { written in
            let checkpoint = try SafetensorsCheckpoint(directory: written)
            for (name, tensor) in named {
                let (file, entry) = try checkpoint.entry(name)
                guard try Tensor(mapping: entry, of: file).hasSameBytes(as: tensor) else {
                    throw ModelError.differsFromMemory(name, in: directory)
                }
            }
        }
    }

    /// The config of the same model as a token classifier of one label, which is its value.
    private static func criticConfig(_ json: JSON, name: String) throws(ModelError) -> JSON {
        let config = try DecoderConfig(body: json, name: name)
        var fields = json.object ?? JSONObject()
        fields["architectures"] = [.string(config.tokenClassifier)]
        fields["id2label"] = ["0": "LABEL_0"]
        fields["label2id"] = ["LABEL_0": 0]
        return .object(fields)
    }
}
