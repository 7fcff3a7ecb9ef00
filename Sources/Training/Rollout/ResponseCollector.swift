package import Formats
package import Objectives
package import Rewards
package import Rollouts

/// One sampled response with its score.
package struct ScoredResponse: Sendable {
    /// The row that the prompt is from.
    package let row: PromptRow
    /// Which prompt of the batch it answers; siblings share the number.
    package var group: Int
    package let completion: Completion
    /// The response as text, special tokens left out.
    package let text: String
    package let reward: RewardScore
}

/// Samples responses to prompts and scores each one while the others are still decoded.
package struct ResponseCollector {
    private let engine: RolloutEngine
    private let tokenizer: Tokenizer
    private let reward: any RewardFunction
    /// What long responses lose of their score; nil for nothing.
    private let overlongPenalty: OverlongPenalty?

    package init(
        engine: RolloutEngine, tokenizer: Tokenizer, reward: any RewardFunction,
        overlongPenalty: OverlongPenalty? = nil
    ) {
        self.engine = engine
        self.tokenizer = tokenizer
        self.reward = reward
        self.overlongPenalty = overlongPenalty
    }

    /// Responses in the order of `rows`, those of one row together.
    ///
    /// - Parameters:
    ///   - count: responses a row.
    ///   - firstRequestID: requests are numbered from here; a response is a function of its
    ///     number, the seed and the policy.
    ///   - progress: called after each step of the engine with how many responses have ended.
    /// - Throws: `Interrupted` when the user stops the run, and whatever engine or reward throw.
    package func collect(
        _ rows: [PromptRow], count: Int, sampling: Rollouts.SamplingSettings,
        adapter: EngineAdapter?, firstRequestID: UInt64, progress: (Int) -> Void = { _ in }
    ) async throws -> [ScoredResponse] {
        let requests = rows.indices.flatMap { row in
            (0..<count).map { sibling in
                RolloutRequest(
                    id: firstRequestID + UInt64(row * count + sibling),
                    prompt: rows[row].promptIDs, sampling: sampling,
                    adapter: adapter?.identity.name)
            }
        }
        var pending = [Scoring?](repeating: nil, count: requests.count)
        do {
            if let adapter { try engine.register(adapter) }
            for request in requests { try engine.submit(request) }
            while engine.requestCount > 0 {
                try Interruption.check()
                for completion in try engine.step() {
                    let index = Int(completion.requestID - firstRequestID)
                    pending[index] = startScoring(
                        completion, rows[index / count], group: index / count)
                }
                progress(requests.count - engine.requestCount)
            }
            engine.releaseCache()
            var responses: [ScoredResponse] = []
            for scoring in pending {
                guard let scoring else { preconditionFailure("A request has no completion.") }
                try Interruption.check()
                responses.append(try await scoring.response())
            }
            return responses
        } catch {
            engine.cancelAll()
            for scoring in pending { scoring?.task.cancel() }
            throw error
        }
    }

    private func startScoring(
        _ completion: Completion, _ row: PromptRow, group: Int
    ) -> Scoring {
        let text = tokenizer.responseText(completion.tokens)
        let request = RewardRequest(
            sampleName: row.name, dataSource: row.dataSource, response: text,
            groundTruth: row.groundTruth, groundTruthValue: row.groundTruthValue,
            extraInfo: row.extraInfo)
        let (reward, penalty, length) = (reward, overlongPenalty, completion.tokens.count)
        return Scoring(
            row: row, group: group, completion: completion, text: text,
            task: Task {
                let score = try await reward.score(request)
                return penalty.map { score.shortened(by: $0, length: length) } ?? score
            })
    }

    /// A response whose score is being computed.
    private struct Scoring {
        let row: PromptRow
        let group: Int
        let completion: Completion
        let text: String
        let task: Task<RewardScore, any Error>

        func response() async throws -> ScoredResponse {
            ScoredResponse(
                row: row, group: group, completion: completion, text: text,
                reward: try await task.value)
        }
    }
}

extension RewardScore {
    /// The score with the penalty of a response of `length` tokens, and as verl's DAPO reward
    /// reports both: `acc` is the score before it, `overlong_reward` the penalty.
    fileprivate func shortened(by penalty: OverlongPenalty, length: Int) -> RewardScore {
        let loss = penalty.penalty(length: length)
        var extras = extras
        extras["acc"] = extras["acc"] ?? score
        extras["overlong_reward"] = loss
        return RewardScore(score: score + loss, extras: extras)
    }
}
