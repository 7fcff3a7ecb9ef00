/// What a `tokenizer.json` says, turned into the steps of a byte-level BPE tokenizer.
///
/// A step that this program cannot do is refused by its name: a tokenizer that leaves one out
/// would give other ids than the model was trained on.
struct TokenizerFile {
    let model: BytePairModel
    let normalizer: Normalizer
    let preTokenizer: PreTokenizer
    let postProcessor: PostProcessor
    let addedTokens: [AddedToken]
    private let name: String

    init(_ bytes: [UInt8], name: String) throws(FormatError) {
        self.name = name
        let members = VocabularyScanner.members(of: bytes)
        let json = try JSON(parsing: Self.emptied(bytes, members), name: name)
        guard json.object != nil else {
            throw FormatError("\(name): holds \(json.kind), not the object of a tokenizer")
        }
        try Self.checkModel(json["model"] ?? .null, hasVocabulary: members.vocabulary != nil, name)
        guard let vocabulary = members.vocabulary, let merges = members.merges else {
            throw FormatError("\(name): the BPE model lacks its \"vocab\" or its \"merges\"")
        }
        var scanner = VocabularyScanner(bytes, name: name, at: vocabulary.lowerBound)
        let tokens = try scanner.vocabulary()
        scanner = VocabularyScanner(bytes, name: name, at: merges.lowerBound)
        let pairs = try scanner.merges(of: tokens)
        model = try Self.model(json["model"] ?? .null, tokens, pairs, name)
        normalizer = Normalizer(steps: try Self.normalizerSteps(json["normalizer"] ?? .null, name))
        preTokenizer = try Self.preTokenizer(json["pre_tokenizer"] ?? .null, name)
        postProcessor = try Self.postProcessor(json["post_processor"] ?? .null, name)
        try Self.checkDecoder(json["decoder"] ?? .null, name)
        var added: [AddedToken] = []
        for item in json["added_tokens"]?.array ?? [] {
            guard let id = item["id"]?.int else {
                throw FormatError("\(name): an entry of \"added_tokens\" has no \"id\"")
            }
            added.append(try Self.addedToken(item, id: id, name: name))
        }
        addedTokens = added
    }

    /// The file with its two large members empty, which leaves little to parse.
    private static func emptied(
        _ bytes: [UInt8], _ members: (vocabulary: Range<Int>?, merges: Range<Int>?)
    ) -> [UInt8] {
        let cuts = [(members.vocabulary, "{}"), (members.merges, "[]")]
            .compactMap { range, text in range.map { (range: $0, text: text) } }
            .sorted { $0.range.lowerBound < $1.range.lowerBound }
        var rest: [UInt8] = []
        var done = 0
        for cut in cuts {
            rest += bytes[done..<cut.range.lowerBound]
            rest += Array(cut.text.utf8)
            done = cut.range.upperBound
        }
        return rest + bytes[done...]
    }

    // MARK: Model

