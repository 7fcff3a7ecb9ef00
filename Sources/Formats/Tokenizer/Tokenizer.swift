/// Text to token ids and back, as the `tokenizer.json` of a model says.
///
/// The results equal those of Hugging Face's `tokenizers`. Decoding is always exact: a
/// `clean_up_tokenization_spaces`, which would remove spaces before punctuation, is not applied.
package struct Tokenizer: Sendable {
    /// The token put before a text, if the model has one.
    package let bosToken: String?
    /// The token that ends a text.
    package let eosToken: String?
    /// The token that fills up a batch.
    package let padToken: String?
    /// The ids which end a response: those of `generation_config.json` first, then `eosToken`'s.
    package let eosTokenIDs: [Int32]
    /// The template that lays out a conversation, if the model comes with one.
    package let chatTemplate: ChatTemplate?
    /// One more than the highest id; smaller than or equal to what the model was made for.
    package let vocabularySize: Int

    private let model: BytePairModel
    private let normalizer: Normalizer
    private let preTokenizer: PreTokenizer
    private let postProcessor: PostProcessor
    private let rawTokens: AddedTokenMatcher
    private let normalizedTokens: AddedTokenMatcher
    private let addedTokens: [Int32: AddedToken]
    /// What each added token is in the text this tokenizer sees, by id.
    private let addedSpellings: [Int32: [UInt8]]
    private let addedIDs: [String: Int32]
    private let caches = WordCaches()

    /// Reads `tokenizer.json` and what lies beside it in a checkpoint's folder.
    /// Throws when a file is missing, damaged, or asks for what is not supported.
    package init(directory: String) throws(FormatError) {
        let name = "tokenizer.json"
        guard let bytes = TokenizerDirectory.bytes(of: name, in: directory) else {
            throw FormatError("\(directory): there is no \(name) that can be read")
        }
        let configuration = try TokenizerConfiguration(directory: directory)
        try self.init(bytes, name: name, configuration)
    }

    /// Makes a tokenizer of the bytes of a `tokenizer.json` and what was read beside it.
    init(
        _ bytes: [UInt8], name: String,
        _ configuration: TokenizerConfiguration = TokenizerConfiguration()
    ) throws(FormatError) {
        let file = try TokenizerFile(bytes, name: name)
        model = file.model
        normalizer = file.normalizer
        preTokenizer = file.preTokenizer
        postProcessor = file.postProcessor
        let added = try AddedTokenList(file: file, configuration)
        (addedTokens, addedIDs) = (added.byID, added.ids)
        let spellings = added.byID.mapValues { token in
            let content = Array(token.content.utf8)
            return token.isNormalized ? file.normalizer.normalized(content) : content
        }
        addedSpellings = spellings
        rawTokens = added.matcher { $0.isNormalized ? nil : spellings[$0.id] }
        normalizedTokens = added.matcher { $0.isNormalized ? spellings[$0.id] : nil }
        vocabularySize = max(file.model.tokens.upperBound, added.upperBound)
        bosToken = configuration.specialTokens["bos_token"]
        eosToken = configuration.specialTokens["eos_token"]
        padToken = configuration.specialTokens["pad_token"]
        var eos = configuration.generationEOS.map { Int32($0) }
        if let token = eosToken, let id = added.ids[token], !eos.contains(id) { eos.append(id) }
        eosTokenIDs = eos
        if let template = configuration.chatTemplate {
            chatTemplate = try ChatTemplate(source: template.source, name: template.name)
        } else {
            chatTemplate = nil
        }
    }

    // MARK: Tokens

    /// The id of a token by its spelling in the file («Ġthe», «<|im_end|>»), or nil.
    package func tokenID(_ token: String) -> Int32? {
        addedIDs[token] ?? model.tokens.id(of: token)
    }

    /// The id of `bosToken`.
    package var bosTokenID: Int32? { bosToken.flatMap { tokenID($0) } }

    /// The id of `eosToken`.
    package var eosTokenID: Int32? { eosToken.flatMap { tokenID($0) } }

    /// The id of `padToken`.
    package var padTokenID: Int32? { padToken.flatMap { tokenID($0) } }

    /// Whether an id is that of a special token, which `decode` can leave out.
    package func isSpecial(_ id: Int32) -> Bool { addedTokens[id]?.isSpecial ?? false }

    /// Throws when a token's id lies outside a model whose embedding has so many rows.
    package func checkFits(vocabularySize limit: Int) throws(FormatError) {
        guard vocabularySize > limit else { return }
        let id = Int32(vocabularySize - 1)
        let text = spelling(of: id).map { String(decoding: $0, as: UTF8.self) } ?? ""
        throw FormatError(
            "tokenizer.json: token '\(text)' has id \(id), but the model's vocabulary has"
                + " \(limit) entries")
    }

    /// The lowest id that both tokenizers have in their vocabulary, and spell differently; added
    /// tokens left out.
    package func firstID(differingFrom other: Tokenizer) -> Int? {
        let (own, others) = (model.tokens, other.model.tokens)
        return (0..<min(own.upperBound, others.upperBound)).first { id in
            guard let spelling = own.spelling(of: id), let another = others.spelling(of: id) else {
                return false
            }
            return spelling != another
        }
    }

    private func spelling(of id: Int32) -> ArraySlice<UInt8>? {
        if let added = addedSpellings[id] { return added[...] }
        return model.tokens.spelling(of: Int(id))
    }

    // MARK: Encoding

    /// The ids of a text.
    ///
    /// Special tokens written out in the text become their ids. `addSpecialTokens` puts those of
    /// the post-processor around it, as Hugging Face does by default; it is off by default here,
    /// since what a chat template renders has them already.
    package func encode(_ text: String, addSpecialTokens: Bool = false) -> [Int32] {
        let bytes = Array(text.utf8)
        var ids: [Int32] = []
        ids.reserveCapacity(bytes.count / 3)
        if addSpecialTokens { ids += postProcessor.prefix }
        caches.withCache { cache in
            var workspace = BytePairModel.Workspace()
            for part in rawTokens.parts(of: bytes) {
                if let token = part.token {
                    ids.append(token)
                    continue
                }
                let isWhole = part.range.count == bytes.count
                let normalized = normalizer.normalized(isWhole ? bytes : Array(bytes[part.range]))
                append(normalized, to: &ids, &cache, &workspace)
            }
        }
        if addSpecialTokens { ids += postProcessor.suffix }
        return ids
    }

    private func append(
        _ normalized: [UInt8], to ids: inout [Int32], _ cache: inout WordCache,
        _ workspace: inout BytePairModel.Workspace
    ) {
        for part in normalizedTokens.parts(of: normalized) {
            if let token = part.token {
                ids.append(token)
                continue
            }
            let isWhole = part.range.count == normalized.count
            let pieces = preTokenizer.pieces(
                of: isWhole ? normalized : Array(normalized[part.range]))
            model.append(pieces, to: &ids, cache: &cache, workspace: &workspace)
        }
    }

    // MARK: Decoding

    /// The text of some ids; bytes which are no valid UTF-8 become «\u{FFFD}».
    /// Throws when an id has no token.
    package func decode(
        _ ids: [Int32], skipSpecialTokens: Bool
    ) throws(FormatError) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(ids.count * 4)
        for id in ids {
            try appendBytes(of: id, skipSpecialTokens: skipSpecialTokens, to: &bytes)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the bytes of one token.
    func appendBytes(
        of id: Int32, skipSpecialTokens: Bool, to bytes: inout [UInt8]
    ) throws(FormatError) {
        guard let spelling = spelling(of: id) else {
            throw FormatError(
                "no token has the id \(id); the tokenizer's ids are below \(vocabularySize)")
        }
        if skipSpecialTokens, isSpecial(id) { return }
        ByteLevelAlphabet.appendBytes(of: spelling, to: &bytes)
    }
}
