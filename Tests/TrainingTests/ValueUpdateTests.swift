import Models
import Objectives
import OracleFixtures
import Tensors
import Testing

@testable import Training

/// A critic whose every parameter has an effect, and samples for it.
private struct ValueBatch {
    let critic: TrainedCritic
    let samples: [PolicySample]

    init(_ model: String, rank: Int) throws {
        critic = try CriticExample.critic(model, "critic.model.lora_rank=\(rank)")
        CriticExample.stir(critic)
        samples = try CriticExample.samples(critic)
    }

    /// Loss, metrics and gradient of the whole batch, computed one way.
    func gradient(_ settings: ValueUpdateSettings) throws -> (ValueGradient, [[Float]]) {
        critic.parameters.clearGradients()
        let result = try accumulateValueGradient(critic, samples, settings)
        return (result, critic.parameters.gradientsByName.map(\.gradient))
    }

    /// The loss at `size` from the present parameters along `direction` in one slot.
    func loss(_ settings: ValueUpdateSettings, slot: Int, _ direction: [Float], _ size: Float)
        throws -> Double
    {
        let parameter = critic.parameters.parameter(slot)
        let before = parameter.toArray()
        parameter.copy(from: zip(before, direction).map { $0 + size * $1 })
        defer { parameter.copy(from: before) }
        return try accumulateValueGradient(critic, samples, settings).loss
    }
}

@Suite("The critic's gradient")
struct ValueUpdateTests {
    private static let ranks = OracleFixtures.models.flatMap { model in [4, 0].map { (model, $0) } }

    @Test("agrees with finite differences in adapter, body and head", arguments: ranks)
    func finiteDifferences(model: String, rank: Int) throws {
        let batch = try ValueBatch(model, rank: rank)
        // Clipping has kinks, next to which a difference says nothing; its own test is elsewhere.
        let settings = try CriticExample.update(clipRange: 100)
        let gradients = try batch.gradient(settings).1
        let slots = batch.critic.parameters.slots
        #expect(slots.suffix(2).map(\.name).allSatisfy { $0.contains("score.") })
        // One of each kind lies in the first layer; the head is last.
        let chosen = Array(slots.indices.prefix(14)) + Array(slots.indices.suffix(2))
        for slot in chosen {
            let gradient = gradients[slot]
            let norm = gradient.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
            #expect(norm > 0, "\(slots[slot].name)")
            let direction = gradient.map { $0 / Float(norm) }
            let size: Float = 0.01
            let change =
                try batch.loss(settings, slot: slot, direction, size)
                - batch.loss(settings, slot: slot, direction, -size)
            let slope = change / Double(2 * size)
            #expect(abs(slope - norm) <= 0.02 * norm + 2e-5, "\(slots[slot].name)")
        }
    }

    @Test(
        "does not depend on the cut into micro-batches, nor on recomputing the blocks",
        arguments: ranks, LossAggregation.allCases)
    func splitInvariance(_ model: (String, Int), aggregation: LossAggregation) throws {
        let batch = try ValueBatch(model.0, rank: model.1)
        let whole = try batch.gradient(CriticExample.update(aggregation))
        #expect((whole.0.metrics["critic/vf_clipfrac"] ?? 0) > 0.1)
        for cut in [MicroBatchSettings.samples(1), .samples(5), .tokens(30)] {
            for kept in KeptActivations.samples {
                let part = try batch.gradient(
                    CriticExample.update(aggregation, cut, kept: kept))
                #expect(abs(part.0.loss - whole.0.loss) <= 1e-6 * abs(whole.0.loss), "\(cut)")
                for (found, expected) in zip(part.1, whole.1) {
                    #expect(relativeDistance(found, expected) <= 1e-5, "\(cut)")
                }
                for (name, value) in whole.0.metrics {
                    #expect(abs((part.0.metrics[name] ?? .nan) - value) <= 1e-6, "\(name)")
                }
            }
        }
    }

