import Testing

@Suite("Looking at a configuration, by command")
struct ConfigCommandTests {
    @Test("config prints YAML on standard output, and what is missing beside it")
    func print() throws {
        let result = try Program.run(["config", "data.seed=7", "trainer.nnodes=2"])
        #expect(result.status == 0)
        #expect(result.output.contains("  seed: 7  # command line\n"))
        #expect(result.errorLines.contains { $0.contains("actor_rollout_ref.model.path") })
        #expect(result.errorLines.contains { $0.contains("trainer.nnodes") })
    }

    @Test("--explain needs no configuration, and an unknown key is an error")
    func explain() throws {
        let result = try Program.run(["config", "--sft", "--explain", "data.max_length"])
        #expect(result.status == 0 && result.output.contains("default  1024"))
        let unknown = try Program.run(["config", "--explain", "data.max_lenght"])
        #expect(unknown.status != 0 && unknown.errorLines.count == 1)
        #expect(unknown.error.contains("no key 'data.max_lenght'"))
    }

    @Test("Hydra's options are answered in one sentence")
    func hydra() throws {
        let result = try Program.run(["train", "--config-name=ppo_trainer.yaml", "data.seed=1"])
        #expect(result.status != 0 && result.errorLines.count == 1)
        #expect(result.error.contains("Hydra"))
    }
}
