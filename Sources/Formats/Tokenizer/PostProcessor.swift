/// The tokens put around a text when special tokens are asked for.
struct PostProcessor: Sendable {
    /// Ids before the text.
    var prefix: [Int32] = []
    /// Ids after the text.
    var suffix: [Int32] = []
}
