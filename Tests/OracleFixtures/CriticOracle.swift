package import Formats

/// What transformers computes for the critic of a tiny model: values of four sequences with right
/// padding.
package struct CriticOracle {
    /// Token ids without the padding.
    package let sequences: [[Int32]]
    /// The value of each token.
    package let values: [[Float]]
    private let model: String

    /// - Parameters:
    ///   - adapter: a PEFT adapter whose critic gave the values; none for the model's own head.
    package init(_ model: String, adapter: String? = nil) throws {
        self.model = model
        let file = try SafetensorsFile(path: OracleFixtures.path("critic-\(model).safetensors"))
        let valueFile = try adapter.map {
            try SafetensorsFile(
                path: OracleFixtures.path("critics/\(model)--\($0)/values.safetensors"))
        }
        let ids = try file.integers("input_ids")
        let mask = try file.integers("attention_mask")
        let values = try (valueFile ?? file).floats("values")
        let width = try file.entry("input_ids").shape[1]
        let rows = stride(from: 0, to: ids.count, by: width).map { start in
            (start..<start + width).filter { mask[$0] == 1 }
        }
        sequences = rows.map { $0.map { ids[$0] } }
        self.values = rows.map { $0.map { values[$0] } }
    }

    /// Writes the critic's checkpoint, which is the model's body with a head, into a folder.
    ///
    /// - Parameters:
    ///   - head: stands for the head's tensors where it is given.
    package func write(to folder: String, head: [SafetensorsSource]? = nil) throws {
        let body = try SafetensorsFile(
            path: OracleFixtures.path("models/\(model)/model.safetensors"))
        let score = try SafetensorsFile(
            path: OracleFixtures.path("critics/\(model)/score.safetensors"))
        let names = body.names.filter { $0 != "lm_head.weight" }
        let tensors = try names.map { SafetensorsSource(copying: try body.entry($0), of: body) }
        let stored = try score.names.map {
            SafetensorsSource(copying: try score.entry($0), of: score)
        }
        try SafetensorsWriter.write(
            tensors + (head ?? stored), to: "\(folder)/model.safetensors")
        try AtomicFile.write(
            [UInt8](contentsOfFile: OracleFixtures.path("critics/\(model)/config.json")),
            to: "\(folder)/config.json")
    }
}
