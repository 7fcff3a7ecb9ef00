/// The functions a chat template can call, besides its own macros.
enum TemplateFunctions {
    static func call(
        _ name: String, _ arguments: TemplateCallArguments, clock: TemplateClock
    ) throws(TemplateProblem) -> TemplateValue {
        switch name {
        case "raise_exception":
            let message = try arguments.bound(to: ["message"], required: 1, of: name)[0] ?? .none
            throw TemplateProblem(TemplateText.shown(message))
        case "strftime_now":
            let format = try arguments.bound(to: ["format"], required: 1, of: name)[0].text(name)
            return .string(try clock.text(format ?? ""))
        case "range": return try range(arguments)
        case "namespace":
            let namespace = TemplateNamespace()
            for (key, value) in try entries(name, arguments).entries {
                namespace.attributes[TemplateText.shown(key)] = value
            }
            return .namespace(namespace)
        default: return .dictionary(try entries(name, arguments))
        }
    }

    /// `dict(mapping, name=value...)`.
    private static func entries(
        _ name: String, _ arguments: TemplateCallArguments
    ) throws(TemplateProblem) -> TemplateDictionary {
        var dictionary = TemplateDictionary()
        if let first = arguments.positional.first {
            guard case .dictionary(let given) = first, arguments.positional.count == 1 else {
                throw TemplateProblem("\(name) takes one mapping and values with names")
            }
            dictionary = given
        }
        for (name, value) in arguments.named { dictionary[.string(name)] = value }
        return dictionary
    }

    private static func range(_ arguments: TemplateCallArguments) throws(TemplateProblem)
        -> TemplateValue
    {
        var bounds: [Int] = []
        for value in arguments.positional {
            guard let integer = value.integer else {
                throw TemplateProblem("range takes whole numbers, not \(value.kind)")
            }
            bounds.append(integer)
        }
        guard (1...3).contains(bounds.count), arguments.named.isEmpty else {
            throw TemplateProblem("range takes one to three whole numbers")
        }
        let (start, stop) = bounds.count == 1 ? (0, bounds[0]) : (bounds[0], bounds[1])
        let step = bounds.count == 3 ? bounds[2] : 1
        if step == 0 { throw TemplateProblem("range has a step of zero") }
        let (distance, overflows) = stop.subtractingReportingOverflow(start)
        // Jinja's own limit.
        guard !overflows, step != .min, distance / step <= 100_000 else {
            throw TemplateProblem("range is longer than 100000")
        }
        return .list(stride(from: start, to: stop, by: step).map { .integer($0) })
    }
}
