/// Whether a step has too few responses to learn from. That a group of one response compares with
/// nothing is said where the estimator is known.
///
/// - Parameters:
///   - prompts: in a step.
///   - responses: to each of them.
func batchAdvice(prompts: Int, responses: Int) -> String? {
    guard prompts == 1 || prompts * responses < 8 else { return nil }
    let what = prompts == 1 ? "one prompt" : "\(prompts) prompts"
    return "data.train_batch_size: a step of \(what) x \(responses)"
        + " \(responses == 1 ? "response" : "responses") gives a noisy gradient; 16 prompts and more"
        + " are usual"
}
