/// The methods of texts, lists and mappings.
enum TemplateMethods {
    static let ofStrings: Set<String> = [
        "split", "rsplit", "splitlines", "strip", "lstrip", "rstrip", "startswith", "endswith",
        "upper", "lower", "title", "capitalize", "replace", "join", "find", "rfind", "count",
        "isdigit", "isalpha", "isalnum", "isspace", "isupper", "islower", "removeprefix",
        "removesuffix",
    ]
    static let ofLists: Set<String> = ["index", "count"]
    static let ofDictionaries: Set<String> = ["items", "keys", "values", "get"]

    static func call(
        _ name: String, of value: TemplateValue, _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> TemplateValue {
        switch value {
        case .string(let text): return try call(name, of: text, arguments)
        case .list(let values): return try call(name, of: values, arguments)
        case .dictionary(let dictionary): return try call(name, of: dictionary, arguments)
        case .loop(let state): return try call(name, of: state, arguments)
        default: throw TemplateProblem("\(value.kind) has no method '\(name)'")
        }
    }

    private static func call(
        _ name: String, of values: [TemplateValue], _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> TemplateValue {
        let wanted = try arguments.bound(to: ["value"], required: 1, of: name)[0] ?? .none
        if name == "count" {
            return .integer(values.count { TemplateValue.equal($0, wanted) })
        }
        guard let place = values.firstIndex(where: { TemplateValue.equal($0, wanted) }) else {
            throw TemplateProblem("\(TemplateText.represented(wanted)) is not in the list")
        }
        return .integer(place)
    }

    private static func call(
        _ name: String, of dictionary: TemplateDictionary, _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> TemplateValue {
        if name == "get" {
            let bound = try arguments.bound(to: ["key", "default"], required: 1, of: name)
            return dictionary[bound[0] ?? .none] ?? bound[1] ?? .none
        }
        _ = try arguments.bound(to: [], of: name)
        switch name {
        case "items": return .list(dictionary.entries.map { .list([$0.key, $0.value]) })
        case "keys": return .list(dictionary.entries.map(\.key))
        default: return .list(dictionary.entries.map(\.value))
        }
    }

    private static func call(
        _ name: String, of loop: TemplateLoopState, _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> TemplateValue {
        let values = arguments.positional
        if name == "cycle" {
            guard !values.isEmpty else {
                throw TemplateProblem("cycle takes at least one argument")
            }
            return values[loop.index % values.count]
        }
        defer { loop.lastChanged = values }
        guard let last = loop.lastChanged else { return .bool(true) }
        return .bool(!TemplateValue.equal(.list(last), .list(values)))
    }

    // MARK: Texts

    private static func call(
        _ name: String, of text: String, _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> TemplateValue {
        switch name {
        case "strip", "lstrip", "rstrip":
            let characters = try arguments.bound(to: ["characters"], of: name)[0].text(name)
            return .string(
                TemplateStrings.stripped(
                    text, of: characters, left: name != "rstrip", right: name != "lstrip"))
        case "split", "rsplit": return try split(name, text, arguments)
        case "splitlines":
            let keepEnds = try arguments.bound(to: ["keepends"], of: name)[0]?.isTrue ?? false
            return .list(TemplateStrings.lines(text, keepEnds: keepEnds).map { .string($0) })
        case "startswith", "endswith":
            return .bool(try hasEnd(text, name, arguments))
        case "removeprefix", "removesuffix":
            let part = try arguments.bound(to: ["part"], required: 1, of: name)[0].text(name) ?? ""
            return .string(removed(part, from: text, atEnd: name == "removesuffix"))
        case "replace":
            let bound = try arguments.bound(to: ["old", "new", "count"], required: 2, of: name)
            let (old, new) = (try bound[0].text(name) ?? "", try bound[1].text(name) ?? "")
            let most = try bound[2].integer(name) ?? -1
            return .string(TemplateStrings.replaced(text, old, new, most: most))
        case "join":
            let values = try arguments.bound(to: ["values"], required: 1, of: name)[0] ?? .none
            var parts: [String] = []
            for value in try TemplateOperations.items(of: values) {
                guard let part = value.string else {
                    throw TemplateProblem("join takes texts, not \(value.kind)")
                }
                parts.append(part)
            }
            return .string(parts.joined(separator: text))
        case "find", "rfind", "count": return .integer(try find(name, text, arguments))
        default:
            _ = try arguments.bound(to: [], of: name)
            return plain(name, text)
        }
    }

    private static func plain(_ name: String, _ text: String) -> TemplateValue {
        switch name {
        case "upper": .string(text.uppercased())
        case "lower": .string(text.lowercased())
        case "title": .string(TemplateStrings.titled(text))
        case "capitalize": .string(TemplateStrings.capitalized(text))
        case "isdigit": .bool(TemplateStrings.all(text) { $0.properties.numericType == .decimal })
        case "isalpha":
            .bool(
                TemplateStrings.all(text) { UnicodeCategories.letters.contains(scalar: $0.value) })
        case "isalnum":
            .bool(
                TemplateStrings.all(text) {
                    UnicodeCategories.letters.contains(scalar: $0.value)
                        || $0.properties.numericType != nil
                })
        case "isspace": .bool(TemplateStrings.all(text, TemplateStrings.isSpace))
        case "isupper": .bool(TemplateStrings.hasOnlyCase(text, upper: true))
        default: .bool(TemplateStrings.hasOnlyCase(text, upper: false))
        }
    }

    private static func split(
        _ name: String, _ text: String, _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> TemplateValue {
        let bound = try arguments.bound(to: ["sep", "maxsplit"], of: name)
        let separator = try bound[0].text(name)
        let most = try bound[1].integer(name) ?? -1
        if separator?.utf8.isEmpty == true { throw TemplateProblem("\(name) by an empty text") }
        if name == "rsplit" {
            guard let separator else { throw TemplateProblem("rsplit needs a separator") }
            let parts = TemplateStrings.splitFromRight(text, by: separator, most: most)
            return .list(parts.map { .string($0) })
        }
        return .list(TemplateStrings.split(text, by: separator, most: most).map { .string($0) })
    }

    /// `startswith` and `endswith`, of one text or of several.
    private static func hasEnd(
        _ text: String, _ name: String, _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> Bool {
        let part = try arguments.bound(to: ["part"], required: 1, of: name)[0] ?? .none
        var parts = [part]
        if case .list(let several) = part { parts = several }
        for part in parts {
            guard let part = part.string else {
                throw TemplateProblem("\(name) takes a text, not \(part.kind)")
            }
            let (bytes, end) = (Array(text.utf8), Array(part.utf8))
            if bytes.count < end.count { continue }
            let found = name == "startswith" ? bytes.prefix(end.count) : bytes.suffix(end.count)
            if found.elementsEqual(end) { return true }
        }
        return false
    }

    private static func removed(_ part: String, from text: String, atEnd: Bool) -> String {
        let (bytes, end) = (Array(text.utf8), Array(part.utf8))
        guard bytes.count >= end.count else { return text }
        let found = atEnd ? bytes.suffix(end.count) : bytes.prefix(end.count)
        guard found.elementsEqual(end) else { return text }
        let rest = atEnd ? bytes.dropLast(end.count) : bytes.dropFirst(end.count)
        return String(decoding: rest, as: UTF8.self)
    }

    private static func find(
        _ name: String, _ text: String, _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> Int {
        let part = try arguments.bound(to: ["part"], required: 1, of: name)[0].text(name) ?? ""
        let (bytes, wanted) = (Array(text.utf8), Array(part.utf8))
        if wanted.isEmpty {
            let length = text.unicodeScalars.count
            return name == "find" ? 0 : name == "rfind" ? length : length + 1
        }
        var (places, start): ([Int], Int) = ([], 0)
        while let place = TemplateStrings.firstIndex(of: wanted, in: bytes, from: start) {
            places.append(place)
            start = place + (name == "rfind" ? 1 : wanted.count)
            if name == "find" { break }
        }
        if name == "count" { return places.count }
        guard let place = places.last else { return -1 }
        // Python counts scalars.
        return bytes[..<place].count { $0 & 0xC0 != 0x80 }
    }
}
