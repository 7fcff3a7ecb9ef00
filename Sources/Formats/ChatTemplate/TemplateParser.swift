/// Builds the statements of a template from its tokens.
struct TemplateParser {
    private var expressions: TemplateExpressionParser
    private let name: String
    private var depth = 0
    private var loopDepth = 0

    static func parse(_ source: String, name: String) throws(FormatError) -> [TemplateStatement] {
        let tokens = try TemplateLexer.tokens(of: source, name: name)
        var parser = TemplateParser(
            expressions: TemplateExpressionParser(tokens: tokens, name: name), name: name)
        let (body, _) = try parser.statements(until: [])
        return body
    }

    private init(expressions: TemplateExpressionParser, name: String) {
        self.expressions = expressions
        self.name = name
    }

    private func error(_ what: String, line: Int) -> FormatError {
        FormatError("\(name), line \(line): \(what)")
    }

    /// Reads statements up to a tag with one of these names, whose name it returns unconsumed
    /// rest of the tag following; without names, up to the end of the template.
    private mutating func statements(
        until ends: [String]
    ) throws(FormatError) -> (body: [TemplateStatement], end: String) {
        depth += 1
        defer { depth -= 1 }
        let start = expressions.current.line
        guard depth <= 100 else {
            throw error("more than 100 blocks within one another", line: start)
        }
        var body: [TemplateStatement] = []
        while true {
            let token = expressions.current
            switch token.kind {
            case .text(let text):
                expressions.advance()
                body.append(.text(text))
            case .expressionBegin:
                expressions.advance()
                body.append(.output(try expressions.tuple()))
                try expressions.expect(.expressionEnd)
            case .blockBegin:
                expressions.advance()
                let tag = try expressions.name("the name of a tag")
                if ends.contains(tag) { return (body, tag) }
                if let statement = try statement(tag, line: token.line) { body.append(statement) }
            default:
                if let end = ends.last {
                    throw error("the block that begins here has no \(end)", line: start)
                }
                return (body, "")
            }
        }
    }

    /// Reads a body that only one tag can end, and that tag.
    private mutating func body(until end: String) throws(FormatError) -> [TemplateStatement] {
        let (body, _) = try statements(until: [end])
        // `endmacro name` may repeat the name.
        if case .name = expressions.current.kind { expressions.advance() }
        try expressions.expect(.blockEnd)
        return body
    }

    private mutating func statement(
        _ tag: String, line: Int
    ) throws(FormatError) -> TemplateStatement? {
        switch tag {
        case "if": return try conditional()
        case "for": return try loop(line: line)
        case "set": return try assignment(line: line)
        case "macro":
            let name = try expressions.name("the name of a macro")
            return .macro(try macro(named: name, end: "endmacro"))
        case "call":
            let parameters = try expressions.takes("(") ? expressions.parameters() : []
            let call = try expressions.expression()
            try expressions.expect(.blockEnd)
            let body = try body(until: "endcall")
            return .call(call, TemplateMacro(name: "caller", parameters: parameters, body: body))
        case "filter":
            let filters = try expressions.filterChain()
            try expressions.expect(.blockEnd)
            return .filtered(filters, try body(until: "endfilter"))
        case "with": return try with(line: line)
        case "generation":
            try expressions.expect(.blockEnd)
            return .scope([], try body(until: "endgeneration"), line: line)
        case "break", "continue":
            guard loopDepth > 0 else {
                throw error("'\(tag)' stands outside of a loop", line: line)
            }
            try expressions.expect(.blockEnd)
            return tag == "break" ? .breakLoop : .continueLoop
        default: throw error("the tag '\(tag)' is not supported here", line: line)
        }
    }

    private mutating func conditional() throws(FormatError) -> TemplateStatement {
        var branches: [(condition: TemplateExpression?, body: [TemplateStatement])] = []
        var condition: TemplateExpression? = try expressions.tuple()
        try expressions.expect(.blockEnd)
        while true {
            let ends = condition == nil ? ["endif"] : ["elif", "else", "endif"]
            let (body, end) = try statements(until: ends)
            branches.append((condition, body))
            condition = end == "elif" ? try expressions.tuple() : nil
            try expressions.expect(.blockEnd)
            if end == "endif" { return .conditional(branches) }
        }
    }

    private mutating func loop(line: Int) throws(FormatError) -> TemplateStatement {
        let target = try expressions.target()
        guard expressions.takesName("in") else {
            throw error("a 'for' lacks its 'in'", line: line)
        }
        let items = try expressions.tupleWithoutChoice()
        let condition = expressions.takesName("if") ? try expressions.expression() : nil
        if expressions.takesName("recursive") {
            throw error("recursive loops are not supported", line: line)
        }
        try expressions.expect(.blockEnd)
        loopDepth += 1
        let (body, end) = try statements(until: ["else", "endfor"])
        loopDepth -= 1
        try expressions.expect(.blockEnd)
        let otherwise = end == "else" ? try self.body(until: "endfor") : []
        return .loop(
            TemplateLoop(
                target: target, items: items, condition: condition, body: body,
                otherwise: otherwise, line: line))
    }

    private mutating func assignment(line: Int) throws(FormatError) -> TemplateStatement {
        let target = try expressions.target()
        if expressions.takes("=") {
            let value = try expressions.tuple()
            try expressions.expect(.blockEnd)
            return .assign(target, value, line: line)
        }
        let filters = expressions.takes("|") ? try expressions.filterChain() : []
        try expressions.expect(.blockEnd)
        return .capture(target, filters: filters, try body(until: "endset"), line: line)
    }

    private mutating func macro(named name: String, end: String) throws(FormatError)
        -> TemplateMacro
    {
        try expressions.expectSymbol("(")
        let parameters = try expressions.parameters()
        try expressions.expect(.blockEnd)
        // A macro's body is outside of the loop around it.
        let outer = loopDepth
        loopDepth = 0
        defer { loopDepth = outer }
        return TemplateMacro(name: name, parameters: parameters, body: try body(until: end))
    }

    private mutating func with(line: Int) throws(FormatError) -> TemplateStatement {
        var values: [(TemplateTarget, TemplateExpression)] = []
        while expressions.current.kind != .blockEnd {
            if !values.isEmpty { try expressions.expectSymbol(",") }
            let target = try expressions.target()
            try expressions.expectSymbol("=")
            values.append((target, try expressions.expression()))
        }
        try expressions.expect(.blockEnd)
        return .scope(values, try body(until: "endwith"), line: line)
    }
}
