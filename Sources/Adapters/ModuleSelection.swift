/// Which modules of a model are meant, in PEFT's words (`target_modules`, `exclude_modules`).
package enum ModuleSelection: Sendable, Equatable {
    /// Every projection of every layer, never the head: `"all-linear"`.
    case allLinear
    /// Modules whose full name is one of these or ends in `.` and one of these.
    case names([String])
    /// Modules whose full name a regular expression matches from beginning to end.
    case pattern(String)

    /// A test for full module names such as `model.layers.0.self_attn.q_proj`.
    ///
    /// - Parameter key: where the selection is written, for messages.
    /// - Throws: when the regular expression is none.
    func matcher(key: String) throws(AdapterError) -> (String) -> Bool {
        switch self {
        case .allLinear: return { ProjectionName.all.contains(ProjectionName.last(of: $0)) }
        case .names(let names):
            return { module in names.contains { $0 == module || module.hasSuffix(".\($0)") } }
        case .pattern(let pattern): return try fullMatcher(pattern, key: key)
        }
    }

    /// The selection as a message shows it.
    var text: String {
        switch self {
        case .allLinear: "\"all-linear\""
        case .names(let names): "[\(names.map { "\"\($0)\"" }.joined(separator: ", "))]"
        case .pattern(let pattern): "\"\(pattern)\""
        }
    }
}

/// A value for the modules whose name a key matches (PEFT's `rank_pattern` and `alpha_pattern`).
package struct ModulePattern<Value: Sendable & Equatable>: Sendable, Equatable {
    /// A regular expression for the end of a module's name, from a dot or the beginning.
    package let key: String
    /// What the modules get.
    package let value: Value

    package init(_ key: String, _ value: Value) {
        self.key = key
        self.value = value
    }

    /// A test for full module names: `^(.*\.)?(KEY)$`, as in PEFT's `get_pattern_key`.
    func matcher(table: String) throws(AdapterError) -> (String) -> Bool {
        try fullMatcher("(?:.*\\.)?(?:\(key))", key: "\(table): \(key)")
    }
}

/// A test whether a regular expression matches a whole text.
private func fullMatcher(_ pattern: String, key: String) throws(AdapterError) -> (String) -> Bool {
    do {
        let regex = try Regex(pattern)
        return { (try? regex.wholeMatch(in: $0)) != nil }
    } catch {
        throw AdapterError("\(key) is no regular expression: \"\(pattern)\".")
    }
}
