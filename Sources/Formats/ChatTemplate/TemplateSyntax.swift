/// A template as its parser understood it.
indirect enum TemplateStatement: Sendable {
    case text(String)
    case output(TemplateExpression)
    /// The branches in order; the last may have no condition.
    case conditional([(condition: TemplateExpression?, body: [TemplateStatement])])
    case loop(TemplateLoop)
    case assign(TemplateTarget, TemplateExpression, line: Int)
    /// `{% set x %}...{% endset %}`, its text through filters.
    case capture(TemplateTarget, filters: [TemplateFilter], [TemplateStatement], line: Int)
    case macro(TemplateMacro)
    /// `{% call f() %}...{% endcall %}`: the body is what the macro calls as `caller()`.
    case call(TemplateExpression, TemplateMacro)
    /// `{% filter f %}...{% endfilter %}`.
    case filtered([TemplateFilter], [TemplateStatement])
    /// Statements whose assignments end with them (`with`), after assignments of their own.
    case scope([(TemplateTarget, TemplateExpression)], [TemplateStatement], line: Int)
    case breakLoop
    case continueLoop
}

/// `{% for target in items if condition %}...{% else %}...{% endfor %}`.
struct TemplateLoop: Sendable {
    let target: TemplateTarget
    let items: TemplateExpression
    let condition: TemplateExpression?
    let body: [TemplateStatement]
    let otherwise: [TemplateStatement]
    let line: Int
}

/// `{% macro name(parameters) %}...{% endmacro %}`.
struct TemplateMacro: Sendable {
    let name: String
    let parameters: [(name: String, fallback: TemplateExpression?)]
    let body: [TemplateStatement]
}

/// What an assignment assigns to.
indirect enum TemplateTarget: Sendable {
    case name(String)
    /// `namespace.attribute`.
    case attribute(String, String)
    case tuple([TemplateTarget])
}

/// A filter with its arguments.
struct TemplateFilter: Sendable {
    let name: String
    let arguments: TemplateArguments
    let line: Int
}

/// The arguments of a call.
struct TemplateArguments: Sendable {
    var positional: [TemplateExpression] = []
    var named: [(name: String, value: TemplateExpression)] = []
}

/// An expression and the line it stands on.
struct TemplateExpression: Sendable {
    indirect enum Kind: Sendable {
        case string(String)
        case integer(Int)
        case number(Double)
        case bool(Bool)
        case none
        case name(String)
        case list([TemplateExpression])
        case dictionary([(TemplateExpression, TemplateExpression)])
        case attribute(TemplateExpression, String)
        case item(TemplateExpression, TemplateExpression)
        case slice(
            TemplateExpression, from: TemplateExpression?, to: TemplateExpression?,
            step: TemplateExpression?)
        case call(TemplateExpression, TemplateArguments)
        case filter(TemplateExpression, TemplateFilter)
        case test(TemplateExpression, TemplateFilter, negated: Bool)
        case not(TemplateExpression)
        case negative(TemplateExpression)
        case and(TemplateExpression, TemplateExpression)
        case or(TemplateExpression, TemplateExpression)
        /// `+ - * / // % **`.
        case arithmetic(String, TemplateExpression, TemplateExpression)
        case concatenation([TemplateExpression])
        /// `a < b < c`: each neighbour compared.
        case comparison(TemplateExpression, [(String, TemplateExpression)])
        case choice(
            condition: TemplateExpression, TemplateExpression, otherwise: TemplateExpression?)
    }

    let kind: Kind
    let line: Int
}
