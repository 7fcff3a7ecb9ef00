/// Whether right answers do not even fit into a response.
///
/// - Parameters:
///   - longAnswers: prompts whose right answer alone has more tokens than `limit`.
///   - count: prompts in all.
///   - limit: tokens that a response may have.
func responseLengthAdvice(longAnswers: Int, of count: Int, limit: Int) -> String? {
    guard longAnswers * 50 > count else { return nil }
    return "data.max_response_length=\(limit) is less than the right answer alone of"
        + " \(longAnswers.grouped) of \(count.grouped) prompts takes"
}

/// Whether much of the data was left out for its length.
///
/// - Parameters:
///   - overlong: prompts that were left out.
///   - count: prompts in all.
///   - limit: tokens that a prompt may have.
func promptLengthAdvice(overlong: Int, of count: Int, limit: Int) -> String? {
    guard overlong * 10 > count else { return nil }
    return "data.max_prompt_length=\(limit) leaves out \(overlong.grouped) of \(count.grouped)"
        + " prompts"
}
