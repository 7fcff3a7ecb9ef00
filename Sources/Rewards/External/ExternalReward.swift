package import Formats
import Foundation

/// The user's own reward in a long-lived process (`custom_reward_function.path`).
///
/// A `.py` file runs in `python3`: its function `name` is called as verl calls it, with
/// `data_source`, `solution_str`, `ground_truth`, `extra_info` and the further arguments, and returns
/// a number or a dict with a number as "score"; it may be `async`. Any other file must be executable:
/// it reads one JSON object with these four keys a line and answers `{"score": x}`, or
/// `{"error": "why"}`, a line each, in order. Numbers beside the score become `RewardScore.extras`.
///
/// One response is scored at a time, in the order of the calls. After a crash, a missed time limit or
/// an answer that is no JSON line the process is gone, and every later call is refused.
package actor ExternalReward: RewardFunction {
    private let path: String
    private let timeLimit: Duration
    private let process: ScoringProcess
    /// Why no more can be asked, once something went wrong.
    private var failure: String?
    private var isBusy = false
    private var queue: [CheckedContinuation<Void, Never>] = []

    /// Starts the process, and for Python loads the file.
    ///
    /// - Parameters:
    ///   - path: a `.py` file or an executable.
    ///   - functionName: which function of a `.py` file (`custom_reward_function.name`).
    ///   - arguments: further keyword arguments of it (`custom_reward_function.reward_kwargs`).
    ///   - timeLimit: for one answer.
    /// - Throws: `RewardError` when the file, the function or python3 is missing, or loading fails.
    package init(
        path: String, functionName: String = "compute_score", arguments: JSONObject = [:],
        timeLimit: Duration = .seconds(30)
    ) async throws {
        try await self.init(
            path: path, functionName: functionName, arguments: arguments, timeLimit: timeLimit,
            searchPath: ProcessInfo.processInfo.environment["PATH"] ?? "")
    }

    /// The same with the folders in which python3 is looked for, parted by colons.
    init(
        path: String, functionName: String, arguments: JSONObject, timeLimit: Duration,
        searchPath: String
    ) async throws {
        let command = try RewardCommand(
            path: path, functionName: functionName, arguments: arguments, searchPath: searchPath)
        self.path = path
        self.timeLimit = timeLimit
        do {
            process = try ScoringProcess(
                executable: command.executable, arguments: command.arguments)
        } catch {
            throw RewardError("The reward \(path) cannot be started: \(error.localizedDescription)")
        }
        if command.announcesItself { try await waitUntilLoaded() }
    }

    package func score(_ request: RewardRequest) async throws -> RewardScore {
        await takeTurn()
        defer { passTurn() }
        try Task.checkCancellation()
        if failure == nil, process.hasUnclaimedLine {
            stop("it wrote a line that nobody had asked for")
        }
        if let failure {
            throw RewardError(
                "\(request.sampleName): the reward \(path) cannot be asked any more: \(failure).")
        }
        process.send(Self.line(for: request))
        let answer = await process.nextLine(within: timeLimit)
        return try result(answer, sampleName: request.sampleName)
    }

    package func close() async {
        await takeTurn()
        defer { passTurn() }
        failure = failure ?? "it was closed"
        await process.close(within: .seconds(1))
    }

    // MARK: - Answers

    private func waitUntilLoaded() async throws {
        // Loading may import a large library, which one answer may not take.
        switch await process.nextLine(within: max(timeLimit, .seconds(120))) {
        case .line(let bytes):
            guard let answer = try? JSON(parsing: bytes, name: path) else {
                throw loadingError("python3 answered \(Self.excerpt(bytes))")
            }
            if let message = answer["error"]?.string { throw loadingError(message) }
        case .ended(let reason): throw loadingError("python3 \(reason)")
        case .timedOut: throw loadingError("it was not loaded within 2 minutes")
        case .cancelled: throw CancellationError()
        }
    }

    private func loadingError(_ reason: String) -> RewardError {
        process.kill()
        return RewardError("The reward \(path) cannot be loaded: \(reason).")
    }

    private func result(
        _ answer: ScoringProcess.Answer, sampleName: String
    ) throws -> RewardScore {
        switch answer {
        case .line(let bytes): return try parse(bytes, sampleName: sampleName)
        case .ended(let reason):
            stop("its process \(reason)")
            throw RewardError("\(sampleName): the reward \(path) failed: its process \(reason).")
        case .timedOut:
            stop("it gave no answer within \(timeLimit.seconds) s")
            throw RewardError(
                "\(sampleName): the reward \(path) gave no answer within \(timeLimit.seconds) s.")
        case .cancelled:
            // Its answer would be taken for that of the next sample.
            stop("a sample was given up before it was scored")
            throw CancellationError()
        }
    }

    private func parse(_ bytes: [UInt8], sampleName: String) throws -> RewardScore {
        guard let answer = try? JSON(parsing: bytes, name: path), let object = answer.object else {
            stop("it answered with something that is no JSON object")
            throw RewardError(
                "\(sampleName): the reward \(path) answered \(Self.excerpt(bytes)), "
                    + "which is no JSON object on one line.")
        }
        if let message = object["error"]?.string {
            throw RewardError("\(sampleName): the reward \(path) failed: \(message).")
        }
        guard let score = object["score"]?.numericValue, score.isFinite else {
            throw RewardError(
                "\(sampleName): the reward \(path) answered \(Self.excerpt(bytes)), "
                    + "where \"score\" must be a finite number.")
        }
        var extras: [String: Double] = [:]
        for (key, value) in object where key != "score" { extras[key] = value.numericValue }
        return RewardScore(score: score, extras: extras)
    }

    private func stop(_ reason: String) {
        failure = reason
        process.kill()
    }

    private static func line(for request: RewardRequest) -> String {
        let object: JSON = [
            "data_source": .string(request.dataSource),
            "solution_str": .string(request.response),
            "ground_truth": request.groundTruthValue,
            // As in verl, so that a function may look things up in it.
            "extra_info": request.extraInfo == .null ? [:] : request.extraInfo,
        ]
        return object.serialized(.compact)
    }

    private static func excerpt(_ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes.prefix(200), as: UTF8.self)
        return "\"\(text)\(bytes.count > 200 ? "..." : "")\""
    }

    // MARK: - One at a time

    /// Waits until every earlier call is done: an actor alone would let calls in at each `await`.
    private func takeTurn() async {
        if !isBusy {
            isBusy = true
            return
        }
        await withCheckedContinuation { queue.append($0) }
    }

    private func passTurn() {
        if queue.isEmpty {
            isBusy = false
        } else {
            queue.removeFirst().resume()
        }
    }
}

extension JSON {
    /// A number, or a truth value as 1 or 0; nil for any other kind of value.
    fileprivate var numericValue: Double? { double ?? bool.map { $0 ? 1 : 0 } }
}
