import OracleFixtures
import Testing

@Suite("Where commands compute")
struct DeviceCommandTests {
    /// Lets the search for a GPU's libraries end, on machines with a GPU, too.
    private static let withoutGPU = "export LORIKEET_CUDA_LIBRARIES=/no/such/folder"
    private static let why = "LORIKEET_CUDA_LIBRARIES names the folder /no/such/folder"

    @Test("a GPU that is asked for and is not there is an error of one sentence")
    func missing() throws {
        try withTemporaryFolder { folder in
            let run = try TinyRun(folder)
            let commands = [
                run.train("trainer.device=cuda"), run.fineTune("trainer.device=cuda"),
                ["generate", "--model", tinyModel(), "--prompt", "a", "--device", "cuda"],
                [
                    "score", "--model", tinyModel(), "--input", "\(folder)/sft.jsonl", "--device",
                    "cuda",
                ],
            ]
            for command in commands {
                let result = try Program.run(command, preparation: Self.withoutGPU)
                #expect(result.status != 0 && result.status < 128, "\(command)")
                #expect(result.output == "" || command[0] == "doctor")
                #expect(result.errorLines.count == 1, "\(result.error)")
                #expect(result.error.contains("device is cuda, but no GPU can be used"))
                #expect(result.error.contains(Self.why))
            }
        }
    }

    @Test("without a GPU the CPU computes, and the start of a run says why")
    func automatic() throws {
        try withTemporaryFolder { folder in
            let run = try TinyRun(folder)
            for command in [
                run.train("trainer.device=auto", "trainer.total_training_steps=1"),
                run.fineTune("trainer.device=auto"),
            ] {
                let result = try Program.run(
                    command + ["trainer.threads=2", "trainer.resume_mode=disable"],
                    preparation: Self.withoutGPU)
                #expect(result.status == 0, "\(result.error)")
                let line = "device    cpu, 2 threads; no GPU: \(Self.why)"
                #expect(result.errorLines.contains { $0.hasPrefix(line) }, "\(result.error)")
            }
        }
    }

    @Test("the CPU that is asked for is taken without a search for a GPU")
    func host() throws {
        try withTemporaryFolder { folder in
            let result = try Program.run(
                try TinyRun(folder).fineTune("trainer.threads=1"), preparation: Self.withoutGPU)
            #expect(result.errorLines.contains("device    cpu, 1 thread"), "\(result.error)")
        }
    }
}
