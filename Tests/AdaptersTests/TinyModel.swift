import Adapters
import Formats
import Models
import OracleFixtures

/// The config of a tiny model.
func config(_ model: String) throws -> DecoderConfig {
    let path = OracleFixtures.path("models/\(model)/config.json")
    return try DecoderConfig(JSON(contentsOfFile: path), name: path)
}

/// Modules per layer of a selection in the qwen2-tiny model, `0:q_proj` and so on.
func selected(_ lora: LoRAConfig) throws -> [String] {
    try lora.modules(of: config("qwen2-tiny")).map { module in
        "\(module.layer):\(module.projection.moduleName.split(separator: ".")[1])"
    }
}

/// The sentence that an operation fails with, or nil.
func failure(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch { return "\(error)" }
}
