/// Runs the statements of a template.
struct TemplateInterpreter {
    /// How a body of statements ended.
    private enum Flow {
        case next, breakLoop, continueLoop
    }

    let name: String
    let clock: TemplateClock
    /// Variables, the innermost last.
    private var scopes: [[String: TemplateValue]]
    private var output = ""
    private var macroDepth = 0
    private var loopDepth = 0
    /// Loops within loops over long lists end somewhere.
    private var iterations = 0
    private static let mostIterations = 5_000_000

    init(name: String, variables: [String: TemplateValue], clock: TemplateClock) {
        self.name = name
        self.clock = clock
        scopes = [variables]
        for function in ["range", "namespace", "dict", "raise_exception", "strftime_now"]
        where scopes[0][function] == nil {
            scopes[0][function] = .function(function)
        }
    }

    mutating func run(_ statements: [TemplateStatement]) throws(FormatError) -> String {
        // What a template sets belongs to it, and may hide what it was given.
        scopes.append([:])
        _ = try execute(statements)
        return output
    }

    private func error(_ what: String, _ line: Int) -> FormatError {
        FormatError("\(name), line \(line): \(what)")
    }

    /// Adds the place to what is wrong.
    private func located<Result>(
        _ line: Int, _ body: () throws(TemplateProblem) -> Result
    ) throws(FormatError) -> Result {
        do throws(TemplateProblem) { return try body() } catch {
            throw self.error(error.text, line)
        }
    }

    // MARK: Statements

    private mutating func execute(_ statements: [TemplateStatement]) throws(FormatError) -> Flow {
        for statement in statements {
            let flow = try execute(statement)
            if flow != .next { return flow }
        }
        return .next
    }

    private mutating func execute(_ statement: TemplateStatement) throws(FormatError) -> Flow {
        switch statement {
        case .text(let text): output += text
        case .output(let expression): output += TemplateText.shown(try value(of: expression))
        case .conditional(let branches):
            for branch in branches {
                guard let condition = branch.condition else { return try execute(branch.body) }
                if try value(of: condition).isTrue { return try execute(branch.body) }
            }
        case .loop(let loop): try execute(loop)
        case .assign(let target, let expression, let line):
            try assign(try value(of: expression), to: target, line)
        case .capture(let target, let filters, let body, let line):
            let text = try captured(body)
            try assign(try filtered(.string(text), filters), to: target, line)
        case .macro(let macro):
            scopes[scopes.count - 1][macro.name] = .macro(TemplateMacroValue(macro, scopes: scopes))
        case .call(let expression, let body):
            scopes.append(["caller": .macro(TemplateMacroValue(body, scopes: scopes))])
            defer { scopes.removeLast() }
            output += TemplateText.shown(try value(of: expression))
        case .filtered(let filters, let body):
            let text = try captured(body)
            output += TemplateText.shown(try filtered(.string(text), filters))
        case .scope(let values, let body, let line):
            var evaluated: [TemplateValue] = []
            for (_, expression) in values { evaluated.append(try value(of: expression)) }
            scopes.append([:])
            defer { scopes.removeLast() }
            for ((target, _), value) in zip(values, evaluated) {
                try assign(value, to: target, line)
            }
            return try execute(body)
        case .breakLoop: return .breakLoop
        case .continueLoop: return .continueLoop
        }
        return .next
    }

