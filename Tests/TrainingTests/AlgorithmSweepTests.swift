import Formats
import Foundation
import Objectives
import OracleFixtures
import Testing

@testable import Training

/// Three steps of the shipped example under every name of an algorithm.
@Suite("Every algorithm trains", .serialized)
struct AlgorithmSweepTests {
    /// One name of each kind; together the combinations hold every name at least once.
    struct Combination: CustomTestStringConvertible, Sendable {
        let place: Int
        let estimator: AdvantageEstimator
        let loss: String
        let aggregation: LossAggregation
        let divergence: String

        var testDescription: String {
            "\(estimator.name), \(loss), \(aggregation.rawValue), \(divergence)"
        }

        static let losses = PolicyLossMode.all.map(\.name) + ["bypass_mode"]

        static let all: [Combination] = {
            let (estimators, aggregations) = (AdvantageEstimator.all, LossAggregation.allCases)
            let names = KLEstimator.names
            let count = max(estimators.count, losses.count, aggregations.count, names.count)
            return (0..<count).map { place in
                Combination(
                    place: place, estimator: estimators[place % estimators.count],
                    loss: losses[place % losses.count],
                    aggregation: aggregations[place % aggregations.count],
                    divergence: names[place % names.count])
            }
        }()

        /// The names, and what they need; what has no list of names goes round beside them.
        var arguments: [String] {
            let actor = "actor_rollout_ref.actor", algorithm = "algorithm"
            var arguments = [
                "\(algorithm).adv_estimator=\(estimator.name)",
                "\(actor).policy_loss.loss_mode=\(loss)",
                "\(actor).loss_agg_mode=\(aggregation.rawValue)",
                "\(actor).use_kl_loss=true", "\(actor).kl_loss_type=\(divergence)",
                "\(algorithm).use_kl_in_reward=\(place % 2 == 0)",
                "\(algorithm).kl_penalty=\(divergence)",
                "\(algorithm).kl_ctrl.type=\(KLController.names[place / 2 % 2])",
                "actor_rollout_ref.ref.adapter=\(["base", "initial", "ema"][place % 3])",
            ]
            if estimator.needs.contains(.rewardComponents) {
                arguments.append("\(algorithm).gdpo_reward_keys=[score]")
            }
            if place % 4 == 1 {
                let method = PFPPOSettings.Method.allCases[place / 4 % 3].rawValue
                arguments += [
                    "\(algorithm).use_pf_ppo=true", "\(algorithm).pf_ppo.reweight_method=\(method)",
                ]
            }
            let correction = "\(algorithm).rollout_correction"
            let weighting = RolloutCorrectionSettings.Weighting.allCases[place / 3 % 2]
            if loss == "bypass_mode" {
                arguments += [
                    "\(correction).bypass_mode=true", "\(correction).loss_type=reinforce",
                ]
            }
            if loss == "bypass_mode" || place % 3 == 0 {
                arguments += [
                    "\(correction).rollout_is=\(weighting.rawValue)",
                    "\(correction).rollout_rs=token_k1", "\(correction).rollout_rs_threshold=3",
                ]
            }
            return arguments
        }
    }