    @Test("a value is the same in whatever micro-batch, and 0 where the mask is")
    func valuesAlone() throws {
        let batch = try ValueBatch("qwen3-tiny", rank: 4)
        let whole = try criticValues(of: batch.samples, batch.critic, .samples(64))
        for cut in [MicroBatchSettings.samples(1), .tokens(25)] {
            #expect(try criticValues(of: batch.samples, batch.critic, cut) == whole)
        }
        for (sample, values) in zip(batch.samples, whole) {
            for (place, value) in values.enumerated() {
                #expect((value == 0) == (sample.mask?[place] == 0))
            }
        }
    }

    @Test("a sample without values or returns is an error")
    func missing() throws {
        let batch = try ValueBatch("qwen2-tiny", rank: 4)
        var samples = batch.samples
        samples[2].returns = nil
        #expect(throws: ObjectiveError.self) {
            try accumulateValueGradient(batch.critic, samples, CriticExample.update())
        }
    }
}

@Suite("The critic's step")
struct CriticStepTests {
    @Test("moves adapter and head, and leaves the base as it is", arguments: OracleFixtures.models)
    func moves(model: String) throws {
        let critic = try CriticExample.critic(model)
        let samples = try CriticExample.samples(critic)
        let base = critic.decoder.weights.named.map { $0.weight.tensor.toArray() }
        let before = critic.parameters.values.toArray()
        let (step, optimizer) = try CriticExample.step(critic)
        var progress: [String] = []
        let metrics = try step.update(samples, step: 1, learningRate: 0.01) { progress.append($0) }
        #expect(progress == (1...4).map { "critic update \($0)" })
        #expect(optimizer.step == 4)
        let after = critic.parameters.values.toArray()
        for slot in critic.parameters.slots {
            #expect(before[slot.range] != after[slot.range], "\(slot.name)")
        }
        #expect(critic.decoder.weights.named.map { $0.weight.tensor.toArray() } == base)
        #expect(
            Set(metrics.keys) == [
                "critic/vf_loss", "critic/vf_clipfrac", "critic/vpred_mean", "critic/grad_norm",
                "critic/lr", "critic/skipped_updates",
            ])
        #expect(metrics["critic/lr"] == 0.01 && metrics["critic/skipped_updates"] == 0)
        #expect(metrics.values.allSatisfy(\.isFinite) && (metrics["critic/grad_norm"] ?? 0) > 0)
    }

    @Test("learns its returns", arguments: [4, 0])
    func learns(rank: Int) throws {
        let critic = try CriticExample.critic("qwen2-tiny", "critic.model.lora_rank=\(rank)")
        var samples = try CriticExample.samples(critic)
        let (step, _) = try CriticExample.step(critic)
        var losses: [Double] = []
        for number in 1...12 {
            for (index, values) in try step.values(of: samples).enumerated() {
                samples[index].values = values
            }
            let metrics = try step.update(samples, step: number, learningRate: 0.01) { _ in }
            losses.append(metrics["critic/vf_loss"] ?? .nan)
        }
        #expect(losses[11] < losses[0] / 2, "\(losses)")
    }

    @Test("shuffling depends on seed and step alone")
    func shuffling() throws {
        func parameters(_ number: Int, shuffles: Bool) throws -> [Float] {
            let critic = try CriticExample.critic("qwen2-tiny")
            let samples = try CriticExample.samples(critic)
            let step = try CriticExample.step(critic, shuffles: shuffles).step
            _ = try step.update(samples, step: number, learningRate: 0.01) { _ in }
            return critic.parameters.values.toArray()
        }
        let shuffled = try parameters(1, shuffles: true)
        #expect(try parameters(1, shuffles: true) == shuffled)
        #expect(try parameters(2, shuffles: true) != shuffled)
        #expect(try parameters(1, shuffles: false) == parameters(2, shuffles: false))
    }

    @Test("a gradient that is not finite changes nothing and is counted")
    func notFinite() throws {
        let critic = try CriticExample.critic("qwen2-tiny")
        var samples = try CriticExample.samples(critic)
        for index in samples.indices { samples[index].returns?[0] = .infinity }
        let before = critic.parameters.values.toArray()
        let metrics = try CriticExample.step(critic).step.update(
            samples, step: 1, learningRate: 0.01
        ) { _ in }
        #expect(metrics["critic/skipped_updates"] == 4)
        #expect(critic.parameters.values.toArray() == before)
    }
}
