import Formats
import Models
import Objectives
import OracleFixtures
import Settings
import Tensors

@testable import Training

/// Critics of tiny models and samples for them.
enum CriticExample {
    /// The settings of a run on a model with `critic...` keys and others.
    static func settings(_ model: String, _ overrides: [String]) throws -> CriticSettings {
        let arguments = [
            "actor_rollout_ref.model.path=\(OracleFixtures.path("models/\(model)"))",
            "actor_rollout_ref.model.lora_rank=4", "critic.optim.lr=0.01",
        ]
        guard let settings = try read(arguments + overrides) else {
            preconditionFailure("gae needs a critic.")
        }
        return settings
    }

    /// What the arguments say of a critic; `settings` of a run with an estimator that needs one.
    static func read(
        _ arguments: [String], estimator: String = "gae", responseCount: Int = 2,
        notices: ((SettingsReader) -> Void)? = nil
    ) throws -> CriticSettings? {
        let reader = SettingsReader(
            try SettingsTree.load(arguments: arguments, environment: [:]))
        let roles = reader.scope("actor_rollout_ref")
        let model = try ModelSettings(roles.scope("model"))
        let actor = try ActorSettings(roles.scope("actor"), trainBatchSize: 8)
        let critic = try CriticSettings.read(
            reader, model: model, actor: actor,
            estimator: AdvantageEstimator(named: estimator), responseCount: responseCount,
            trainBatchSize: 8)
        notices?(reader)
        return critic
    }

    /// A critic of a tiny model: an adapter of rank 4 over the actor's base unless `overrides` say
    /// otherwise.
    static func critic(_ model: String, _ overrides: String..., seed: UInt64 = 1) throws
        -> TrainedCritic
    {
        try TrainedCritic(
            settings(model, overrides),
            actor: Decoder(directory: OracleFixtures.path("models/\(model)")), seed: seed)
    }

    /// Gives every parameter a number that is not 0, B of each adapter included.
    static func stir(_ critic: TrainedCritic, by size: Float = 0.05) {
        let random = CounterRandom(seed: 11)
        critic.parameters.values.withMutableFloats { values in
            for place in values.indices {
                let unit = random.uniform(stream: 0, position: UInt64(place))
                values[place] += size * (2 * unit - 1)
            }
        }
    }

    /// Twelve samples of mixed lengths, some tokens masked, with old values around the present ones
    /// so that some are clipped, and returns.
    static func samples(_ critic: TrainedCritic) throws -> [PolicySample] {
        let random = CounterRandom(seed: 3)
        func number(_ sample: Int, _ place: Int) -> Float {
            random.uniform(stream: UInt64(sample), position: UInt64(place))
        }
        var samples = (0..<12).map { sample in
            let lengths = (2 + sample % 4, 1 + (5 * sample) % 9)
            let tokens = (0..<lengths.0 + lengths.1).map { Int32(3 + 490 * number(sample, $0)) }
            return PolicySample(
                prompt: Array(tokens[..<lengths.0]), response: Array(tokens[lengths.0...]))
        }
        let present = try criticValues(of: samples, critic, .samples(64))
        for index in samples.indices {
            let length = samples[index].response.count
            samples[index].values = (0..<length).map {
                present[index][$0] + number(index, 100 + $0) - 0.5
            }
            samples[index].returns = (0..<length).map { 2 * number(index, 200 + $0) - 1 }
            if index % 3 == 0, length > 1 {
                samples[index].mask = (0..<length).map { $0 == 1 ? 0 : 1 }
            }
        }
        return samples
    }

    static func update(
        _ aggregation: LossAggregation = .tokenMean,
        _ microBatches: MicroBatchSettings = .samples(64), kept: KeptActivations = .all,
        clipRange: Double = 0.2
    ) throws -> ValueUpdateSettings {
        ValueUpdateSettings(
            loss: try ValueLossSettings(clipRange: clipRange, aggregation: aggregation),
            microBatches: microBatches, kept: kept, paddedResponseLength: 16)
    }

    /// Steps of two mini-batches, twice.
    static func step(_ critic: TrainedCritic, shuffles: Bool = false) throws -> (
        step: CriticStep, optimizer: Optimizer
    ) {
        let optimizer = Optimizer(critic.parameters, AdamWSettings(), maximumNorm: 1)
        let settings = CriticStepSettings(
            update: try update(),
            miniBatches: MiniBatches(size: 6, epochs: 2, shuffles: shuffles, seed: 5),
            valueMicroBatches: .samples(5))
        return (CriticStep(critic, optimizer, settings), optimizer)
    }
}
