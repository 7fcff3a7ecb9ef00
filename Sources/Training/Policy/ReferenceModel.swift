import Adapters
import Formats
package import Models
package import Tensors

/// What the KL is measured against: the base, or another adapter on the same base weights.
package final class ReferenceModel {
    private let base: Decoder
    /// The reference's adapter; `nil` for the base itself.
    private let adapter: LoRAAdapter?
    /// What a moving average follows, and the share of itself that it keeps at each step.
    private let average: (of: ParameterBuffer, decay: Float)?

    /// The base itself.
    package init(base: Decoder) {
        self.base = base
        adapter = nil
        average = nil
    }

    /// The reference that a run's settings ask for, before any of its steps.
    ///
    /// - Parameter initialAdapter: the folder of the adapter that training goes on from; `nil` for
    ///   a fresh one, which adds nothing to the base.
    /// - Throws: when an adapter cannot be read or does not fit the model.
    package init(
        _ choice: ReferenceChoice, of model: TrainedModel, initialAdapter: String?
    ) throws {
        let base = model.policy.base
        self.base = base
        switch choice {
        case .base:
            (adapter, average) = (nil, nil)
        case .initial:
            adapter = try initialAdapter.map { try LoRAAdapter(directory: $0, for: base.config) }
            average = nil
        case .adapter(let folder):
            adapter = try LoRAAdapter(directory: folder, for: base.config)
            average = nil
        case .average(let decay):
            guard let trained = model.adapter else {
                preconditionFailure("The settings refuse an average of a whole model.")
            }
            let copy = try LoRAAdapter(trained.config, for: base.config, seed: 0)
            copy.parameters.values.copy(from: trained.parameters.values)
            adapter = copy
            average = (trained.parameters, Float(decay))
        }
    }

    /// The reference's log-probability of each response token, `[T]`.
    package func score(_ packed: PackedSamples, temperature: Float) -> TokenLogProbabilities {
        scoreResponses(
            packed, base, adapter?.weights(training: false), temperature: temperature)
    }

    /// Moves an average towards the policy, after a step; other references stay.
    package func follow() {
        guard let (trained, decay) = average, let adapter else { return }
        adapter.parameters.values.average(with: trained.values, keeping: decay)
    }

    /// Name of the folder that `save` writes within a checkpoint's `actor` folder.
    static let folderName = "reference_adapter"

    /// Writes a moving average to a PEFT folder; other references need no saving.
    func save(to folder: String) throws {
        guard average != nil else { return }
        try adapter?.save(to: folder)
    }

    /// Takes the moving average that `save` wrote.
    ///
    /// - Throws: also when the run has one and the checkpoint has not, or the other way round.
    func restore(from folder: String) throws {
        guard (average != nil) == fileExists(folder) else {
            let found = average == nil ? "holds a moving average" : "is not there"
            let began = average == nil ? "began" : "did not begin"
            throw TrainingError(
                "\(folder) \(found): the run \(began) with actor_rollout_ref.ref.adapter=ema, so "
                    + "set it as it was.")
        }
        if average != nil { try adapter?.restore(from: folder, for: base.config) }
    }
}
