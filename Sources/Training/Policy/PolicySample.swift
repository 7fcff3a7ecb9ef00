/// One prompt with one sampled response, and what is known of each of its tokens.
///
/// Example: the prompt `[5, 9]` answered by `[7, 2]` has two response tokens, so every per-token
/// list below has two numbers.
package struct PolicySample: Sendable {
    /// Token ids of the prompt, at least one.
    package let prompt: [Int32]
    /// Token ids of the response, the end-of-sequence id included where it was sampled.
    package let response: [Int32]
    /// Log-probability of each response token under the distribution that it was sampled from.
    package var rolloutLogProbabilities: [Float]
    /// Log-probability of each response token under the policy before this step's first update;
    /// `nil` where the current policy's own stand in for them.
    package var oldLogProbabilities: [Float]?
    /// Log-probability of each response token under the reference.
    package var referenceLogProbabilities: [Float]?
    /// Advantage of each response token.
    package var advantages: [Float]
    /// 1 for each response token that is learned from, 0 for each other one; `nil` for all.
    package var mask: [Float]?
    /// Importance weight of each response token, where rollouts are corrected.
    package var rolloutWeights: [Float]?
    /// The critic's value of each response token before this step's first update.
    package var values: [Float]?
    /// Return of each response token, which a critic learns.
    package var returns: [Float]?

    package init(
        prompt: [Int32], response: [Int32], rolloutLogProbabilities: [Float] = [],
        oldLogProbabilities: [Float]? = nil, referenceLogProbabilities: [Float]? = nil,
        advantages: [Float] = []
    ) {
        self.prompt = prompt
        self.response = response
        self.rolloutLogProbabilities = rolloutLogProbabilities
        self.oldLogProbabilities = oldLogProbabilities
        self.referenceLogProbabilities = referenceLogProbabilities
        self.advantages = advantages
    }

    /// Tokens that a forward pass over the sample computes: all but the last, which predicts
    /// nothing.
    package var computedTokenCount: Int { prompt.count + response.count - 1 }
}
