/// Reads expressions, with the precedence of Jinja.
struct TemplateExpressionParser {
    private let tokens: [TemplateToken]
    private let name: String
    private var index = 0
    private var depth = 0
    /// How many operators may follow one another; each deepens the tree by one.
    private static let longestChain = 300

    init(tokens: [TemplateToken], name: String) {
        self.tokens = tokens
        self.name = name
    }

    // MARK: Tokens

    var current: TemplateToken { tokens[min(index, tokens.count - 1)] }

    mutating func advance() { index += 1 }

    private func error(_ what: String) -> FormatError {
        FormatError("\(name), line \(current.line): \(what)")
    }

    /// The present token in words.
    private var found: String {
        switch current.kind {
        case .name(let text), .symbol(let text): "'\(text)'"
        case .string: "a text"
        case .integer, .number: "a number"
        case .blockEnd: "'%}'"
        case .expressionEnd: "'}}'"
        default: "the end"
        }
    }

    mutating func takes(_ symbol: String) -> Bool {
        guard current.kind == .symbol(symbol) else { return false }
        advance()
        return true
    }

    mutating func takesName(_ word: String) -> Bool {
        guard current.kind == .name(word) else { return false }
        advance()
        return true
    }

    mutating func expect(_ kind: TemplateToken.Kind) throws(FormatError) {
        guard current.kind == kind else {
            let wanted = kind == .blockEnd ? "'%}'" : "'}}'"
            throw error("\(found) stands where \(wanted) belongs")
        }
        advance()
    }

    mutating func expectSymbol(_ symbol: String) throws(FormatError) {
        guard takes(symbol) else { throw error("\(found) stands where '\(symbol)' belongs") }
    }

    mutating func name(_ what: String) throws(FormatError) -> String {
        guard case .name(let name) = current.kind else {
            throw error("\(found) stands where \(what) belongs")
        }
        advance()
        return name
    }

    // MARK: Targets and lists

    /// What `for` and `set` assign to: names, a namespace's attribute, or several of them.
    mutating func target() throws(FormatError) -> TemplateTarget {
        var targets = [try singleTarget()]
        var isTuple = false
        while takes(",") {
            isTuple = true
            guard case .name(let word) = current.kind, word != "in" else { break }
            targets.append(try singleTarget())
        }
        return isTuple ? .tuple(targets) : targets[0]
    }

    private mutating func singleTarget() throws(FormatError) -> TemplateTarget {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 100 else { throw error("more than 100 brackets within one another") }
        if takes("(") {
            let inner = try target()
            try expectSymbol(")")
            return inner
        }
        let name = try name("a variable")
        return takes(".") ? .attribute(name, try self.name("an attribute")) : .name(name)
    }

    /// The parameters of a macro, after the opening bracket.
    mutating func parameters() throws(FormatError) -> [(
        name: String, fallback: TemplateExpression?
    )] {
        var parameters: [(name: String, fallback: TemplateExpression?)] = []
        while !takes(")") {
            if !parameters.isEmpty { try expectSymbol(",") }
            if takes(")") { break }
            let name = try name("a parameter")
            parameters.append((name, takes("=") ? try expression() : nil))
        }
        return parameters
    }

    /// One expression, or several with commas, which make a list.
    mutating func tuple() throws(FormatError) -> TemplateExpression {
        try tuple { parser throws(FormatError) in try parser.expression() }
    }

    /// The same without a conditional expression, whose `if` would swallow that of a `for`.
    mutating func tupleWithoutChoice() throws(FormatError) -> TemplateExpression {
        try tuple { parser throws(FormatError) in try parser.disjunction() }
    }

    private mutating func tuple(
        _ element: (inout TemplateExpressionParser) throws(FormatError) -> TemplateExpression
    ) throws(FormatError) -> TemplateExpression {
        let line = current.line
        var elements = [try element(&self)]
        var isTuple = false
        while takes(",") {
            isTuple = true
            switch current.kind {
            case .blockEnd, .expressionEnd, .symbol(")"): break
            default:
                elements.append(try element(&self))
                continue
            }
            break
        }
        return isTuple ? TemplateExpression(kind: .list(elements), line: line) : elements[0]
    }

    // MARK: Operators

