import Adapters
import Formats
import Foundation
import Models
import OracleFixtures
import Testing

@Suite("lorikeet train and sft", .timeLimit(.minutes(15)))
struct TrainCommandTests {
    @Test("an RL run says on standard error what it does, and where the adapter is")
    func train() throws {
        try withTemporaryFolder { folder in
            let run = try TinyRun(folder)
            let result = try Program.run(
                run.train("trainer.total_training_steps=2"), preparation: "cd '\(folder)'")
            #expect(result.status == 0, "\(result.error)")
            #expect(result.output == "")
            let adapter = run.adapterFolder(step: 2)
            #expect(result.error.contains("step 2/2"))
            #expect(result.error.contains("saved in   \(adapter)"))
            _ = try LoRAAdapter(
                directory: adapter, for: Decoder(directory: tinyModel()).config)
            // The last line is a command that works.
            let start = "try it     "
            let line = try #require(result.errorLines.last)
            #expect(line.hasPrefix("\(start)\(Program.path) generate --model \(tinyModel())"))
            #expect(line.hasSuffix("--prompt '0 and 1?'"))
            let answer = try Program.run(
                [], preparation: line.dropFirst(start.count) + " --max-new-tokens 3; exit $?")
            #expect(answer.status == 0, "\(answer.error)")
            #expect(answer.output.hasSuffix("\n"))
        }
    }

    @Test("a supervised run with LoRA and without")
    func fineTune() throws {
        try withTemporaryFolder { folder in
            let run = try TinyRun(folder)
            for rank in [4, 0] {
                let result = try Program.run(
                    run.fineTune(
                        "model.lora_rank=\(rank)", "trainer.default_local_dir=\(folder)/\(rank)"))
                #expect(result.status == 0, "\(result.error)")
                #expect(result.output == "")
                #expect(result.error.contains("finished update 2"))
            }
            _ = try Decoder(directory: "\(folder)/0/global_step_2/actor/huggingface")
        }
    }

    @Test(
        "Ctrl-C ends the run after the present micro-batch with the adapter saved",
        arguments: [
            SIGINT, SIGTERM,
        ])
    func interruption(signal: Int32) throws {
        try withTemporaryFolder { folder in
            let run = try TinyRun(folder)
            let running = try Program.start(
                run.train("trainer.total_training_steps=100000", "trainer.total_epochs=100000"),
                folder: folder)
            try waitForUpdates(2, running, folder)
            kill(running.process.processIdentifier, signal)
            let result = try running.result()
            #expect(result.status == 128 + signal, "\(result.error)")
            #expect(result.error.contains("stopped after step "))
            let step = try run.newestStep()
            #expect(step >= 2)
            _ = try LoRAAdapter(
                directory: run.adapterFolder(step: step),
                for: Decoder(directory: tinyModel()).config)
            // The run goes on from there.
            let more = try Program.run(run.train("trainer.total_training_steps=\(step + 1)"))
            #expect(more.status == 0, "\(more.error)")
            #expect(more.error.contains("resuming  after step \(step)"))
        }
    }

    @Test("a full disk during a save ends the run, and the previous adapter survives")
    func fullDisk() throws {
        try withTemporaryFolder { folder in
            let run = try TinyRun(folder)
            let first = try Program.run(run.train("trainer.total_training_steps=1"))
            #expect(first.status == 0, "\(first.error)")
            let file = "\(run.adapterFolder(step: 1))/adapter_model.safetensors"
            let before = try [UInt8](contentsOfFile: file)
            // No file may grow beyond 16 KiB, which the adapter does and the logs do not.
            #expect(before.count > 32 << 10)
            let second = try Program.run(
                run.train("trainer.total_training_steps=2"),
                preparation: "trap '' XFSZ; ulimit -f 32")
            #expect(second.status != 0)
            let lines = second.errorLines.filter { $0.hasPrefix("Error: ") }
            #expect(lines.count == 1 && second.errorLines.last == lines.last, "\(second.error)")
            #expect(lines.first?.contains("cannot write") == true, "\(second.error)")
            #expect(try [UInt8](contentsOfFile: file) == before)
            let left = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/run")
            #expect(left.filter { $0.hasPrefix("global_step_") } == ["global_step_1"])
            let third = try Program.run(run.train("trainer.total_training_steps=2"))
            #expect(third.status == 0, "\(third.error)")
        }
    }

    @Test("Ctrl-C ends a supervised run, too")
    func supervisedInterruption() throws {
        try withTemporaryFolder { folder in
            let run = try TinyRun(folder)
            let running = try Program.start(
                run.fineTune("trainer.total_training_steps=40000", "trainer.total_epochs=100000"),
                folder: folder)
            try waitForUpdates(2, running, folder)
            kill(running.process.processIdentifier, SIGINT)
            let result = try running.result()
            #expect(result.status == 128 + SIGINT, "\(result.error)")
            #expect(result.error.contains("stopped after update "))
            let step = try run.newestStep()
            _ = try LoRAAdapter(
                directory: run.adapterFolder(step: step),
                for: Decoder(directory: tinyModel()).config)
        }
    }

    /// Waits until the run has made so many updates; one that makes none in two minutes is killed.
    private func waitForUpdates(
        _ count: Int, _ running: Program.Running, _ folder: String
    ) throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while try !hasUpdates(folder, count), running.process.isRunning {
            guard ContinuousClock.now < deadline else {
                kill(running.process.processIdentifier, SIGKILL)
                return
            }
            Thread.sleep(forTimeInterval: 0.02)
        }
    }

    private func hasUpdates(_ folder: String, _ count: Int) throws -> Bool {
        let path = "\(folder)/run/metrics.jsonl"
        guard fileExists(path) else { return false }
        return try [UInt8](contentsOfFile: path).count { $0 == UInt8(ascii: "\n") } >= count
    }

    @Test("a run that was killed goes on from its newest checkpoint to the same adapter")
    func killed() throws {
        try withTemporaryFolder { folder in
            let run = try TinyRun(folder)
            let save = "trainer.save_freq=2"
            let running = try Program.start(
                run.train(save, "trainer.total_training_steps=4000", "trainer.total_epochs=4000"),
                folder: folder)
            try waitForUpdates(5, running, folder)
            kill(running.process.processIdentifier, SIGKILL)
            #expect(try running.result().status == 128 + SIGKILL)
            let last = try run.newestStep() + 3
            let more = [save, "trainer.total_epochs=4000", "trainer.total_training_steps=\(last)"]
            let resumed = try Program.run(run.train(more[0], more[1], more[2]))
            #expect(resumed.status == 0, "\(resumed.error)")
            let other = "trainer.default_local_dir=\(folder)/other"
            let whole = try Program.run(run.train(more[0], more[1], more[2], other))
            #expect(whole.status == 0, "\(whole.error)")
            let name = "global_step_\(last)/actor/lora_adapter/adapter_model.safetensors"
            #expect(
                try [UInt8](contentsOfFile: "\(folder)/run/\(name)")
                    == [UInt8](contentsOfFile: "\(folder)/other/\(name)"))
            let reader = try JSONLinesReader(path: "\(folder)/run/metrics.jsonl")
            #expect(try reader.rest().compactMap { $0.value["step"]?.int } == Array(1...last))
        }
    }
}
