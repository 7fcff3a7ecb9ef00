import Foundation

/// Where the reference values that several test targets share lie.
package enum OracleFixtures {
    /// The tiny models' names.
    package static let models = ["qwen2-tiny", "llama3-tiny", "qwen3-tiny"]
    /// The adapters that exist for each model.
    package static let adapters = ["all-linear-r8", "qv-r4", "rslora-r16"]

    /// The path of a file or folder under `oracles/`.
    package static func path(_ relative: String) -> String {
        Bundle.module.bundleURL.appendingPathComponent("oracles/\(relative)").path
    }
}
