/// What lies beside a `tokenizer.json`: `tokenizer_config.json`, `special_tokens_map.json`,
/// `generation_config.json` and a `chat_template.jinja`, all of them optional.
struct TokenizerConfiguration {
    /// The texts of the special tokens that are set, by their key (`bos_token` and so on).
    private(set) var specialTokens: [String: String] = [:]
    /// Every other text that is to be a special token.
    private(set) var additionalSpecialTokens: [String] = []
    /// Tokens that `tokenizer_config.json` adds, with their ids.
    private(set) var addedTokens: [AddedToken] = []
    /// The end-of-sequence ids of `generation_config.json`.
    private(set) var generationEOS: [Int] = []
    /// The chat template and the name of the file it comes from.
    private(set) var chatTemplate: (source: String, name: String)?

    static let keys = [
        "bos_token", "eos_token", "pad_token", "unk_token", "cls_token", "sep_token", "mask_token",
    ]

    /// Nothing beside the `tokenizer.json`.
    init() {}

    init(directory: String) throws(FormatError) {
        if let map = try Self.read("special_tokens_map.json", in: directory) {
            readSpecialTokens(map)
        }
        let name = "tokenizer_config.json"
        if let config = try Self.read(name, in: directory) {
            readSpecialTokens(config)
            for (key, value) in config["added_tokens_decoder"]?.object ?? JSONObject() {
                guard let id = Int(key) else {
                    throw FormatError(
                        "\(name): added_tokens_decoder has the key \"\(key)\", not an id")
                }
                addedTokens.append(try TokenizerFile.addedToken(value, id: id, name: name))
            }
            try readChatTemplate(config["chat_template"] ?? .null, name)
        }
        if let source = TokenizerDirectory.bytes(of: "chat_template.jinja", in: directory) {
            chatTemplate = (String(decoding: source, as: UTF8.self), "chat_template.jinja")
        }
        try readGeneration(directory)
    }

    private static func read(
        _ name: String, in directory: String
    ) throws(FormatError) -> JSON? {
        guard let bytes = TokenizerDirectory.bytes(of: name, in: directory) else { return nil }
        return try JSON(parsing: bytes, name: name)
    }

    private mutating func readSpecialTokens(_ json: JSON) {
        func text(_ json: JSON) -> String? { json.string ?? json["content"]?.string }
        for key in Self.keys {
            guard let value = json[key] else { continue }
            specialTokens[key] = text(value)
        }
        let others = json["additional_special_tokens"] ?? json["extra_special_tokens"] ?? .null
        additionalSpecialTokens += (others.array ?? others.object?.values ?? []).compactMap(text)
    }

    /// A template is a text, or a list of named ones of which "default" counts.
    private mutating func readChatTemplate(_ json: JSON, _ name: String) throws(FormatError) {
        if json.isNull { return }
        let named = json.array?.first { $0["name"]?.string == "default" }?["template"]?.string
        guard let source = json.string ?? named else {
            throw FormatError(
                "\(name): chat_template is neither a text nor a list with one named \"default\"")
        }
        chatTemplate = (source, name)
    }

    private mutating func readGeneration(_ directory: String) throws(FormatError) {
        let name = "generation_config.json"
        guard let config = try Self.read(name, in: directory),
            let value = config["eos_token_id"], !value.isNull
        else { return }
        for item in value.array ?? [value] {
            guard let id = item.int, (0..<1 << 24).contains(id) else {
                throw FormatError(
                    "\(name): eos_token_id is neither an id nor a list of ids")
            }
            generationEOS.append(id)
        }
    }
}
