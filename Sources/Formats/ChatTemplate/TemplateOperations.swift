/// What operators, indices and iteration do with values.
enum TemplateOperations {
    private static func undefined(_ values: TemplateValue...) throws(TemplateProblem) {
        for case .undefined(let words) in values { throw TemplateProblem(words) }
    }

    // MARK: Arithmetic

    static func arithmetic(
        _ symbol: String, _ left: TemplateValue, _ right: TemplateValue
    ) throws(TemplateProblem) -> TemplateValue {
        try undefined(left, right)
        switch (symbol, left, right) {
        case ("+", .string(let left), .string(let right)): return .string(left + right)
        case ("+", .list(let left), .list(let right)): return .list(left + right)
        case ("*", .string(let text), let count), ("*", let count, .string(let text)):
            guard let count = count.integer else { break }
            return .string(
                String(repeating: text, count: try repetitions(count, of: text.utf8.count)))
        case ("*", .list(let values), let count), ("*", let count, .list(let values)):
            guard let count = count.integer else { break }
            let times = try repetitions(count, of: values.count)
            return .list(Array(repeatElement(values, count: times).joined()))
        default:
            if let left = left.integer, let right = right.integer {
                return try integers(symbol, left, right)
            }
            if let left = left.number, let right = right.number {
                return try numbers(symbol, left, right)
            }
        }
        throw TemplateProblem("'\(symbol)' does not go with \(left.kind) and \(right.kind)")
    }

    /// A template is no reason to fill the memory.
    private static func repetitions(_ count: Int, of size: Int) throws(TemplateProblem) -> Int {
        let count = max(0, count)
        let (total, overflows) = count.multipliedReportingOverflow(by: size)
        guard !overflows, total <= 10_000_000 else {
            throw TemplateProblem("something is repeated \(count) times, which is too much")
        }
        return count
    }

    private static func integers(
        _ symbol: String, _ left: Int, _ right: Int
    ) throws(TemplateProblem) -> TemplateValue {
        var result: (partialValue: Int, overflow: Bool)
        switch symbol {
        case "+": result = left.addingReportingOverflow(right)
        case "-": result = left.subtractingReportingOverflow(right)
        case "*": result = left.multipliedReportingOverflow(by: right)
        case "/", "**": return try numbers(symbol, Double(left), Double(right), isWhole: true)
        default:
            if right == 0 { throw TemplateProblem("division by zero") }
            let quotient = left.dividedReportingOverflow(by: right)
            let remainder = left.remainderReportingOverflow(dividingBy: right)
            let isRounded =
                remainder.partialValue != 0 && (remainder.partialValue < 0) != (right < 0)
            result =
                symbol == "//"
                ? (quotient.partialValue - (isRounded ? 1 : 0), quotient.overflow)
                : (remainder.partialValue + (isRounded ? right : 0), false)
        }
        if result.overflow { throw TemplateProblem("a number is too large") }
        return .integer(result.partialValue)
    }

    private static func numbers(
        _ symbol: String, _ left: Double, _ right: Double, isWhole: Bool = false
    ) throws(TemplateProblem) -> TemplateValue {
        switch symbol {
        case "+": return .number(left + right)
        case "-": return .number(left - right)
        case "*": return .number(left * right)
        case "**": return try power(left, right, isWhole: isWhole)
        default: break
        }
        if right == 0 { throw TemplateProblem("division by zero") }
        switch symbol {
        case "/": return .number(left / right)
        case "//": return .number((left / right).rounded(.down))
        default: return .number(left - (left / right).rounded(.down) * right)
        }
    }

    private static func power(
        _ base: Double, _ exponent: Double, isWhole: Bool
    ) throws(TemplateProblem) -> TemplateValue {
        guard exponent == exponent.rounded(), abs(exponent) <= 1024 else {
            throw TemplateProblem("'**' takes a whole number of at most 1024 as exponent")
        }
        var result = 1.0
        for _ in 0..<Int(abs(exponent)) { result *= base }
        if exponent < 0 {
            if base == 0 { throw TemplateProblem("division by zero") }
            return .number(1 / result)
        }
        guard isWhole else { return .number(result) }
        // Beyond this a double no longer holds every whole number.
        guard abs(result) <= 9_007_199_254_740_992 else {
            throw TemplateProblem("a number is too large")
        }
        return .integer(Int(result))
    }

    static func negative(_ value: TemplateValue) throws(TemplateProblem) -> TemplateValue {
        try undefined(value)
        if let value = value.integer, value != .min { return .integer(-value) }
        guard let value = value.number else {
            throw TemplateProblem("'-' does not go with \(value.kind)")
        }
        return .number(-value)
    }

    // MARK: Comparison

    static func compare(
        _ symbol: String, _ left: TemplateValue, _ right: TemplateValue
    ) throws(TemplateProblem) -> Bool {
        switch symbol {
        case "==": return TemplateValue.equal(left, right)
        case "!=": return !TemplateValue.equal(left, right)
        case "in": return try contains(right, left)
        case "not in": return try !contains(right, left)
        case "<": return try precedes(left, right)
        case ">": return try precedes(right, left)
        // Not the opposite of the others where one is not a number.
        case "<=": return try precedes(left, right) || TemplateValue.equal(left, right)
        default: return try precedes(right, left) || TemplateValue.equal(left, right)
        }
    }

