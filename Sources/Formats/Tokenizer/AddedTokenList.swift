/// The added tokens of a tokenizer, gathered from all the files that may add one.
struct AddedTokenList {
    private(set) var byID: [Int32: AddedToken] = [:]
    private(set) var ids: [String: Int32] = [:]

    init(
        file: TokenizerFile, _ configuration: TokenizerConfiguration
    ) throws(FormatError) {
        for token in file.addedTokens { insert(token) }
        // `tokenizer.json` is the later form of the same list: it wins.
        for token in configuration.addedTokens where ids[token.content] == nil {
            if byID[token.id] == nil { insert(token) }
        }
        var texts = configuration.additionalSpecialTokens.map { ("additional_special_tokens", $0) }
        for key in TokenizerConfiguration.keys {
            if let text = configuration.specialTokens[key] { texts.append((key, text)) }
        }
        for (key, text) in texts where ids[text] == nil && !text.isEmpty {
            guard let id = file.model.tokens.id(of: text) else {
                throw FormatError(
                    "tokenizer_config.json: \(key) is '\(text)', which tokenizer.json lacks")
            }
            insert(AddedToken(id: id, content: text, isSpecial: true))
        }
    }

    private mutating func insert(_ token: AddedToken) {
        byID[token.id] = token
        ids[token.content] = token.id
    }

    /// One more than the highest id.
    var upperBound: Int { (byID.keys.max()).map { Int($0) + 1 } ?? 0 }

    /// A matcher for the tokens that `spelling` gives a form for.
    func matcher(_ spelling: (AddedToken) -> [UInt8]?) -> AddedTokenMatcher {
        var matcher = AddedTokenMatcher()
        for token in byID.values {
            if let spelling = spelling(token) { matcher.insert(token, spelledAs: spelling) }
        }
        return matcher
    }
}
