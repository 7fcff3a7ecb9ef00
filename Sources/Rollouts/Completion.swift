/// Why a response ended.
package enum FinishReason: String, Sendable {
    /// A stop id was chosen; it is the last token of the response.
    case stop
    /// The response reached `maxTokens`, or prompt and response together the longest sequence.
    case length
}

/// The response to one request.
package struct Completion: Sendable, Equatable {
    package let requestID: UInt64
    /// The response's token ids; the stop id included where one ended it.
    package let tokens: [Int32]
    /// Natural logarithm of each token's probability under the distribution it was drawn from; at
    /// temperature 0 under the softmax at temperature 1.
    package let logProbabilities: [Float]
    package let finishReason: FinishReason
    /// The version of the adapter that chose the tokens; `nil` for the base model.
    package let adapterVersion: Int?
}
