/// The filters that need nothing but their value and arguments.
enum TemplateFilters {
    /// The result, or nil when there is no such filter here.
    static func apply(
        _ name: String, _ value: TemplateValue, _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> TemplateValue? {
        if let result = try applyToText(name, value, arguments) { return result }
        if let result = try applyToItems(name, value, arguments) { return result }
        return try applyToNumber(name, value, arguments)
    }

    // MARK: Texts

    private static func applyToText(
        _ name: String, _ value: TemplateValue, _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> TemplateValue? {
        let text = TemplateText.shown(value)
        switch name {
        case "tojson": return .string(try json(value, arguments))
        case "trim":
            let characters = try arguments.bound(to: ["chars"], of: name)[0].text(name)
            return .string(TemplateStrings.stripped(text, of: characters))
        case "replace":
            let bound = try arguments.bound(to: ["old", "new", "count"], required: 2, of: name)
            let old = TemplateText.shown(bound[0] ?? .none)
            let new = TemplateText.shown(bound[1] ?? .none)
            let most = try bound[2].integer(name) ?? -1
            return .string(TemplateStrings.replaced(text, old, new, most: most))
        case "indent": return .string(try indented(text, arguments))
        case "upper", "lower", "capitalize", "title", "string", "safe", "escape", "e", "wordcount":
            _ = try arguments.bound(to: [], of: name)
            return plain(name, text)
        default: return nil
        }
    }

    private static func plain(_ name: String, _ text: String) -> TemplateValue {
        switch name {
        case "upper": .string(text.uppercased())
        case "lower": .string(text.lowercased())
        case "capitalize": .string(TemplateStrings.capitalized(text))
        case "title": .string(TemplateStrings.titledByFilter(text))
        case "wordcount":
            .integer(
                text.unicodeScalars.split {
                    !UnicodeCategories.wordCharacters.contains(scalar: $0.value)
                }.count)
        case "escape", "e": .string(escaped(text))
        default: .string(text)
        }
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&#34;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func json(
        _ value: TemplateValue, _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> String {
        let bound = try arguments.bound(
            to: ["ensure_ascii", "indent", "separators", "sort_keys"], of: "tojson")
        var indent: String?
        switch bound[1] {
        case nil, .some(.none): break
        case .some(.string(let text)): indent = text
        case .some(let value):
            let count = min(try Optional(value).integer("tojson") ?? 0, 1000)
            indent = String(repeating: " ", count: max(0, count))
        }
        var writer = TemplateJSONWriter(indent: indent, itemSeparator: indent == nil ? ", " : ",")
        writer.escapesNonASCII = bound[0]?.isTrue ?? false
        writer.sortsKeys = bound[3]?.isTrue ?? false
        if case .list(let pair)? = bound[2] {
            guard pair.count == 2, let item = pair[0].string, let key = pair[1].string else {
                throw TemplateProblem("the separators of tojson are two texts")
            }
            (writer.itemSeparator, writer.keySeparator) = (item, key)
        }
        return try writer.text(of: value)
    }

    private static func indented(
        _ text: String, _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> String {
        let bound = try arguments.bound(to: ["width", "first", "blank"], of: "indent")
        var margin = "    "
        if case .string(let text)? = bound[0] {
            margin = text
        } else if let width = try bound[0].integer("indent") {
            margin = String(repeating: " ", count: min(max(0, width), 1000))
        }
        let indentsBlank = bound[2]?.isTrue ?? false
        var lines = TemplateStrings.lines(text + "\n", keepEnds: false)
        for place in lines.indices.dropFirst() where indentsBlank || !lines[place].isEmpty {
            lines[place] = margin + lines[place]
        }
        return (bound[1]?.isTrue == true ? margin : "") + lines.joined(separator: "\n")
    }

    // MARK: Lists

    private static func applyToItems(
        _ name: String, _ value: TemplateValue, _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> TemplateValue? {
        switch name {
        case "length", "count", "list", "first", "last", "reverse", "items":
            _ = try arguments.bound(to: [], of: name)
            return try whole(name, value)
        case "join", "sum", "min", "max", "unique", "sort":
            return try ordered(name, value, arguments)
        case "dictsort": return try dictionarySorted(value, arguments)
        case "default", "d":
            let bound = try arguments.bound(to: ["default_value", "boolean"], of: name)
            var isMissing = bound[1]?.isTrue == true && !value.isTrue
            if case .undefined = value { isMissing = true }
            return isMissing ? bound[0] ?? .string("") : value
        default: return nil
        }
    }

    private static func whole(
        _ name: String, _ value: TemplateValue
    ) throws(TemplateProblem) -> TemplateValue {
        if name == "items" {
            switch value {
            case .undefined: return .list([])
            case .dictionary(let dictionary):
                return .list(dictionary.entries.map { .list([$0.key, $0.value]) })
            default: throw TemplateProblem("items takes a mapping, not \(value.kind)")
            }
        }
        let items = try TemplateOperations.items(of: value)
        switch name {
        case "length", "count": return .integer(items.count)
        case "first": return items.first ?? .undefined("the first item of nothing")
        case "last": return items.last ?? .undefined("the last item of nothing")
        case "reverse":
            if case .string = value {
                return .string(items.reversed().map { TemplateText.shown($0) }.joined())
            }
            return .list(items.reversed())
        default: return .list(items)
        }
    }

    private static let orderedParameters = [
        "join": ["d", "attribute"], "sum": ["attribute", "start"],
        "min": ["case_sensitive", "attribute"], "max": ["case_sensitive", "attribute"],
        "unique": ["case_sensitive", "attribute"],
        "sort": ["reverse", "case_sensitive", "attribute"],
    ]

    private static func ordered(
        _ name: String, _ value: TemplateValue, _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> TemplateValue {
        let parameters = orderedParameters[name] ?? []
        let bound = try arguments.bound(to: parameters, of: name)
        func argument(_ parameter: String) -> TemplateValue? {
            parameters.firstIndex(of: parameter).flatMap { bound[$0] }
        }
        let items = try TemplateOperations.items(of: value)
        var keys: [TemplateValue] = []
        let path = try argument("attribute").text(name)
        for item in items {
            keys.append(
                try path.map { path throws(TemplateProblem) in try attribute(item, path) } ?? item)
        }
        if name == "join" {
            let separator = TemplateText.shown(argument("d") ?? .string(""))
            return .string(keys.map { TemplateText.shown($0) }.joined(separator: separator))
        }
        if name == "sum" {
            var total = argument("start") ?? .integer(0)
            for key in keys { total = try TemplateOperations.arithmetic("+", total, key) }
            return total
        }
        if argument("case_sensitive")?.isTrue != true {
            keys = keys.map { $0.string.map { .string($0.lowercased()) } ?? $0 }
        }
        return try picked(name, items, keys, isReversed: argument("reverse")?.isTrue ?? false)
    }

    private static func picked(
        _ name: String, _ items: [TemplateValue], _ keys: [TemplateValue], isReversed: Bool
    ) throws(TemplateProblem) -> TemplateValue {
        if name == "unique" {
            var places: [Int] = []
            for place in items.indices
            where !places.contains(where: { TemplateValue.equal(keys[$0], keys[place]) }) {
                places.append(place)
            }
            return .list(places.map { items[$0] })
        }
        if name == "sort" {
            return .list(try sortedPlaces(keys, isReversed: isReversed).map { items[$0] })
        }
        guard var best = items.indices.first else { return .undefined("the \(name) of nothing") }
        for place in items.indices.dropFirst() {
            let isBetter =
                name == "min"
                ? try TemplateOperations.precedes(keys[place], keys[best])
                : try TemplateOperations.precedes(keys[best], keys[place])
            if isBetter { best = place }
        }
        return items[best]
    }

    /// The order of keys; equals keep their order, as in Python.
    private static func sortedPlaces(
        _ keys: [TemplateValue], isReversed: Bool
    ) throws(TemplateProblem) -> [Int] {
        for key in keys.dropFirst() { _ = try TemplateOperations.precedes(keys[0], key) }
        var problem: TemplateProblem?
        let places = keys.indices.sorted { left, right in
            do throws(TemplateProblem) {
                let (first, second) = isReversed ? (right, left) : (left, right)
                if try TemplateOperations.precedes(keys[first], keys[second]) { return true }
                if try TemplateOperations.precedes(keys[second], keys[first]) { return false }
            } catch { problem = error }
            return left < right
        }
        if let problem { throw problem }
        return places
    }

    private static func dictionarySorted(
        _ value: TemplateValue, _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> TemplateValue {
        let bound = try arguments.bound(to: ["case_sensitive", "by", "reverse"], of: "dictsort")
        guard case .dictionary(let dictionary) = value else {
            throw TemplateProblem("dictsort takes a mapping, not \(value.kind)")
        }
        let by = try bound[1].text("dictsort") ?? "key"
        guard by == "key" || by == "value" else {
            throw TemplateProblem("dictsort sorts by \"key\" or \"value\", not \"\(by)\"")
        }
        var keys = dictionary.entries.map { by == "key" ? $0.key : $0.value }
        if bound[0]?.isTrue != true {
            keys = keys.map { $0.string.map { .string($0.lowercased()) } ?? $0 }
        }
        let places = try sortedPlaces(keys, isReversed: bound[2]?.isTrue ?? false)
        return .list(
            places.map { .list([dictionary.entries[$0].key, dictionary.entries[$0].value]) })
    }

    /// `a.b.0` of an item.
    static func attribute(
        _ value: TemplateValue, _ path: String
    ) throws(TemplateProblem) -> TemplateValue {
        var value = value
        for part in path.split(separator: ".") {
            let key = Int(part).map { TemplateValue.integer($0) } ?? .string(String(part))
            value = try TemplateOperations.item(value, key)
        }
        return value
    }

    // MARK: Numbers

    private static func applyToNumber(
        _ name: String, _ value: TemplateValue, _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> TemplateValue? {
        switch name {
        case "int":
            let bound = try arguments.bound(to: ["default"], of: name)
            return integer(value) ?? bound[0] ?? .integer(0)
        case "float":
            let bound = try arguments.bound(to: ["default"], of: name)
            let parsed = value.string.flatMap { Double(TemplateStrings.stripped($0, of: nil)) }
            return (value.number ?? parsed).map { .number($0) } ?? bound[0] ?? .number(0)
        case "abs":
            _ = try arguments.bound(to: [], of: name)
            guard let number = value.number else {
                throw TemplateProblem("abs takes a number, not \(value.kind)")
            }
            return number < 0 ? try TemplateOperations.negative(value) : value
        case "round":
            let bound = try arguments.bound(to: ["precision", "method"], of: name)
            guard let number = value.number else {
                throw TemplateProblem("round takes a number, not \(value.kind)")
            }
            var scale = 1.0
            for _ in 0..<min(max(0, try bound[0].integer(name) ?? 0), 300) { scale *= 10 }
            let rule: FloatingPointRoundingRule
            switch try bound[1].text(name) ?? "common" {
            case "common": rule = .toNearestOrEven
            case "ceil": rule = .up
            case "floor": rule = .down
            case let other: throw TemplateProblem("round knows no method \"\(other)\"")
            }
            let scaled = number * scale
            return .number(scaled.isFinite ? scaled.rounded(rule) / scale : number)
        default: return nil
        }
    }

    private static func integer(_ value: TemplateValue) -> TemplateValue? {
        if let integer = value.integer { return .integer(integer) }
        if let number = value.number {
            return Int(exactly: number.rounded(.towardZero)).map { .integer($0) }
        }
        guard let text = value.string.map({ TemplateStrings.stripped($0, of: nil) }) else {
            return nil
        }
        if let integer = Int(text) { return .integer(integer) }
        return Double(text).flatMap { Int(exactly: $0.rounded(.towardZero)) }.map { .integer($0) }
    }
}