    private static func checkModel(
        _ model: JSON, hasVocabulary: Bool, _ name: String
    ) throws(FormatError) {
        // Files from before models were named have no "type"; only BPE has merges.
        let type = model["type"]?.string ?? (model["merges"] != nil ? "BPE" : "none")
        guard type == "BPE" else {
            throw FormatError(
                "\(name): the model is of type \(type), but only byte-level BPE is supported")
        }
        if model["byte_fallback"]?.bool == true {
            throw FormatError(
                "\(name): the model uses byte_fallback, but only byte-level BPE is supported")
        }
        if let dropout = model["dropout"]?.double, dropout != 0 {
            throw FormatError(
                "\(name): the model has a dropout of \(dropout), which is not supported")
        }
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let text = model[key]?.string, !text.isEmpty {
                throw FormatError(
                    "\(name): the model has a \(key) (\"\(text)\"), which is not supported")
            }
        }
    }

    private static func model(
        _ json: JSON, _ tokens: TokenTable, _ pairs: PairTable, _ name: String
    ) throws(FormatError) -> BytePairModel {
        var unknown: Int32?
        if let token = json["unk_token"]?.string {
            unknown = tokens.id(of: token)
            if unknown == nil {
                throw FormatError("\(name): the unk_token \"\(token)\" is not in the vocabulary")
            }
        }
        let byteTokens = ByteLevelAlphabet.characters.map { character in
            var spelling: [UInt8] = []
            spelling.append(scalar: character)
            return tokens.id(spelling.span, 0, spelling.count) ?? -1
        }
        return BytePairModel(
            tokens: tokens, pairs: pairs, byteTokens: byteTokens, unknown: unknown,
            fusesUnknown: json["fuse_unk"]?.bool ?? false,
            ignoresMerges: json["ignore_merges"]?.bool ?? false)
    }

    /// Reads an entry of `added_tokens`, or of `added_tokens_decoder` in `tokenizer_config.json`.
    static func addedToken(
        _ json: JSON, id: Int, name: String
    ) throws(FormatError) -> AddedToken {
        guard let content = json["content"]?.string, !content.isEmpty, (0..<1 << 24).contains(id)
        else {
            throw FormatError("\(name): the added token \(id) has no \"content\" or no usable id")
        }
        let isSpecial = json["special"]?.bool ?? false
        return AddedToken(
            id: Int32(id), content: content, isSpecial: isSpecial,
            stripsLeft: json["lstrip"]?.bool ?? false,
            stripsRight: json["rstrip"]?.bool ?? false,
            isSingleWord: json["single_word"]?.bool ?? false,
            isNormalized: json["normalized"]?.bool ?? !isSpecial)
    }

    // MARK: Steps

    private static func refusal(_ name: String, _ kind: String, _ json: JSON) -> FormatError {
        FormatError("\(name): the \(kind) \(json["type"]?.string ?? json.kind) is not supported")
    }

    private static func normalizerSteps(
        _ json: JSON, _ name: String
    ) throws(FormatError) -> [Normalizer.Step] {
        if json.isNull { return [] }
        switch json["type"]?.string {
        case "NFC": return [.composed]
        case "NFD": return [.decomposed]
        case "Lowercase": return [.lowercase]
        case "Prepend": return [.prepend(Array((json["prepend"]?.string ?? "").utf8))]
        case "Strip":
            return [
                .strip(
                    left: json["strip_left"]?.bool ?? true,
                    right: json["strip_right"]?.bool ?? true)
            ]
        case "Replace":
            let program = try RegexProgram(pattern(json, "normalizer", name))
            return [.replace(program, by: Array((json["content"]?.string ?? "").utf8))]
        case "Sequence":
            var steps: [Normalizer.Step] = []
            for item in json["normalizers"]?.array ?? [] {
                steps += try normalizerSteps(item, name)
            }
            return steps
        default: throw refusal(name, "normalizer", json)
        }
    }

    /// A `{"Regex": ...}` or a `{"String": ...}`, the latter with its characters escaped.
    private static func pattern(
        _ json: JSON, _ kind: String, _ name: String
    ) throws(FormatError) -> String {
        if let regex = json["pattern"]?["Regex"]?.string { return regex }
        guard let text = json["pattern"]?["String"]?.string else {
            throw FormatError(
                "\(name): the \(kind) \(json["type"]?.string ?? "") has no \"pattern\" that is a"
                    + " Regex or a String")
        }
        var escaped = ""
        for scalar in text.unicodeScalars {
            if #"\.+*?()|[]{}^$"#.unicodeScalars.contains(scalar) { escaped += "\\" }
            escaped.unicodeScalars.append(scalar)
        }
        return escaped
    }

    private static func preTokenizer(
        _ json: JSON, _ name: String
    ) throws(FormatError) -> PreTokenizer {
        var steps: [PreTokenizer.Step] = []
        var isByteLevel = false
        var items = [json]
        if json["type"]?.string == "Sequence" { items = json["pretokenizers"]?.array ?? [] }
        for item in items where !item.isNull {
            if isByteLevel {
                throw FormatError(
                    "\(name): the pre_tokenizer \(item["type"]?.string ?? item.kind) comes after"
                        + " ByteLevel, which is not supported")
            }
            isByteLevel = item["type"]?.string == "ByteLevel"
            steps += try preTokenizerSteps(item, name)
        }
        guard isByteLevel else {
            throw FormatError(
                "\(name): the pre_tokenizer does not end with ByteLevel, but only byte-level BPE is"
                    + " supported")
        }
        return PreTokenizer(steps: steps)
    }

    private static func preTokenizerSteps(
        _ json: JSON, _ name: String
    ) throws(FormatError) -> [PreTokenizer.Step] {
        switch json["type"]?.string {
        case "ByteLevel":
            var steps: [PreTokenizer.Step] = []
            if json["add_prefix_space"]?.bool ?? true { steps.append(.prefixSpace) }
            if json["use_regex"]?.bool ?? true {
                steps.append(try split(WordScanner.gpt2Pattern, .isolated, inverted: false))
            }
            return steps
        case "Split":
            let behavior = try behavior(json, default: nil, name)
            let pattern = try pattern(json, "pre_tokenizer", name)
            return [try split(pattern, behavior, inverted: json["invert"]?.bool ?? false)]
        case "Digits":
            if json["individual_digits"]?.bool ?? false {
                return [try split(#"\p{N}"#, .isolated, inverted: false)]
            }
            return [try split(#"\p{N}"#, .contiguous, inverted: false)]
        case "Punctuation":
            let behavior = try behavior(json, default: .isolated, name)
            return [try split(#"[\p{P}!-/:-@\[-`{-~]"#, behavior, inverted: false)]
        case "Sequence":
            var steps: [PreTokenizer.Step] = []
            for item in json["pretokenizers"]?.array ?? [] {
                steps += try preTokenizerSteps(item, name)
            }
            return steps
        default: throw refusal(name, "pre_tokenizer", json)
        }
    }

    private static func behavior(
        _ json: JSON, default fallback: PreTokenizer.Behavior?, _ name: String
    ) throws(FormatError) -> PreTokenizer.Behavior {
        let text = json["behavior"]?.string
        if text == nil, let fallback { return fallback }
        guard let behavior = PreTokenizer.Behavior(rawValue: text ?? "") else {
            throw FormatError(
                "\(name): the behavior \"\(text ?? "")\" of a pre_tokenizer is not supported")
        }
        return behavior
    }

    private static func split(
        _ pattern: String, _ behavior: PreTokenizer.Behavior, inverted: Bool
    ) throws(FormatError) -> PreTokenizer.Step {
        // A known pattern matches everywhere: whether matches or gaps are kept apart, and whether
        // they are inverted, changes nothing as long as none is removed or joined.
        if behavior == .isolated, let scanner = WordScanner(pattern: pattern) {
            return .words(scanner)
        }
        if behavior == .removed, inverted, let scanner = WordScanner(pattern: pattern) {
            return .words(scanner)
        }
        return .split(try RegexProgram(pattern), behavior, inverted: inverted)
    }

    // MARK: After the model

    private static func postProcessor(
        _ json: JSON, _ name: String
    ) throws(FormatError) -> PostProcessor {
        if json.isNull { return PostProcessor() }
        switch json["type"]?.string {
        case "ByteLevel": return PostProcessor()
        case "TemplateProcessing": return try template(json, name)
        case "RobertaProcessing", "BertProcessing":
            guard let first = json["cls"]?[1]?.int, let last = json["sep"]?[1]?.int else {
                throw FormatError("\(name): the post_processor lacks its \"cls\" or its \"sep\"")
            }
            return PostProcessor(
                prefix: [try identifier(first, name)], suffix: [try identifier(last, name)])
        case "Sequence":
            var whole = PostProcessor()
            for item in json["processors"]?.array ?? [] {
                let one = try postProcessor(item, name)
                whole.prefix = one.prefix + whole.prefix
                whole.suffix += one.suffix
            }
            return whole
        default: throw refusal(name, "post_processor", json)
        }
    }

    private static func template(_ json: JSON, _ name: String) throws(FormatError) -> PostProcessor
    {
        var result = PostProcessor()
        var texts = 0
        for item in json["single"]?.array ?? [] {
            if item["Sequence"] != nil {
                texts += 1
                continue
            }
            let token = item["SpecialToken"]?["id"]?.string ?? ""
            guard let ids = json["special_tokens"]?[token]?["ids"]?.array else {
                throw FormatError(
                    "\(name): the post_processor names the token \"\(token)\" without its ids")
            }
            for id in ids {
                let id = try identifier(id.int ?? -1, name)
                if texts == 0 { result.prefix.append(id) } else { result.suffix.append(id) }
            }
        }
        guard texts == 1 else {
            throw FormatError(
                "\(name): the post_processor's \"single\" has the text \(texts) times, not once")
        }
        return result
    }

    private static func identifier(_ id: Int, _ name: String) throws(FormatError) -> Int32 {
        guard (0..<1 << 24).contains(id) else {
            throw FormatError("\(name): the post_processor has a token without a usable id")
        }
        return Int32(id)
    }

    private static func checkDecoder(_ json: JSON, _ name: String) throws(FormatError) {
        var items = [json]
        if json["type"]?.string == "Sequence" { items = json["decoders"]?.array ?? [] }
        // "Fuse" joins what ByteLevel has joined already.
        items.removeAll { $0["type"]?.string == "Fuse" }
        guard items.count == 1, items[0]["type"]?.string == "ByteLevel" else {
            let other = items.first { $0["type"]?.string != "ByteLevel" } ?? json
            throw refusal(name, "decoder", other)
        }
    }
}