    private static let examples = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "examples").path

    /// Six prompts, short responses, a penalty by length so that scores of a group differ; each
    /// prompt is learned from twice, so that ratios are not 1.
    private static func arguments(_ folder: String) throws -> [String] {
        let rows = try String(contentsOfFile: "\(examples)/arithmetic/train.jsonl", encoding: .utf8)
            .split(separator: "\n").prefix(6).joined(separator: "\n")
        try AtomicFile.write(rows + "\n", to: "\(folder)/train.jsonl")
        let actor = "actor_rollout_ref.actor"
        return [
            "\(examples)/arithmetic.yaml",
            "actor_rollout_ref.model.path=\(examples)/arithmetic/student",
            "actor_rollout_ref.model.lora_rank=2", "data.train_files=\(folder)/train.jsonl",
            "data.val_files=[]", "data.train_batch_size=2", "data.max_response_length=28",
            "actor_rollout_ref.rollout.n=4", "actor_rollout_ref.rollout.temperature=1.3",
            "\(actor).ppo_epochs=2", "\(actor).clip_ratio_c=20",
            "\(actor).optim.lr=1e-3", "\(actor).optim.weight_decay=0",
            "reward_model.overlong_buffer.enable=true", "reward_model.overlong_buffer.len=28",
            "critic.optim.lr=1e-3", "critic.optim.weight_decay=0",
            "trainer.total_training_steps=3", "trainer.save_freq=2", "trainer.test_freq=-1",
            "trainer.default_local_dir=\(folder)/run",
        ]
    }

    @Test("three steps move the adapters and nothing else", arguments: Combination.all)
    func trains(_ combination: Combination) async throws {
        try await withTemporaryFolder { folder in
            let base = "\(Self.examples)/arithmetic/student/model.safetensors"
            let before = try [UInt8](contentsOfFile: base)
            let settings = try TrainSettings.load(
                arguments: try Self.arguments(folder) + combination.arguments, environment: [:])
            let outcome = try await ReinforcementRun(settings).run()
            #expect(outcome.steps == 3)
            try expectFiniteMetrics("\(folder)/run")

            // The base is mapped for reading: a write to it in memory would end the program.
            let after = try [UInt8](contentsOfFile: base)
            #expect(after == before)
            try expectMoved("\(folder)/run", "actor", others: [])
            if combination.estimator.needs.contains(.values) {
                try expectMoved("\(folder)/run", "critic", others: ["score"])
            } else {
                #expect(!fileExists("\(folder)/run/global_step_3/critic"))
            }
        }
    }

    /// Every tensor of an adapter moves: B from 0, A once B has left it, and those of `others`.
    private func expectMoved(_ run: String, _ role: String, others: [String]) throws {
        let first = try weights(run, role, step: 2), last = try weights(run, role, step: 3)
        #expect(last.keys.sorted() == first.keys.sorted())
        for kind in ["lora_A", "lora_B"] + others {
            #expect(last.keys.contains { $0.contains(kind) }, "\(role) \(kind)")
        }
        for (name, values) in last {
            let kinds = ["lora_A", "lora_B"] + others
            #expect(kinds.contains { name.contains($0) }, "\(role) \(name)")
            #expect(values.allSatisfy { $0.isFinite }, "\(role) \(name)")
            let hasMoved =
                name.contains("lora_B") ? values.contains { $0 != 0 } : values != first[name]
            #expect(hasMoved, "\(role) \(name)")
        }
    }

    /// Every number that a step measured; scores must have differed, and the policy loss not been 0.
    private func expectFiniteMetrics(_ run: String) throws {
        let rows = try JSONLinesReader(path: "\(run)/metrics.jsonl").rest()
        let steps = rows.compactMap { $0.value["data"]?.object }
        #expect(steps.count == 3)
        for (index, step) in steps.enumerated() {
            let broken = step.filter { $0.value.double?.isFinite != true }.map(\.key)
            #expect(broken == [], "step \(index + 1)")
        }
        let teaches = try steps.contains { step in
            let lowest = try #require(step["critic/score/min"]?.double)
            let highest = try #require(step["critic/score/max"]?.double)
            let loss = try #require(step["actor/pg_loss"]?.double)
            return lowest < highest && loss != 0
        }
        #expect(teaches)
    }

    /// The adapter's tensors in the checkpoint of a step, which holds no other weights.
    private func weights(_ run: String, _ role: String, step: Int) throws -> [String: [Float]] {
        let folder = "\(run)/global_step_\(step)/\(role)"
        #expect(!fileExists("\(folder)/huggingface/model.safetensors"))
        let file = try SafetensorsFile(path: "\(folder)/lora_adapter/adapter_model.safetensors")
        return try Dictionary(uniqueKeysWithValues: file.names.map { ($0, try file.floats($0)) })
    }

    @Test("the combinations hold every name")
    func coverage() {
        let all = Combination.all
        #expect(Set(all.map(\.estimator.name)) == Set(AdvantageEstimator.all.map(\.name)))
        #expect(Set(all.map(\.loss)) == Set(Combination.losses))
        #expect(Set(all.map(\.aggregation)) == Set(LossAggregation.allCases))
        #expect(Set(all.map(\.divergence)) == Set(KLEstimator.names))
    }
}
