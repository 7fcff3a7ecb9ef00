import Formats
import Foundation
import Testing

@testable import Rewards

/// Whether this machine has the interpreter that Python rewards need.
private let hasPython = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    .contains { FileManager.default.isExecutableFile(atPath: "\($0)/python3") }

/// A user's Python function.
@Suite(.enabled(if: hasPython, "python3 is not in the PATH"), .timeLimit(.minutes(2)))
struct PythonRewardTests {
    @Test("the function gets what verl gives it, and may return a number or a dict")
    func callsTheFunction() async throws {
        let scores = try await scores(
            """
            def compute_score(data_source, solution_str, ground_truth, extra_info, bonus=0):
                print("what the user prints goes to standard error")
                if data_source == "dict":
                    acc = solution_str == ground_truth
                    return {"score": extra_info["worth"] + bonus, "acc": acc, "pred": "words"}
                return solution_str == ground_truth
            """,
            [
                request("dict", "é\n\"✓", "é\n\"✓", ["worth": 0.5]),
                request("plain", "1", "1"), request("plain", "1", "2"),
            ],
            arguments: ["bonus": 2])
        #expect(
            scores == [
                RewardScore(score: 2.5, extras: ["acc": 1]), RewardScore(score: 1),
                RewardScore(score: 0),
            ])
    }

    @Test("an async function is awaited")
    func awaitsAsyncFunctions() async throws {
        let scores = try await scores(
            """
            import asyncio
            async def judge(data_source, solution_str, ground_truth, extra_info=None):
                await asyncio.sleep(0.001)
                return len(solution_str)
            """,
            [request("", "four"), request("", "")], functionName: "judge")
        #expect(scores.map(\.score) == [4, 0])
    }

    @Test("a right answer that is a list, and extra_info that is missing, come as verl gives them")
    func keepsTheKindOfTheAnswer() async throws {
        try await withReward(
            """
            def compute_score(data_source, solution_str, ground_truth, extra_info):
                return solution_str in ground_truth["target"] and extra_info.get("index") is None
            """
        ) { reward in
            let sample = RewardRequest(
                sampleName: "a", dataSource: "", response: "Paris",
                groundTruth: #"{"target": ["Paris", "paris"]}"#,
                groundTruthValue: ["target": ["Paris", "paris"]])
            let score = try await reward.score(sample)
            #expect(score.score == 1)
        }
    }

    @Test("many tasks may ask at once, and each gets its own answer")
    func answersGoToTheirTasks() async throws {
        try await withReward(
            """
            import os
            def compute_score(data_source, solution_str, ground_truth, extra_info):
                if solution_str == "7":
                    os.write(1, b"what is written to descriptor 1 goes to standard error\\n")
                return int(solution_str)
            """
        ) { reward in
            try await withThrowingTaskGroup(of: (Int, Double).self) { group in
                for number in 0..<64 {
                    group.addTask {
                        (number, try await reward.score(request("", "\(number)")).score)
                    }
                }
                for try await (number, score) in group { #expect(Double(number) == score) }
            }
        }
    }

    @Test("an exception names the sample, and says what Python says; the next sample goes on")
    func exceptionsAreErrors() async throws {
        try await withReward(
            """
            def compute_score(data_source, solution_str, ground_truth, extra_info):
                return 1 / float(solution_str)
            """
        ) { reward in
            let error = await #expect(throws: RewardError.self) {
                try await reward.score(request("", "0"))
            }
            let message = try #require(error?.message)
            #expect(message.hasPrefix("train.jsonl line 7: "))
            #expect(message.contains("ZeroDivisionError: float division by zero (line 2 of "))
            #expect(try await reward.score(request("", "2")).score == 0.5)
        }
    }

    @Test(
        "an answer that is no finite number is an error",
        arguments: ["None", "'1'", "[1]", "{'acc': 1}", "float('nan')", "exit(3)"])
    func answersMustBeNumbers(value: String) async throws {
        try await withReward("def compute_score(**sample): return \(value)") { reward in
            let error = await #expect(throws: RewardError.self) {
                try await reward.score(request("", ""))
            }
            #expect(error?.message.hasPrefix("train.jsonl line 7: ") == true)
        }
    }

    @Test("a file that cannot be loaded is refused at the start")
    func loadingErrors() async throws {
        let cases = [
            ("def other(): pass\ndef third(): pass", "no function \"compute_score\""),
            ("def other(): pass", "there is other"),
            ("import a_module_that_is_not_there", "ModuleNotFoundError"),
            ("def compute_score(:", "SyntaxError"),
        ]
        for (source, words) in cases {
            let error = await #expect(throws: RewardError.self) {
                try await withReward(source) { _ in }
            }
            #expect(error?.message.contains(words) == true, Comment(rawValue: error?.message ?? ""))
        }
    }

    @Test("a crash is an error that names the sample and shows the last words")
    func crashes() async throws {
        try await withReward(
            """
            import os, sys
            def compute_score(**sample):
                sys.stderr.write("the disk is on fire\\n")
                sys.stderr.flush()
                os._exit(7)
            """
        ) { reward in
            let error = await #expect(throws: RewardError.self) {
                try await reward.score(request("", ""))
            }
            let message = try #require(error?.message)
            #expect(message.hasPrefix("train.jsonl line 7: "))
            #expect(message.contains("ended with status 7, and wrote: the disk is on fire"))
            let later = await #expect(throws: RewardError.self) {
                try await reward.score(request("", ""))
            }
            #expect(later?.message.contains("cannot be asked any more") == true)
        }
    }

    @Test("silence is an error within the time limit, and ends what the function has started")
    func silence() async throws {
        let marker = FileManager.default.temporaryDirectory.appending(path: "\(UUID())")
        defer { try? FileManager.default.removeItem(at: marker) }
        try await withReward(
            """
            import subprocess
            loop = "for i in $(seq 300); do echo >> \(marker.path); sleep 0.1; done"
            def compute_score(**sample):
                subprocess.run(["/bin/sh", "-c", loop])
            """, timeLimit: .milliseconds(500)
        ) { reward in
            let error = await #expect(throws: RewardError.self) {
                try await reward.score(request("", ""))
            }
            #expect(error?.message.contains("gave no answer within 0.5 s") == true)
        }
        // Whatever was written until now, however late that is on a busy machine: no more comes.
        func size() -> Int { FileManager.default.contents(atPath: marker.path)?.count ?? 0 }
        let before = size()
        try await Task.sleep(for: .seconds(1.5))
        #expect(size() == before)
    }

    @Test("a cancelled task does not wait for its answer")
    func cancellation() async throws {
        try await withReward(
            """
            import time
            def compute_score(**sample): time.sleep(100)
            """
        ) { reward in
            let task = Task { try await reward.score(request("", "")) }
            try await Task.sleep(for: .milliseconds(100))
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    private func scores(
        _ source: String, _ requests: [RewardRequest], functionName: String = "compute_score",
        arguments: JSONObject = [:]
    ) async throws -> [RewardScore] {
        var scores: [RewardScore] = []
        try await withReward(source, functionName: functionName, arguments: arguments) { reward in
            for request in requests { scores.append(try await reward.score(request)) }
        }
        return scores
    }
}

/// Any other program that answers JSON lines.
@Suite(.timeLimit(.minutes(2)))
struct ExecutableRewardTests {
    @Test("a program is asked a line and answers a line")
    func asksTheProgram() async throws {
        try await withReward(
            """
            while read -r line; do
                case "$line" in
                    *'"solution_str":"good"'*'"extra_info":{}'*) echo '{"score": 1, "acc": true}' ;;
                    *) echo '{"score": -0.5}' ;;
                esac
            done
            """, suffix: ""
        ) { reward in
            let good = try await reward.score(request("", "good"))
            #expect(good == RewardScore(score: 1, extras: ["acc": 1]))
            #expect(try await reward.score(request("", "bad\n")).score == -0.5)
        }
    }

    @Test(
        "what is no answer is an error that names the sample",
        arguments: [
            ("read line; echo nonsense", "answered \"nonsense\""),
            ("read line; echo 5", "no JSON object"),
            ("read line; echo '{\"reward\": 1}'", "must be a finite number"),
            ("read line; echo '{\"error\": \"I am lost\"}'", "failed: I am lost"),
            ("read line; kill -9 $$", "was ended by signal 9"),
            ("read line; echo gone >&2; exit 4", "ended with status 4, and wrote: gone"),
            ("exit 0", "ended with status 0"),
        ])
    func badAnswers(script: String, words: String) async throws {
        try await withReward(script, suffix: "") { reward in
            let error = await #expect(throws: RewardError.self) {
                try await reward.score(request("", ""))
            }
            let message = try #require(error?.message)
            #expect(message.hasPrefix("train.jsonl line 7: "))
            #expect(message.contains(words), Comment(rawValue: message))
        }
    }

    @Test(
        "a program that does not read, or has closed its output, is given up in time",
        arguments: ["sleep 100", "exec >&-; sleep 100", "exec <&-; sleep 100"])
    func silence(script: String) async throws {
        try await withReward(script, suffix: "", timeLimit: .milliseconds(500)) { reward in
            // Larger than a pipe holds, so that writing meets a reader that does not read.
            let response = String(repeating: "x", count: 200_000)
            let error = await #expect(throws: RewardError.self) {
                try await reward.score(request("", response))
            }
            #expect(error?.message.contains("gave no answer within 0.5 s") == true)
        }
    }

    @Test("a program that has ended before it is asked cannot end us with it")
    func brokenPipe() async throws {
        try await withReward("exit 0", suffix: "") { reward in
            try await Task.sleep(for: .milliseconds(200))
            for _ in 0..<2 {
                await #expect(throws: RewardError.self) {
                    try await reward.score(request("", ""))
                }
            }
        }
    }

    @Test("a line that nobody asked for is met before it is taken for an answer")
    func unaskedLines() async throws {
        try await withReward(
            "while read -r line; do echo '{\"score\": 1}'; echo '{\"score\": 2}'; done", suffix: ""
        ) { reward in
            #expect(try await reward.score(request("", "")).score == 1)
            try await Task.sleep(for: .milliseconds(200))
            let error = await #expect(throws: RewardError.self) {
                try await reward.score(request("", ""))
            }
            #expect(error?.message.contains("a line that nobody had asked for") == true)
        }
    }

    @Test("what cannot be run is refused at the start")
    func refusals() async throws {
        let folder = FileManager.default.temporaryDirectory
        let plain = folder.appending(path: "\(UUID()).txt")
        try Data("text".utf8).write(to: plain)
        let python = folder.appending(path: "\(UUID()).py")
        try Data("def compute_score(): pass".utf8).write(to: python)
        defer { for file in [plain, python] { try? FileManager.default.removeItem(at: file) } }
        let cases = [
            ("/no/such/file.py", "is not there"), (folder.path, "a folder"),
            (plain.path, "neither a .py file nor executable"),
        ]
        for (path, words) in cases {
            let error = await #expect(throws: RewardError.self) {
                try await ExternalReward(path: path)
            }
            #expect(error?.message.contains(words) == true, Comment(rawValue: error?.message ?? ""))
        }
        let error = await #expect(throws: RewardError.self) {
            try await ExternalReward(
                path: python.path, functionName: "compute_score", arguments: [:],
                timeLimit: .seconds(1), searchPath: "/no/such/folder")
        }
        #expect(error?.message.contains("needs python3") == true)
    }
}

