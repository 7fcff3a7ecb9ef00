import Adapters
import Formats
import Models
import OracleFixtures
import Tensors
import Testing

@testable import Training

@Suite("Supervised runs", .serialized)
struct SupervisedRunTests {
    /// The losses of a run's updates.
    private func losses(_ runs: RunFolder, _ name: String) throws -> [Double] {
        try runs.stepMetrics(name).compactMap { $0["train/loss"]?.double }
    }

    @Test("an adapter learns the responses, and the run leaves its numbers and the adapter")
    func lowRank() throws {
        try withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            let outcome = try runs.fineTune(
                "a", "trainer.total_training_steps=12", "trainer.total_epochs=6",
                "data.val_files=\(folder)/sft.jsonl", "trainer.test_freq=6")
            #expect(outcome.steps == 12)
            #expect(fileExists("\(folder)/a/config.yaml"))
            let losses = try losses(runs, "a")
            #expect(losses.count == 12)
            #expect(losses[11] < losses[0] - 0.5)
            for step in try runs.stepMetrics("a") {
                let names = [
                    "train/loss", "train/grad_norm", "train/lr", "train/skipped_updates",
                    "perf/throughput", "timing_s/step", "training/epoch",
                ]
                #expect(names.allSatisfy { step[$0]?.double?.isFinite == true })
            }
            let validation = try runs.metrics("a").filter { $0["data"]?["val/loss"] != nil }
            #expect(validation.compactMap { $0["step"]?.int } == [6, 12])

            let model = try Decoder(directory: RunFolder.model)
            let adapter = try LoRAAdapter(
                directory: "\(folder)/a/global_step_12/actor/lora_adapter", for: model.config)
            #expect(adapter.parameters.values.sumOfSquares > 0)
        }
    }

    @Test("the whole model learns them faster, and is saved as a checkpoint that loads")
    func wholeModel() throws {
        try withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            try runs.fineTune(
                "a", "model.lora_rank=0", "trainer.total_training_steps=8",
                "trainer.total_epochs=6")
            let losses = try losses(runs, "a")
            #expect(losses[7] < losses[0] - 1)
            let saved = "\(folder)/a/global_step_8/actor/huggingface"
            let model = try Decoder(directory: saved)
            #expect(model.weights.embedding.tensor.dataType == .float32)
            _ = try Tokenizer(directory: saved)
        }
    }

    @Test("the same seed gives the same bits, and a resumed run those of an unbroken one")
    func resuming() throws {
        try withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            for rank in [4, 0] {
                func train(_ name: String, steps: Int) throws {
                    try runs.fineTune(
                        "\(name)\(rank)", "model.lora_rank=\(rank)", "data.train_batch_size=3",
                        "optim.lr_scheduler_type=constant", "optim.lr_warmup_steps=0",
                        "trainer.total_training_steps=\(steps)")
                }
                try train("whole", steps: 4)
                try train("again", steps: 4)
                try train("parts", steps: 2)
                try train("parts", steps: 4)
                let folderName = rank == 0 ? "huggingface" : "lora_adapter"
                let name = rank == 0 ? "model" : "adapter_model"
                let files = try ["whole", "again", "parts"].map {
                    try runs.bytes(
                        "\($0)\(rank)/global_step_4/actor/\(folderName)/\(name).safetensors")
                }
                #expect(files[0] == files[1])
                #expect(files[0] == files[2])
                #expect(
                    try runs.metrics("parts\(rank)").compactMap { $0["step"]?.int }
                        == [1, 2, 3, 4])
            }
        }
    }

    @Test("an update whose gradient is not finite is left out and counted")
    func notFinite() throws {
        try withTemporaryFolder { folder in
            let runs = try RunFolder(folder)
            // After one step of this size the model gives no more numbers.
            try runs.fineTune(
                "a", "optim.lr=1e30", "optim.lr_scheduler_type=constant",
                "optim.lr_warmup_steps=0", "trainer.save_freq=1")
            let steps = try runs.stepMetrics("a")
            #expect(steps.compactMap { $0["train/skipped_updates"]?.int } == [0, 1, 2])
            #expect(steps[1]["train/loss"]?.isNull == true)
            #expect(
                try runs.bytes(RunFolder.adapterFile("a", step: 1))
                    == runs.bytes(RunFolder.adapterFile("a", step: 3)))
        }
    }
}
