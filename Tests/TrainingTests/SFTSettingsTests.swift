import Settings
import Testing

@testable import Training

struct SFTSettingsTests {
    private func load(_ arguments: String...) throws -> SFTSettings {
        try SFTSettings.load(
            arguments: ["data.train_files=train.jsonl"] + arguments, environment: [:])
    }

    private func message(_ arguments: String...) -> String {
        #expect(throws: SettingsError.self) {
            try SFTSettings.load(
                arguments: ["data.train_files=train.jsonl"] + arguments, environment: [:])
        }?.description ?? ""
    }

    @Test("both names of the model are read, and must agree")
    func model() throws {
        #expect(try load("model.partial_pretrain=/m").model.path == "/m")
        #expect(try load("model.path=/m").model.path == "/m")
        #expect(try load("model.path=/m", "model.partial_pretrain=/m").model.path == "/m")
        let text = message("model.path=/m", "model.partial_pretrain=/n")
        #expect(text.contains("'model.path'") && text.contains("'model.partial_pretrain'"))
        #expect(message().contains("'model.path'"))
    }

    @Test("verl's SFT script runs as it stands")
    func script() throws {
        let settings = try load(
            "data.val_files=test.jsonl", "data.prompt_key=question", "data.response_key=answer",
            "optim.lr=1e-4", "optim.warmup_steps_ratio=0.2", "optim.lr_scheduler=linear",
            "data.micro_batch_size_per_gpu=4", "data.train_batch_size=8", "model.path=/m",
            "model.lora_rank=32", "model.lora_alpha=16", "model.target_modules=all-linear",
            "model.strategy=fsdp", "trainer.default_local_dir=/out",
            "trainer.project_name=gsm8k-sft", "trainer.experiment_name=x",
            "trainer.logger=console", "trainer.total_epochs=1", "data.max_length=2048",
            "data.truncation=right", "trainer.save_freq=10", "trainer.test_freq=5", "trainer.seed=3"
        )
        #expect(settings.data.rows.promptKey == "question")
        #expect(settings.data.rows.maxLength == 2048)
        #expect(settings.data.rows.truncation == .right)
        #expect(settings.data.microBatch == .samples(4))
        #expect(settings.optimizer.schedule == .linear)
        #expect(settings.optimizer.warmupSteps(totalSteps: 10) == 2)
        #expect(settings.optimizer.beta2 == 0.95)
        #expect(settings.model.lora.rank == 32)
        #expect(settings.trainer.run.folder == "/out")
        #expect(settings.trainer.run.seed == 3)
    }

    @Test("the resolved configuration gives the same run again")
    func resolvedAgain() throws {
        let first = try load("model.partial_pretrain=/m", "optim.warmup_steps_ratio=0.5")
        let tree = SettingsTree(root: first.report.resolved, environment: [:])
        let second = try SFTSettings(SettingsReader(tree))
        #expect(second.report.resolved.yaml == first.report.resolved.yaml)
    }

    @Test(
        "contradictions and impossible values are refused by name",
        arguments: [
            "data.train_batch_size=10", "trainer.test_freq=5", "data.max_length=1",
            "optim.warmup_steps_ratio=2", "model.rank_pattern={q_proj: 2}", "data.max_lenght=5",
        ])
    func refused(argument: String) {
        let key = String(argument.prefix { $0 != "=" })
        #expect(message("model.path=/m", "data.micro_batch_size_per_gpu=4", argument).contains(key))
    }
}
