extension Tokenizer {
    /// The text of a sampled response: special tokens are left out, and so are ids without a token,
    /// which a model can sample because its vocabulary is padded.
    package func responseText(_ ids: [Int32]) -> String {
        var bytes: [UInt8] = []
        for id in ids { try? appendBytes(of: id, skipSpecialTokens: true, to: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
