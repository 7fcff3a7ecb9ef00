import Formats
import OracleFixtures
import Testing

/// The pool that the memory is counted in is a process's own, so each run is one.
@Suite("The memory of a critic")
struct CriticMemoryTests {
    @Test("PPO's peak is at most 1.15 times that of GRPO on the same work")
    func peak() throws {
        try withTemporaryFolder { folder in
            let tiny = try TinyRun(folder)
            func peak(_ estimator: String) throws -> Double {
                let result = try Program.run(
                    tiny.train(
                        "algorithm.adv_estimator=\(estimator)", "data.max_response_length=64",
                        "actor_rollout_ref.rollout.n=4",
                        "actor_rollout_ref.rollout.ignore_eos=true",
                        "trainer.total_training_steps=2",
                        "trainer.default_local_dir=\(folder)/\(estimator)"))
                #expect(result.status == 0, "\(result.error)")
                let rows = try JSONLinesReader(path: "\(folder)/\(estimator)/metrics.jsonl").rest()
                let peaks = rows.compactMap {
                    $0.value["data"]?["perf/max_memory_allocated_gb"]?.double
                }
                #expect(peaks.count == 2)
                return try #require(peaks.max())
            }
            let (alone, together) = try (peak("grpo"), peak("gae"))
            #expect(alone > 0)
            #expect(together <= 1.15 * alone, "\(together) against \(alone) GiB")
        }
    }
}