    private mutating func execute(_ loop: TemplateLoop) throws(FormatError) {
        let whole = try value(of: loop.items)
        var items = try located(loop.line) { () throws(TemplateProblem) in
            try TemplateOperations.items(of: whole)
        }
        if let condition = loop.condition {
            var kept: [TemplateValue] = []
            for item in items {
                scopes.append([:])
                defer { scopes.removeLast() }
                try assign(item, to: loop.target, loop.line)
                if try value(of: condition).isTrue { kept.append(item) }
            }
            items = kept
        }
        if items.isEmpty {
            scopes.append([:])
            defer { scopes.removeLast() }
            _ = try execute(loop.otherwise)
            return
        }
        loopDepth += 1
        defer { loopDepth -= 1 }
        let state = TemplateLoopState(items: items, depth: loopDepth)
        for (index, item) in items.enumerated() {
            iterations += 1
            if iterations > Self.mostIterations {
                throw error("the template's loops take too long", loop.line)
            }
            state.index = index
            scopes.append(["loop": .loop(state)])
            defer { scopes.removeLast() }
            try assign(item, to: loop.target, loop.line)
            if try execute(loop.body) == .breakLoop { break }
        }
    }

    private mutating func assign(
        _ value: TemplateValue, to target: TemplateTarget, _ line: Int
    ) throws(FormatError) {
        switch target {
        case .name(let name): scopes[scopes.count - 1][name] = value
        case .attribute(let name, let attribute):
            guard case .namespace(let namespace)? = variable(name) else {
                throw error("'\(name)' is not a namespace, so its attributes cannot be set", line)
            }
            namespace.attributes[attribute] = value
        case .tuple(let targets):
            let items = try located(line) { () throws(TemplateProblem) in
                try TemplateOperations.items(of: value)
            }
            guard items.count == targets.count else {
                throw error("\(items.count) values are given to \(targets.count) variables", line)
            }
            for (target, item) in zip(targets, items) { try assign(item, to: target, line) }
        }
    }

    /// What the statements would have put out.
    private mutating func captured(_ body: [TemplateStatement]) throws(FormatError) -> String {
        let outer = output
        output = ""
        scopes.append([:])
        defer {
            output = outer
            scopes.removeLast()
        }
        _ = try execute(body)
        return output
    }

    private func variable(_ name: String) -> TemplateValue? {
        for scope in scopes.reversed() {
            if let value = scope[name] { return value }
        }
        return nil
    }

    // MARK: Expressions

    private mutating func value(of expression: TemplateExpression) throws(FormatError)
        -> TemplateValue
    {
        let line = expression.line
        switch expression.kind {
        case .string(let text): return .string(text)
        case .integer(let value): return .integer(value)
        case .number(let value): return .number(value)
        case .bool(let value): return .bool(value)
        case .none: return .none
        case .name(let name): return variable(name) ?? .undefined("'\(name)' is undefined")
        case .list(let elements): return .list(try values(of: elements))
        case .dictionary(let pairs):
            var dictionary = TemplateDictionary()
            for (key, value) in pairs {
                dictionary[try self.value(of: key)] = try self.value(of: value)
            }
            return .dictionary(dictionary)
        case .not(let operand): return .bool(try !value(of: operand).isTrue)
        case .and(let left, let right):
            let first = try value(of: left)
            return first.isTrue ? try value(of: right) : first
        case .or(let left, let right):
            let first = try value(of: left)
            return first.isTrue ? first : try value(of: right)
        case .choice(let condition, let chosen, let otherwise):
            if try value(of: condition).isTrue { return try value(of: chosen) }
            guard let otherwise else { return .undefined("an 'if' without 'else' gave no value") }
            return try value(of: otherwise)
        case .concatenation(let parts):
            return .string(try values(of: parts).map { TemplateText.shown($0) }.joined())
        case .comparison(let first, let others): return try comparison(first, others, line)
        case .call(let callee, let arguments): return try call(callee, arguments, line)
        case .filter(let input, let filter):
            return try filtered(try value(of: input), [filter])
        case .test(let input, let test, let negated):
            let input = try value(of: input)
            let arguments = try values(of: test.arguments)
            let passes = try located(line) { () throws(TemplateProblem) in
                try TemplateTests.passes(test.name, input, arguments)
            }
            return .bool(passes != negated)
        default: return try operation(expression)
        }
    }

