/// One override of the command line, in Hydra's notation.
///
/// `a.b=value` and `++a.b=value` set, `+a.b=value` sets too (every key that is read may be given,
/// so the plus that Hydra needs changes nothing here), `~a.b` takes a key of a file away. A map
/// changes the names that it holds, and leaves the group's other keys as they are.
struct SettingArgument {
    /// The argument as typed.
    let text: String
    /// The names of the key, outermost first.
    let path: [String]
    /// The value, or nil for `~a.b`.
    let value: SettingNode?

    /// Reads one argument; throws where it is neither an override nor a file.
    init(_ text: String) throws(SettingsError) {
        self.text = text
        guard !text.hasPrefix("-") else { throw Self.refuseOption(text) }
        var rest = Substring(text)
        let removes = rest.hasPrefix("~")
        rest = rest.drop { $0 == "+" || $0 == "~" }
        let equals = rest.firstIndex(of: "=")
        if removes, equals != nil {
            throw SettingsError("Argument '\(text)': write '~key' alone to take a key away.")
        }
        guard removes || equals != nil else {
            throw SettingsError(
                "Argument '\(text)' is neither a configuration file (.yaml, .yml, .json) nor"
                    + " 'key=value'.")
        }
        let key = rest[..<(equals ?? rest.endIndex)]
        let names = key.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard !names.contains(""), !key.contains(where: \.isWhitespace) else {
            throw SettingsError("Argument '\(text)': '\(key)' is not a key such as 'data.seed'.")
        }
        path = names
        guard let equals else {
            value = nil
            return
        }
        var parser = ArgumentValueParser(String(rest[rest.index(after: equals)...]), of: text)
        value = try parser.parse()
    }

    /// Hydra's own options choose a configuration file; here files are named as they are.
    private static func refuseOption(_ text: String) -> SettingsError {
        let name = String(text.prefix { $0 != "=" })
        let ofHydra = [
            "--config-name", "-cn", "--config-path", "-cp", "--config-dir", "-cd", "--multirun",
            "-m", "--cfg", "--info", "--resolve", "--package", "--run",
        ]
        guard ofHydra.contains(name) else {
            return SettingsError(
                "There is no option '\(name)': settings are given as key=value or FILE.yaml.")
        }
        return SettingsError(
            "'\(name)' is an option of Hydra: name the file itself instead, as in 'FILE.yaml"
                + " key=value'; verl's own defaults are built in, so its ppo_trainer is not needed."
        )
    }

    /// Whether an argument names a file to read rather than a key to set.
    static func isFile(_ text: String) -> Bool {
        let endings = [".yaml", ".yml", ".json"]
        guard endings.contains(where: text.hasSuffix), !text.hasPrefix("+"), !text.hasPrefix("-")
        else { return false }
        guard let equals = text.firstIndex(of: "=") else { return true }
        // A path may hold '=', but what stands before it is no key when it holds a slash.
        return text[..<equals].contains("/")
    }
}

/// Hydra's notation of values: bare text, `'quoted'`, `[a, b]`, `{name: value}`.
struct ArgumentValueParser {
    /// Deeper nesting than any setting has; keeps a row of brackets from exhausting the stack.
    private static let depthLimit = 64

    private let argument: String
    private let characters: [Character]
    private var position = 0

    /// Prepares to read the value of an argument that messages quote.
    init(_ text: String, of argument: String) {
        self.argument = argument
        characters = Array(text)
    }

    /// The whole text as one value; anything left over is an error.
    mutating func parse() throws(SettingsError) -> SettingNode {
        skipSpaces()
        guard let first = peek else { return node(.scalar("", quoted: true)) }
        guard first == "[" || first == "{" || first == "'" || first == "\"" else {
            let text = bareText { $0 == "," }
            guard peek == nil else {
                throw error(
                    "a list needs brackets, as in key=[a,b], and a text with a comma quotes")
            }
            return node(.scalar(text, quoted: false))
        }
        let value = try value(depth: 0)
        skipSpaces()
        guard let extra = peek else { return value }
        throw error("there is a '\(extra)' after the end of the value")
    }

    private mutating func value(depth: Int) throws(SettingsError) -> SettingNode {
        guard depth < Self.depthLimit else { throw error("the brackets nest too deep") }
        switch peek {
        case "[": return try list(depth: depth)
        case "{": return try map(depth: depth)
        case "'", "\"": return node(.scalar(try quotedText(), quoted: true))
        default:
            let text = bareText { $0 == "," || $0 == "]" || $0 == "}" }
            guard !text.isEmpty else { throw error("a value is missing between the brackets") }
            return node(.scalar(text, quoted: false))
        }
    }

    private mutating func list(depth: Int) throws(SettingsError) -> SettingNode {
        var items: [SettingNode] = []
        position += 1
        while try !ends(with: "]", first: items.isEmpty) {
            items.append(try value(depth: depth + 1))
        }
        return node(.list(items))
    }

    private mutating func map(depth: Int) throws(SettingsError) -> SettingNode {
        var map = SettingMap()
        position += 1
        while try !ends(with: "}", first: map.keys.isEmpty) {
            let quoted = peek == "'" || peek == "\""
            let name = quoted ? try quotedText() : bareText { ":,}]".contains($0) }
            skipSpaces()
            guard !name.isEmpty, peek == ":" else {
                throw error("'{' needs 'name: value' between its commas")
            }
            position += 1
            skipSpaces()
            guard map[name] == nil else { throw error("'\(name)' stands twice between the braces") }
            map[name] = try value(depth: depth + 1)
        }
        return node(.map(map))
    }

    /// Steps over the comma before the next entry, or over the closing bracket.
    private mutating func ends(with close: Character, first: Bool) throws(SettingsError) -> Bool {
        skipSpaces()
        if peek == close {
            position += 1
            return true
        }
        if !first {
            guard peek == "," else { throw error("there is no closing '\(close)'") }
            position += 1
            skipSpaces()
        }
        guard peek != nil else { throw error("there is no closing '\(close)'") }
        return false
    }

    private mutating func quotedText() throws(SettingsError) -> String {
        let quote = characters[position]
        var text = ""
        position += 1
        while let character = peek {
            position += 1
            if character == quote { return text }
            if character == "\\", let next = peek, next == quote || next == "\\" {
                text.append(next)
                position += 1
            } else {
                text.append(character)
            }
        }
        throw error("there is no closing \(quote)")
    }

    /// Text up to a character that ends it; a reference `${...}` is taken whole.
    private mutating func bareText(until ends: (Character) -> Bool) -> String {
        var text = ""
        var depth = 0
        while let character = peek, depth > 0 || !ends(character) {
            if character == "{", depth > 0 || text.hasSuffix("$") { depth += 1 }
            if character == "}", depth > 0 { depth -= 1 }
            text.append(character)
            position += 1
        }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }

    private var peek: Character? {
        position < characters.count ? characters[position] : nil
    }

    private mutating func skipSpaces() {
        while peek?.isWhitespace == true { position += 1 }
    }

    private func node(_ content: SettingNode.Content) -> SettingNode {
        SettingNode(content, .argument(argument))
    }

    private func error(_ problem: String) -> SettingsError {
        SettingsError("Argument '\(argument)': \(problem).")
    }
}
