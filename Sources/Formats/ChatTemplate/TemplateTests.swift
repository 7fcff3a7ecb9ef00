/// The tests after `is`.
enum TemplateTests {
    static func passes(
        _ name: String, _ value: TemplateValue, _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> Bool {
        if let symbol = comparisons[name] {
            let other = try arguments.bound(to: ["other"], required: 1, of: name)[0] ?? .none
            return try TemplateOperations.compare(symbol, value, other)
        }
        if name == "divisibleby" {
            let divisor = try arguments.bound(to: ["num"], required: 1, of: name)[0] ?? .none
            let rest = try TemplateOperations.arithmetic("%", value, divisor)
            return rest.number == 0
        }
        guard let result = plain(name, value) else {
            throw TemplateProblem("there is no test '\(name)'")
        }
        _ = try arguments.bound(to: [], of: name)
        return try result.get()
    }

    private static let comparisons = [
        "eq": "==", "equalto": "==", "sameas": "==", "ne": "!=", "lt": "<", "lessthan": "<",
        "le": "<=", "gt": ">", "greaterthan": ">", "ge": ">=", "in": "in",
    ]

    /// Tests without arguments; nil when there is none of this name.
    private static func plain(
        _ name: String, _ value: TemplateValue
    ) -> Result<Bool, TemplateProblem>? {
        switch name {
        case "defined": if case .undefined = value { .success(false) } else { .success(true) }
        case "undefined": if case .undefined = value { .success(true) } else { .success(false) }
        case "none": if case .none = value { .success(true) } else { .success(false) }
        case "boolean": if case .bool = value { .success(true) } else { .success(false) }
        case "true": if case .bool(true) = value { .success(true) } else { .success(false) }
        case "false": if case .bool(false) = value { .success(true) } else { .success(false) }
        case "string": .success(value.string != nil)
        case "integer": if case .integer = value { .success(true) } else { .success(false) }
        case "float": if case .number = value { .success(true) } else { .success(false) }
        case "number": .success(value.number != nil)
        case "mapping": if case .dictionary = value { .success(true) } else { .success(false) }
        case "iterable", "sequence": .success(isIterable(value, asSequence: name == "sequence"))
        case "callable":
            switch value {
            case .macro, .function, .method: .success(true)
            default: .success(false)
            }
        case "odd", "even":
            if let integer = value.integer {
                .success((integer % 2 != 0) == (name == "odd"))
            } else {
                .failure(TemplateProblem("'\(name)' takes a whole number, not \(value.kind)"))
            }
        case "upper", "lower":
            .success(TemplateStrings.hasOnlyCase(TemplateText.shown(value), upper: name == "upper"))
        default: nil
        }
    }

    /// An undefined value goes through a loop as if it were empty, but has no items.
    private static func isIterable(_ value: TemplateValue, asSequence: Bool) -> Bool {
        switch value {
        case .string, .list, .dictionary: true
        case .undefined: !asSequence
        default: false
        }
    }
}
