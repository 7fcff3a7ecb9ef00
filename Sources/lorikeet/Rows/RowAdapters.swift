import Adapters
import Formats
import Models
import Rollouts

/// The adapters that rows name, each read once.
struct RowAdapters {
    /// For each row its adapter's folder; `nil` where it names none.
    let ofRow: [String?]
    /// The adapters, each under its folder's name.
    let adapters: [EngineAdapter]

    init(_ rows: [InputRow], for config: DecoderConfig) throws {
        ofRow = try rows.map { row in
            switch row.fields["adapter"] {
            case nil: nil
            case .string(let folder): folder
            default: throw row.error("\"adapter\" must be the folder of an adapter")
            }
        }
        adapters = try Set(ofRow.compactMap { $0 }).sorted().map { folder in
            let adapter = try LoRAAdapter(directory: folder, for: config)
            return EngineAdapter(
                name: folder, version: 0, weights: adapter.weights(training: false))
        }
    }
}