    mutating func expression() throws(FormatError) -> TemplateExpression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 100 else { throw error("more than 100 brackets within one another") }
        var value = try disjunction()
        var links = 0
        while case .name("if") = current.kind {
            let line = current.line
            advance()
            try count(&links)
            let condition = try disjunction()
            let otherwise = takesName("else") ? try expression() : nil
            value = TemplateExpression(
                kind: .choice(condition: condition, value, otherwise: otherwise), line: line)
        }
        return value
    }

    private func count(_ links: inout Int) throws(FormatError) {
        links += 1
        if links > Self.longestChain {
            throw error("more than \(Self.longestChain) operators in one expression")
        }
    }

    private mutating func disjunction() throws(FormatError) -> TemplateExpression {
        var value = try conjunction()
        var links = 0
        while case .name("or") = current.kind {
            let line = current.line
            advance()
            try count(&links)
            value = TemplateExpression(kind: .or(value, try conjunction()), line: line)
        }
        return value
    }

    private mutating func conjunction() throws(FormatError) -> TemplateExpression {
        var value = try negation()
        var links = 0
        while case .name("and") = current.kind {
            let line = current.line
            advance()
            try count(&links)
            value = TemplateExpression(kind: .and(value, try negation()), line: line)
        }
        return value
    }

    private mutating func negation() throws(FormatError) -> TemplateExpression {
        let line = current.line
        var isNegated = false
        var negations = 0
        while takesName("not") {
            isNegated.toggle()
            negations += 1
        }
        let value = try comparison()
        if negations == 0 { return value }
        let negated = TemplateExpression(kind: .not(value), line: line)
        return isNegated ? negated : TemplateExpression(kind: .not(negated), line: line)
    }

    private mutating func comparison() throws(FormatError) -> TemplateExpression {
        let first = try sum()
        let line = current.line
        var others: [(String, TemplateExpression)] = []
        while let operation = comparisonOperator() { others.append((operation, try sum())) }
        if others.isEmpty { return first }
        return TemplateExpression(kind: .comparison(first, others), line: line)
    }

    private mutating func comparisonOperator() -> String? {
        switch current.kind {
        case .symbol(let symbol) where ["==", "!=", "<", "<=", ">", ">="].contains(symbol):
            advance()
            return symbol
        case .name("in"):
            advance()
            return "in"
        case .name("not") where index + 1 < tokens.count && tokens[index + 1].kind == .name("in"):
            index += 2
            return "not in"
        default: return nil
        }
    }

    private mutating func sum() throws(FormatError) -> TemplateExpression {
        var value = try concatenation()
        var links = 0
        while case .symbol(let symbol) = current.kind, symbol == "+" || symbol == "-" {
            let line = current.line
            advance()
            try count(&links)
            value = TemplateExpression(
                kind: .arithmetic(symbol, value, try concatenation()), line: line)
        }
        return value
    }

    private mutating func concatenation() throws(FormatError) -> TemplateExpression {
        let line = current.line
        var parts = [try product()]
        while takes("~") { parts.append(try product()) }
        if parts.count == 1 { return parts[0] }
        return TemplateExpression(kind: .concatenation(parts), line: line)
    }

    private mutating func product() throws(FormatError) -> TemplateExpression {
        var value = try power()
        var links = 0
        while case .symbol(let symbol) = current.kind, ["*", "/", "//", "%"].contains(symbol) {
            let line = current.line
            advance()
            try count(&links)
            value = TemplateExpression(kind: .arithmetic(symbol, value, try power()), line: line)
        }
        return value
    }

    private mutating func power() throws(FormatError) -> TemplateExpression {
        var value = try signed(withFilters: true)
        var links = 0
        while case .symbol("**") = current.kind {
            let line = current.line
            advance()
            try count(&links)
            let exponent = try signed(withFilters: true)
            value = TemplateExpression(kind: .arithmetic("**", value, exponent), line: line)
        }
        return value
    }

    private mutating func signed(withFilters: Bool) throws(FormatError) -> TemplateExpression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 100 else { throw error("more than 100 brackets within one another") }
        let line = current.line
        var value: TemplateExpression
        if takes("-") {
            value = TemplateExpression(kind: .negative(try signed(withFilters: false)), line: line)
        } else if takes("+") {
            value = try signed(withFilters: false)
        } else {
            value = try postfixes(of: primary())
        }
        if withFilters { value = try filtersAndTests(of: value) }
        return value
    }

    // MARK: What follows a value

    private mutating func postfixes(
        of value: TemplateExpression
    ) throws(FormatError) -> TemplateExpression {
        var value = value
        var links = 0
        while true {
            let line = current.line
            try count(&links)
            if takes(".") {
                if case .integer(let index) = current.kind {
                    advance()
                    let place = TemplateExpression(kind: .integer(index), line: line)
                    value = TemplateExpression(kind: .item(value, place), line: line)
                } else {
                    value = TemplateExpression(
                        kind: .attribute(value, try name("an attribute")), line: line)
                }
            } else if takes("[") {
                value = try subscripted(value, line: line)
            } else if takes("(") {
                value = TemplateExpression(kind: .call(value, try arguments()), line: line)
            } else {
                return value
            }
        }
    }

    private mutating func subscripted(
        _ value: TemplateExpression, line: Int
    ) throws(FormatError) -> TemplateExpression {
        var bounds: [TemplateExpression?] = []
        while true {
            let isEmpty = current.kind == .symbol(":") || current.kind == .symbol("]")
            bounds.append(isEmpty ? nil : try expression())
            if bounds.count < 3, takes(":") { continue }
            break
        }
        try expectSymbol("]")
        if bounds.count == 1 {
            guard let place = bounds[0] else { throw error("an index is missing") }
            return TemplateExpression(kind: .item(value, place), line: line)
        }
        let step = bounds.count == 3 ? bounds[2] : nil
        return TemplateExpression(
            kind: .slice(value, from: bounds[0], to: bounds[1], step: step), line: line)
    }

    /// The arguments of a call, after the opening bracket.
    private mutating func arguments() throws(FormatError) -> TemplateArguments {
        var arguments = TemplateArguments()
        var isFirst = true
        while !takes(")") {
            if !isFirst { try expectSymbol(",") }
            isFirst = false
            if takes(")") { break }
            if case .name(let name) = current.kind, index + 1 < tokens.count,
                tokens[index + 1].kind == .symbol("=")
            {
                index += 2
                arguments.named.append((name, try expression()))
            } else if arguments.named.isEmpty {
                arguments.positional.append(try expression())
            } else {
                throw error("an argument without a name follows one with a name")
            }
        }
        return arguments
    }

    /// `name(arguments) | name ...`, the first without its bar.
    mutating func filterChain() throws(FormatError) -> [TemplateFilter] {
        var filters: [TemplateFilter] = []
        repeat { filters.append(try filter()) } while takes("|")
        return filters
    }

    private mutating func filter() throws(FormatError) -> TemplateFilter {
        let line = current.line
        let name = try name("the name of a filter")
        let arguments = takes("(") ? try arguments() : TemplateArguments()
        return TemplateFilter(name: name, arguments: arguments, line: line)
    }

    private mutating func filtersAndTests(
        of value: TemplateExpression
    ) throws(FormatError) -> TemplateExpression {
        var value = value
        var links = 0
        while true {
            let line = current.line
            try count(&links)
            if takes("|") {
                value = TemplateExpression(kind: .filter(value, try filter()), line: line)
            } else if takesName("is") {
                let isNegated = takesName("not")
                let test = try test()
                value = TemplateExpression(
                    kind: .test(value, test, negated: isNegated), line: line)
            } else if takes("(") {
                value = TemplateExpression(kind: .call(value, try arguments()), line: line)
            } else {
                return value
            }
        }
    }

    /// A test's name and its argument, which needs no brackets.
    private mutating func test() throws(FormatError) -> TemplateFilter {
        let line = current.line
        let name = try name("the name of a test")
        var arguments = TemplateArguments()
        switch current.kind {
        case .symbol("("):
            advance()
            arguments = try self.arguments()
        case .string, .integer, .number, .symbol("["), .symbol("{"):
            arguments.positional = [try postfixes(of: primary())]
        case .name(let word) where !["else", "or", "and", "if", "is", "in", "not"].contains(word):
            arguments.positional = [try postfixes(of: primary())]
        default: break
        }
        return TemplateFilter(name: name, arguments: arguments, line: line)
    }

    // MARK: Values

    private mutating func primary() throws(FormatError) -> TemplateExpression {
        let token = current
        advance()
        switch token.kind {
        case .string(var text):
            // Texts side by side are one.
            while case .string(let more) = current.kind {
                text += more
                advance()
            }
            return TemplateExpression(kind: .string(text), line: token.line)
        case .integer(let value): return TemplateExpression(kind: .integer(value), line: token.line)
        case .number(let value): return TemplateExpression(kind: .number(value), line: token.line)
        case .name(let name): return TemplateExpression(kind: Self.named(name), line: token.line)
        case .symbol("("):
            if takes(")") { return TemplateExpression(kind: .list([]), line: token.line) }
            let value = try tuple()
            try expectSymbol(")")
            return value
        case .symbol("["):
            return TemplateExpression(kind: .list(try elements(until: "]")), line: token.line)
        case .symbol("{"): return try dictionary(line: token.line)
        default:
            index -= 1
            throw error("\(found) stands where a value belongs")
        }
    }

    private static func named(_ name: String) -> TemplateExpression.Kind {
        switch name {
        case "true", "True": .bool(true)
        case "false", "False": .bool(false)
        case "none", "None": .none
        default: .name(name)
        }
    }

    private mutating func elements(until end: String) throws(FormatError) -> [TemplateExpression] {
        var elements: [TemplateExpression] = []
        while !takes(end) {
            if !elements.isEmpty { try expectSymbol(",") }
            if takes(end) { break }
            elements.append(try expression())
        }
        return elements
    }

    private mutating func dictionary(line: Int) throws(FormatError) -> TemplateExpression {
        var pairs: [(TemplateExpression, TemplateExpression)] = []
        while !takes("}") {
            if !pairs.isEmpty { try expectSymbol(",") }
            if takes("}") { break }
            let key = try expression()
            try expectSymbol(":")
            pairs.append((key, try expression()))
        }
        return TemplateExpression(kind: .dictionary(pairs), line: line)
    }
}