/// A request of one sample.
private func request(
    _ dataSource: String, _ response: String, _ groundTruth: String = "", _ extraInfo: JSON = .null
) -> RewardRequest {
    RewardRequest(
        sampleName: "train.jsonl line 7", dataSource: dataSource, response: response,
        groundTruth: groundTruth, extraInfo: extraInfo)
}

/// Writes an executable file from a process of its own: were it written here, a process that another
/// test starts at that moment would hold it open for writing, and it could not be run.
private func writeExecutable(_ text: String, to file: URL) throws {
    let shell = Process()
    shell.executableURL = URL(filePath: "/bin/sh")
    shell.arguments = [
        "-c", #"printf %s "$1" > "$2" && chmod 755 "$2""#, "sh", text, file.path,
    ]
    try shell.run()
    shell.waitUntilExit()
    try #require(shell.terminationStatus == 0)
}

/// Runs a body with a reward from a source text: Python, or without suffix a shell script.
private func withReward(
    _ source: String, suffix: String = ".py", functionName: String = "compute_score",
    arguments: JSONObject = [:], timeLimit: Duration = .seconds(30),
    _ body: (ExternalReward) async throws -> Void
) async throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID())\(suffix)")
    let text = suffix.isEmpty ? "#!/bin/sh\n" + source : source
    try writeExecutable(text, to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let reward = try await ExternalReward(
        path: file.path, functionName: functionName, arguments: arguments, timeLimit: timeLimit)
    do {
        try await body(reward)
    } catch {
        await reward.close()
        throw error
    }
    await reward.close()
}
