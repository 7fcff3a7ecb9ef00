import Formats
import Foundation
import OracleFixtures
import Rewards
import Testing

@testable import Training

/// Whether this machine has the interpreter that Python rewards need.
private let hasPython = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    .contains { FileManager.default.isExecutableFile(atPath: "\($0)/python3") }

@Suite("Runs with a reward of the user's", .serialized, .timeLimit(.minutes(15)))
struct CustomRewardRunTests {
    private func train(_ folder: String, _ name: String, _ reward: String) async throws -> RunFolder
    {
        let runs = try RunFolder(folder)
        let settings = try TrainSettings.load(
            arguments: runs.reinforcementArguments(name, []).filter {
                !$0.hasPrefix("reward.function")
            } + ["custom_reward_function.path=\(reward)"], environment: [:])
        _ = try await ReinforcementRun(settings).run()
        return runs
    }

    @Test(
        "a Python function scores the responses",
        .enabled(if: hasPython, "python3 is not in the PATH"))
    func python() async throws {
        try await withTemporaryFolder { folder in
            try AtomicFile.write(
                """
                def compute_score(data_source, solution_str, ground_truth, extra_info=None):
                    return {"score": len(solution_str.encode()) % 5, "acc": 1.0}
                """, to: "\(folder)/reward.py")
            let runs = try await train(folder, "a", "\(folder)/reward.py")
            let steps = try runs.stepMetrics("a")
            #expect(steps.count == 3)
            #expect(steps.contains { ($0["critic/score/max"]?.double ?? 0) > 0 })
            #expect(steps.contains { $0["actor/pg_loss"]?.double != 0 })
        }
    }

    @Test(
        "a Python function that raises ends the run with the sample's name",
        .enabled(if: hasPython, "python3 is not in the PATH"))
    func raising() async throws {
        try await withTemporaryFolder { folder in
            try AtomicFile.write(
                """
                def compute_score(data_source, solution_str, ground_truth, extra_info=None):
                    if ground_truth == "3":
                        raise ValueError("I do not like threes")
                    return 0.0
                """, to: "\(folder)/reward.py")
            let error = await #expect(throws: RewardError.self) {
                _ = try await train(folder, "a", "\(folder)/reward.py")
            }
            let message = error?.description ?? ""
            #expect(message.contains("train.jsonl line 4"), "\(message)")
            #expect(message.contains("I do not like threes"), "\(message)")
        }
    }

    @Test("an executable that answers JSON lines scores the responses")
    func executable() async throws {
        try await withTemporaryFolder { folder in
            let path = "\(folder)/reward.sh"
            // Written by a process of its own: were it written here, a process that another test
            // starts at that moment would hold it open for writing, and it could not be run.
            let shell = Process()
            shell.executableURL = URL(filePath: "/bin/sh")
            let script =
                "#!/bin/sh\nn=0\nwhile read -r line; do n=$((n + 1)); "
                + "echo \"{\\\"score\\\": $((n % 3))}\"; done\n"
            shell.arguments = [
                "-c", #"printf %s "$1" > "$2" && chmod 755 "$2""#, "sh", script, path,
            ]
            try shell.run()
            shell.waitUntilExit()
            let runs = try await train(folder, "a", path)
            #expect(try runs.stepMetrics("a").allSatisfy { $0["critic/score/max"]?.double == 2 })
        }
    }
}