    static func precedes(
        _ left: TemplateValue, _ right: TemplateValue
    ) throws(TemplateProblem) -> Bool {
        try undefined(left, right)
        if let left = left.integer, let right = right.integer { return left < right }
        if let left = left.number, let right = right.number { return left < right }
        switch (left, right) {
        case (.string(let left), .string(let right)):
            return left.unicodeScalars.lexicographicallyPrecedes(right.unicodeScalars)
        case (.list(let left), .list(let right)):
            for (left, right) in zip(left, right) where !TemplateValue.equal(left, right) {
                return try precedes(left, right)
            }
            return left.count < right.count
        default: throw TemplateProblem("\(left.kind) and \(right.kind) have no order")
        }
    }

    private static func contains(
        _ whole: TemplateValue, _ part: TemplateValue
    ) throws(TemplateProblem) -> Bool {
        switch (whole, part) {
        case (.string(let text), .string(let part)):
            return TemplateStrings.firstIndex(of: Array(part.utf8), in: Array(text.utf8)) != nil
        case (.list(let values), _): return values.contains { TemplateValue.equal($0, part) }
        case (.dictionary(let dictionary), _): return dictionary[part] != nil
        case (.undefined, _): return false
        default: throw TemplateProblem("'in' does not go with \(part.kind) and \(whole.kind)")
        }
    }

    // MARK: Parts

    /// What a `for` goes through.
    static func items(of value: TemplateValue) throws(TemplateProblem) -> [TemplateValue] {
        switch value {
        case .list(let values): return values
        case .dictionary(let dictionary): return dictionary.entries.map(\.key)
        case .string(let text): return text.unicodeScalars.map { .string(String($0)) }
        case .undefined: return []
        default: throw TemplateProblem("\(value.kind) is not iterable")
        }
    }

    static func item(
        _ value: TemplateValue, _ key: TemplateValue
    ) throws(TemplateProblem) -> TemplateValue {
        try undefined(value)
        switch (value, key) {
        case (.dictionary(let dictionary), _):
            if let found = dictionary[key] { return found }
        case (.list(let values), _):
            if let index = key.integer { return element(values, index) }
        case (.string(let text), _):
            if let index = key.integer { return element(try items(of: .string(text)), index) }
        default: break
        }
        if case .string(let name) = key { return try attribute(value, name) }
        return .undefined("\(value.kind) has no item \(TemplateText.represented(key))")
    }

    private static func element(_ values: [TemplateValue], _ index: Int) -> TemplateValue {
        let place = index < 0 ? index + values.count : index
        return values.indices.contains(place)
            ? values[place] : .undefined("a list of \(values.count) has no item \(index)")
    }

    /// `value.name`: a method or an attribute, else the item of that name.
    static func attribute(
        _ value: TemplateValue, _ name: String
    ) throws(TemplateProblem) -> TemplateValue {
        try undefined(value)
        switch value {
        case .dictionary(let dictionary):
            if TemplateMethods.ofDictionaries.contains(name) { return .method(value, name) }
            if let found = dictionary[.string(name)] { return found }
        case .string where TemplateMethods.ofStrings.contains(name): return .method(value, name)
        case .list where TemplateMethods.ofLists.contains(name): return .method(value, name)
        case .namespace(let namespace):
            if let found = namespace.attributes[name] { return found }
        case .loop(let state):
            if name == "cycle" || name == "changed" { return .method(value, name) }
            if let found = state.attribute(name) { return found }
        default: break
        }
        return .undefined("\(value.kind) has no attribute '\(name)'")
    }

    /// `value[from:to:step]`.
    static func slice(
        _ value: TemplateValue, from: TemplateValue?, to: TemplateValue?, step: TemplateValue?
    ) throws(TemplateProblem) -> TemplateValue {
        try undefined(value)
        let values: [TemplateValue]
        switch value {
        case .list(let items): values = items
        case .string: values = try items(of: value)
        default: throw TemplateProblem("\(value.kind) cannot be sliced")
        }
        let step = try bound(step) ?? 1
        if step == 0 { throw TemplateProblem("a slice has a step of zero") }
        let (from, to) = (try bound(from), try bound(to))
        let count = values.count
        func place(_ bound: Int?, otherwise: Int) -> Int {
            guard let bound else { return otherwise }
            let place = bound < 0 ? bound + count : bound
            return step > 0 ? min(max(place, 0), count) : min(max(place, -1), count - 1)
        }
        var picked: [TemplateValue] = []
        let start = place(from, otherwise: step > 0 ? 0 : count - 1)
        let stop = place(to, otherwise: step > 0 ? count : -1)
        for index in stride(from: start, to: stop, by: step) { picked.append(values[index]) }
        if case .string = value { return .string(picked.map { TemplateText.shown($0) }.joined()) }
        return .list(picked)
    }

    private static func bound(_ value: TemplateValue?) throws(TemplateProblem) -> Int? {
        switch value {
        case nil, .some(.none): return nil
        case .some(let value):
            // Far outside of any list, and safe to add to.
            if let integer = value.integer { return min(max(integer, -(1 << 60)), 1 << 60) }
            throw TemplateProblem("a slice has the bound \(value.kind)")
        }
    }
}
