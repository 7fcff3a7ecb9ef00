import Adapters
import Formats
import Models
import Objectives
import OracleFixtures
import Tensors
import Training

/// One optimisation step of torch: a padded batch, the constants, and what came of it.
///
/// A row of the batch is prompt and response; place j of the per-token values speaks of token
/// `j + 1`, and `response_mask` says which of those belong to the response.
struct StepOracle {
    let policy: Policy
    let adapter: LoRAAdapter
    let samples: [PolicySample]
    let settings: PolicyUpdateSettings
    let file: SafetensorsFile
    private let width: Int
    private let mask: [Float]

    init(_ model: String, _ adapterName: String) throws {
        let name = "\(model)--\(adapterName)"
        let file = try SafetensorsFile(path: OracleFixtures.path("step-\(name).safetensors"))
        let base = try Decoder(directory: OracleFixtures.path("models/\(model)"))
        let adapter = try LoRAAdapter(
            directory: OracleFixtures.path("adapters/\(name)"), for: base.config)
        let mask = try file.floats("response_mask")
        let width = try file.entry("response_mask").shape[1]
        self.file = file
        self.adapter = adapter
        self.mask = mask
        self.width = width
        policy = .lowRank(
            base: base, adapter: adapter.weights(training: true), parameters: adapter.parameters)
        settings = PolicyUpdateSettings(
            loss: try Self.loss(file), temperature: Float(try Self.number(file, "temperature")),
            microBatches: .samples(64), kept: .all, paddedResponseLength: width)
        samples = try Self.samples(file, mask: mask, width: width)
    }

    /// The reference's values of the response tokens, sample by sample.
    func responseValues(_ name: String) throws -> [Float] {
        try zip(file.floats(name), mask).filter { $0.1 == 1 }.map(\.0)
    }

    /// A number of the file's metadata.
    func constant(_ name: String) throws -> Double { try Self.number(file, name) }

    /// The constants that the file's `betas`, `eps` and `weight_decay` state.
    func optimizerSettings() throws -> AdamWSettings {
        let betas = (file.metadata["betas"] ?? "").split(separator: ",").compactMap { Double($0) }
        guard betas.count == 2 else { throw MissingConstant(name: "betas") }
        return AdamWSettings(
            beta1: betas[0], beta2: betas[1], epsilon: try constant("eps"),
            weightDecay: try constant("weight_decay"))
    }

    private static func loss(_ file: SafetensorsFile) throws -> PolicyLossSettings {
        try PolicyLossSettings(
            clipLow: number(file, "clip_low"), clipHigh: number(file, "clip_high"),
            clipC: number(file, "clip_c"),
            aggregation: LossAggregation(named: file.metadata["agg"] ?? ""),
            entropyCoefficient: number(file, "entropy_coeff"), useKLLoss: true,
            klCoefficient: number(file, "kl_coef"),
            klEstimator: KLEstimator(named: file.metadata["kl"] ?? ""))
    }

    private static func samples(
        _ file: SafetensorsFile, mask: [Float], width: Int
    ) throws -> [PolicySample] {
        let ids = try file.integers("input_ids")
        let advantages = try file.floats("advantages")
        let old = try file.floats("old_logprobs")
        let reference = try file.floats("ref_logprobs")
        return stride(from: 0, to: mask.count, by: width).enumerated().map { row, start in
            let places = (start..<start + width).filter { mask[$0] == 1 }
            let first = places[0], range = first..<first + places.count
            precondition(places == Array(range), "The response of row \(row) has holes.")
            let begin = row * (width + 1)
            let response = begin + first - start + 1
            return PolicySample(
                prompt: Array(ids[begin..<response]),
                response: Array(ids[response..<response + places.count]),
                oldLogProbabilities: Array(old[range]),
                referenceLogProbabilities: Array(reference[range]),
                advantages: Array(advantages[range]))
        }
    }

    private static func number(_ file: SafetensorsFile, _ name: String) throws -> Double {
        guard let text = file.metadata[name], let value = Double(text) else {
            throw MissingConstant(name: name)
        }
        return value
    }

    private struct MissingConstant: Error {
        let name: String
    }
}

extension ParameterBuffer {
    /// The gradient of every parameter by its name.
    var gradientsByName: [(name: String, gradient: [Float])] {
        slots.enumerated().map { ($1.name, gradient($0).toArray()) }
    }
}