    /// The expressions whose operands are all evaluated first.
    private mutating func operation(_ expression: TemplateExpression) throws(FormatError)
        -> TemplateValue
    {
        switch expression.kind {
        case .attribute(let base, let name):
            let base = try value(of: base)
            return try located(expression.line) { () throws(TemplateProblem) in
                try TemplateOperations.attribute(base, name)
            }
        case .item(let base, let key):
            let (base, key) = (try value(of: base), try value(of: key))
            return try located(expression.line) { () throws(TemplateProblem) in
                try TemplateOperations.item(base, key)
            }
        case .slice(let base, let from, let to, let step):
            let base = try value(of: base)
            var bounds: [TemplateValue?] = []
            for bound in [from, to, step] {
                if let bound { bounds.append(try value(of: bound)) } else { bounds.append(nil) }
            }
            return try located(expression.line) { () throws(TemplateProblem) in
                try TemplateOperations.slice(base, from: bounds[0], to: bounds[1], step: bounds[2])
            }
        case .negative(let operand):
            let operand = try value(of: operand)
            return try located(expression.line) { () throws(TemplateProblem) in
                try TemplateOperations.negative(operand)
            }
        case .arithmetic(let symbol, let left, let right):
            let (left, right) = (try value(of: left), try value(of: right))
            return try located(expression.line) { () throws(TemplateProblem) in
                try TemplateOperations.arithmetic(symbol, left, right)
            }
        default: preconditionFailure("every other expression is evaluated by value(of:)")
        }
    }

    private mutating func values(
        of expressions: [TemplateExpression]
    ) throws(FormatError) -> [TemplateValue] {
        var values: [TemplateValue] = []
        for expression in expressions { values.append(try value(of: expression)) }
        return values
    }

    private mutating func values(
        of arguments: TemplateArguments
    ) throws(FormatError) -> TemplateCallArguments {
        var evaluated = TemplateCallArguments(positional: try values(of: arguments.positional))
        for (name, expression) in arguments.named {
            evaluated.named.append((name, try value(of: expression)))
        }
        return evaluated
    }

    private mutating func comparison(
        _ first: TemplateExpression, _ others: [(String, TemplateExpression)], _ line: Int
    ) throws(FormatError) -> TemplateValue {
        var left = try value(of: first)
        for (symbol, expression) in others {
            let right = try value(of: expression)
            let holds = try located(line) { () throws(TemplateProblem) in
                try TemplateOperations.compare(symbol, left, right)
            }
            if !holds { return .bool(false) }
            left = right
        }
        return .bool(true)
    }

    // MARK: Filters

    private mutating func filtered(
        _ value: TemplateValue, _ filters: [TemplateFilter]
    ) throws(FormatError) -> TemplateValue {
        var value = value
        for filter in filters {
            let arguments = try values(of: filter.arguments)
            value = try applied(filter.name, to: value, arguments, filter.line)
        }
        return value
    }

    private func applied(
        _ filter: String, to value: TemplateValue, _ arguments: TemplateCallArguments, _ line: Int
    ) throws(FormatError) -> TemplateValue {
        switch filter {
        case "map": return try mapped(value, arguments, line)
        case "select", "reject", "selectattr", "rejectattr":
            return try selected(filter, value, arguments, line)
        default:
            let result = try located(line) { () throws(TemplateProblem) in
                try TemplateFilters.apply(filter, value, arguments)
            }
            guard let result else { throw error("there is no filter '\(filter)'", line) }
            return result
        }
    }

