/// The values a function, a filter, a test or a method is called with.
struct TemplateCallArguments {
    var positional: [TemplateValue] = []
    var named: [(name: String, value: TemplateValue)] = []

    /// The values of the parameters in their order, nil for one that is not given.
    /// Throws when there are too many, too few, or one with another name.
    func bound(
        to parameters: [String], required: Int = 0, of callee: String
    ) throws(TemplateProblem) -> [TemplateValue?] {
        guard positional.count <= parameters.count else {
            throw TemplateProblem(
                "\(callee) takes \(parameters.count) arguments at most, not \(positional.count)")
        }
        var values = positional.map { Optional($0) }
        values += Array(repeating: nil, count: parameters.count - positional.count)
        for (name, value) in named {
            guard let place = parameters.firstIndex(of: name), values[place] == nil else {
                throw TemplateProblem("\(callee) has no argument '\(name)', or has it twice")
            }
            values[place] = value
        }
        for (place, parameter) in parameters.prefix(required).enumerated()
        where values[place] == nil {
            throw TemplateProblem("\(callee) lacks its argument '\(parameter)'")
        }
        return values
    }
}

extension TemplateValue? {
    /// The text of an argument, or nil when it is not given or none.
    func text(_ what: String) throws(TemplateProblem) -> String? {
        switch self {
        case nil, .some(.none): return nil
        case .some(.string(let text)): return text
        case .some(let value): throw TemplateProblem("\(what) takes a text, not \(value.kind)")
        }
    }

    /// The whole number of an argument, or nil when it is not given or none.
    func integer(_ what: String) throws(TemplateProblem) -> Int? {
        switch self {
        case nil, .some(.none): return nil
        case .some(let value):
            if let integer = value.integer { return integer }
            throw TemplateProblem("\(what) takes a whole number, not \(value.kind)")
        }
    }

    static func == (left: Self, right: _OptionalNilComparisonType) -> Bool {
        if case .some = left { false } else { true }
    }
}
