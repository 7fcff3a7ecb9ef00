import OracleFixtures
import Settings
import Testing

@testable import Training

/// Every key of verl is known: it works, is noted as without effect, or is refused by name.
struct VerlKeysTests {
    /// What the files leave open: the way to count micro-batches, the data, and the model.
    private static let open = [
        "actor_rollout_ref.actor.use_dynamic_bsz=true", "data.train_files=train.jsonl",
        "trainer.project_name=p",
    ]

    @Test("every key of verl's RL trainer is known, with verl's default", arguments: ["01", "08"])
    func reinforcement(month: String) throws {
        let file = OracleFixtures.path("verl/ppo-2026-\(month).yaml")
        let settings = try TrainSettings.load(
            arguments: [file] + Self.open, environment: ["HOME": "/home/ada"])
        #expect(settings.trainer.run.folder == "checkpoints/p/gsm8k")
        #expect(settings.data.trainBatchSize == 1024)
        #expect(settings.actor.miniBatchSize == 256)
        #expect(settings.algorithm.oldPolicy.source == .recomputed)
        #expect(settings.model.path == "/home/ada/models/deepseek-llm-7b-chat")
        // Hundreds of keys without effect, and still a page to read.
        #expect(settings.report.notices.count < 60)
        #expect(settings.report.notices.allSatisfy { $0.utf8.count < 700 })
    }

    @Test(
        "every key of verl's SFT trainers is known, with verl's default",
        arguments: ["sft-2026-01", "sft-engine-2026-01", "sft-engine-2026-08"])
    func supervised(name: String) throws {
        let settings = try SFTSettings.load(
            arguments: [OracleFixtures.path("verl/\(name).yaml")]
                // The earlier trainer has the schedule twice, under both names.
                + (name == "sft-2026-01" ? ["optim.lr_scheduler_type=cosine"] : []),
            environment: ["HOME": "/home/ada"])
        #expect(settings.trainer.run.folder == "checkpoints/gsm8k-sft/test")
        #expect(settings.data.trainBatchSize == 256)
        #expect(settings.report.notices.count < 40)
    }
}