    /// `map(attribute="a", default=...)` or `map("filter", arguments...)`.
    private func mapped(
        _ value: TemplateValue, _ arguments: TemplateCallArguments, _ line: Int
    ) throws(FormatError) -> TemplateValue {
        var results: [TemplateValue] = []
        let items = try located(line) { () throws(TemplateProblem) in
            try TemplateOperations.items(of: value)
        }
        if let filter = arguments.positional.first {
            guard let name = filter.string else {
                throw error("map takes the name of a filter", line)
            }
            let rest = TemplateCallArguments(
                positional: Array(arguments.positional.dropFirst()), named: arguments.named)
            for item in items { results.append(try applied(name, to: item, rest, line)) }
            return .list(results)
        }
        let bound = try located(line) { () throws(TemplateProblem) in
            try arguments.bound(to: ["attribute", "default"], required: 1, of: "map")
        }
        for item in items {
            let found = try located(line) { () throws(TemplateProblem) in
                try TemplateFilters.attribute(item, TemplateText.shown(bound[0] ?? .none))
            }
            if case .undefined = found {
                results.append(bound[1] ?? found)
            } else {
                results.append(found)
            }
        }
        return .list(results)
    }

    /// `select("test", ...)` and `selectattr("attribute", "test", ...)`, and their opposites.
    private func selected(
        _ filter: String, _ value: TemplateValue, _ arguments: TemplateCallArguments, _ line: Int
    ) throws(FormatError) -> TemplateValue {
        var rest = arguments.positional[...]
        var path: String?
        if filter.hasSuffix("attr") {
            guard let attribute = rest.popFirst()?.string else {
                throw error("\(filter) takes the name of an attribute", line)
            }
            path = attribute
        }
        let test = rest.popFirst()
        let testArguments = TemplateCallArguments(positional: Array(rest), named: arguments.named)
        let wanted = filter.hasPrefix("select")
        return try located(line) { () throws(TemplateProblem) in
            var kept: [TemplateValue] = []
            for item in try TemplateOperations.items(of: value) {
                var subject = item
                if let path { subject = try TemplateFilters.attribute(item, path) }
                var passes = subject.isTrue
                if let test {
                    passes = try TemplateTests.passes(
                        TemplateText.shown(test), subject, testArguments)
                }
                if passes == wanted { kept.append(item) }
            }
            return .list(kept)
        }
    }

    // MARK: Calls

    private mutating func call(
        _ callee: TemplateExpression, _ arguments: TemplateArguments, _ line: Int
    ) throws(FormatError) -> TemplateValue {
        let function = try value(of: callee)
        let arguments = try values(of: arguments)
        switch function {
        case .macro(let macro): return .string(try expanded(macro, arguments, line))
        case .method(let value, let method):
            return try located(line) { () throws(TemplateProblem) in
                try TemplateMethods.call(method, of: value, arguments)
            }
        case .function(let function):
            let clock = clock
            return try located(line) { () throws(TemplateProblem) in
                try TemplateFunctions.call(function, arguments, clock: clock)
            }
        case .undefined(let words): throw error("\(words), so it cannot be called", line)
        default: throw error("\(function.kind) cannot be called", line)
        }
    }

    private mutating func expanded(
        _ value: TemplateMacroValue, _ arguments: TemplateCallArguments, _ line: Int
    ) throws(FormatError) -> String {
        guard macroDepth < 50 else {
            throw error("macros call one another more than 50 levels deep", line)
        }
        let macro = value.macro
        let bound = try located(line) { () throws(TemplateProblem) in
            try arguments.bound(to: macro.parameters.map(\.name), of: "the macro \(macro.name)")
        }
        let caller = macro.name == "caller" ? nil : variable("caller")
        let (outerScopes, outerOutput, outerLoops) = (scopes, output, loopDepth)
        macroDepth += 1
        // The macro itself is known within it.
        scopes = value.scopes + [[macro.name: .macro(value)]]
        if let caller { scopes[scopes.count - 1]["caller"] = caller }
        output = ""
        defer {
            (scopes, output, loopDepth) = (outerScopes, outerOutput, outerLoops)
            macroDepth -= 1
        }
        for (parameter, argument) in zip(macro.parameters, bound) {
            var given = argument
            if given == nil, let fallback = parameter.fallback {
                given = try self.value(of: fallback)
            }
            scopes[scopes.count - 1][parameter.name] =
                given ?? .undefined("'\(parameter.name)' is undefined")
        }
        _ = try execute(macro.body)
        return output
    }
}
