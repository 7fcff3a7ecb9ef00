extension SettingsReader {
    // MARK: Numbers

    /// An integer within limits; the default stands when the key was not given.
    package func int(
        _ key: String, default value: Int, in limits: SettingLimits<Int> = .any, _ help: String
    ) throws(SettingsError) -> Int {
        try read(key, .integer(limits), default: value, help)
    }

    /// An integer that may be null, which stands for "not set".
    package func optionalInt(
        _ key: String, default value: Int? = nil, in limits: SettingLimits<Int> = .any,
        _ help: String
    ) throws(SettingsError) -> Int? {
        try readOptional(key, .integer(limits), default: value, help)
    }

    /// A number within limits; integers are numbers too.
    package func double(
        _ key: String, default value: Double, in limits: SettingLimits<Double> = .any,
        _ help: String
    ) throws(SettingsError) -> Double {
        try read(key, .number(limits), default: value, help)
    }

    /// A number that may be null, which stands for "not set".
    package func optionalDouble(
        _ key: String, default value: Double? = nil, in limits: SettingLimits<Double> = .any,
        _ help: String
    ) throws(SettingsError) -> Double? {
        try readOptional(key, .number(limits), default: value, help)
    }

    // MARK: Truth values and text

    /// `true` or `false`, in Python's spelling too.
    package func bool(_ key: String, default value: Bool, _ help: String) throws(SettingsError)
        -> Bool
    {
        try read(key, .bool, default: value, help)
    }

    /// `true` or `false`, or null, which stands for "not set".
    package func optionalBool(_ key: String, _ help: String) throws(SettingsError) -> Bool? {
        try readOptional(key, .bool, default: nil, help)
    }

    /// A text; numbers are taken as they were written.
    package func string(_ key: String, default value: String, _ help: String)
        throws(SettingsError) -> String
    {
        try read(key, .string, default: value, help)
    }

    /// A text that may be null, which stands for "not set".
    package func optionalString(_ key: String, default value: String? = nil, _ help: String)
        throws(SettingsError) -> String?
    {
        try readOptional(key, .string, default: value, help)
    }

    /// A text that must be given.
    package func requiredString(_ key: String, _ help: String) throws(SettingsError) -> String {
        try readRequired(key, .string, draft: "", help)
    }

    /// One of several names.
    package func choice(
        _ key: String, default value: String, of names: [String], _ help: String
    ) throws(SettingsError) -> String {
        try read(key, .choice(names), default: value, help)
    }

    /// One of several names, or null, which stands for "not set".
    package func optionalChoice(
        _ key: String, default value: String? = nil, of names: [String], _ help: String
    ) throws(SettingsError) -> String? {
        try readOptional(key, .choice(names), default: value, help)
    }

    /// One of the cases of an enumeration, by their raw values.
    package func choice<Choice: CaseIterable & RawRepresentable<String>>(
        _ key: String, default value: Choice, _ help: String
    ) throws(SettingsError) -> Choice {
        let names = Choice.allCases.map(\.rawValue)
        let name = try choice(key, default: value.rawValue, of: names, help)
        guard let chosen = Choice(rawValue: name) else { preconditionFailure("\(name) is a case") }
        return chosen
    }

    // MARK: Paths

    /// A path that must be given; `~`, `$NAME` and `${NAME}` are replaced.
    package func requiredPath(_ key: String, _ help: String) throws(SettingsError) -> String {
        try readRequired(key, .path(record.tree.environment), draft: "", help)
    }

    /// A path with a default; `~`, `$NAME` and `${NAME}` are replaced.
    package func path(_ key: String, default value: String, _ help: String)
        throws(SettingsError) -> String
    {
        try read(key, .path(record.tree.environment), default: value, help)
    }

    /// A path that may be null, which stands for "not set".
    package func optionalPath(_ key: String, default value: String? = nil, _ help: String)
        throws(SettingsError) -> String?
    {
        try readOptional(key, .path(record.tree.environment), default: value, help)
    }

    // MARK: Lists

    /// A list of paths, or one path without brackets; empty when null or not given.
    package func paths(_ key: String, _ help: String) throws(SettingsError) -> [String] {
        try read(key, .list(of: .path(record.tree.environment)), default: [], help)
    }

    /// A list of paths, or one path without brackets, that must be given.
    package func requiredPaths(_ key: String, _ help: String) throws(SettingsError) -> [String] {
        try readRequired(key, .list(of: .path(record.tree.environment)), draft: [], help)
    }

    /// A list of texts, or one text without brackets.
    package func strings(_ key: String, default value: [String], _ help: String)
        throws(SettingsError) -> [String]
    {
        try read(key, .list(of: .string), default: value, help)
    }

    /// A list in which each entry is one of several names.
    package func choices(
        _ key: String, default value: [String], of names: [String], _ help: String
    ) throws(SettingsError) -> [String] {
        try read(key, .list(of: .choice(names)), default: value, help)
    }

    /// A list of numbers, or one number without brackets.
    package func doubles(
        _ key: String, default value: [Double], in limits: SettingLimits<Double> = .any,
        _ help: String
    ) throws(SettingsError) -> [Double] {
        try read(key, .list(of: .number(limits)), default: value, help)
    }

    /// Names with integers, such as `{q_proj: 8}`; names may hold dots. Empty when null.
    package func integerMap(
        _ key: String, in limits: SettingLimits<Int> = .any, _ help: String
    ) throws(SettingsError) -> [String: Int] {
        try readMap(key, .integer(limits), help)
    }

    /// Names with numbers, such as `{q_proj: 16}`; names may hold dots. Empty when null.
    package func doubleMap(
        _ key: String, in limits: SettingLimits<Double> = .any, _ help: String
    ) throws(SettingsError) -> [String: Double] {
        try readMap(key, .number(limits), help)
    }

    /// Any value at all, with its references followed; nil when null.
    package func value(
        _ key: String, type: String, default value: SettingScalar = .null, _ help: String
    ) throws(SettingsError) -> SettingNode? {
        let node = try given(key)
        let found = node ?? SettingNode(value)
        declare(
            key, type: type, defaultValue: SettingNode(value), help: help, value: found,
            origin: node?.origin)
        return found.isNull ? nil : found
    }

    // MARK: The one way all of them go

    private func read<Value>(
        _ key: String, _ type: SettingType<Value>, default value: Value, _ help: String
    ) throws(SettingsError) -> Value {
        let node = try given(key, allowsEnvironment: type.allowsEnvironment)
        let found = try node.map { node throws(SettingsError) in
            if node.isNull, type.emptyStandsForNull { return value }
            return try convert(node, type, key)
        }
        declare(
            key, type: type.words, defaultValue: type.node(value), help: help,
            value: type.node(found ?? value), origin: node?.origin)
        return found ?? value
    }

    private func readOptional<Value>(
        _ key: String, _ type: SettingType<Value>, default value: Value?, _ help: String
    ) throws(SettingsError) -> Value? {
        let node = try given(key, allowsEnvironment: type.allowsEnvironment)
        var found = value
        if let node { found = meansNotSet(node, type) ? nil : try convert(node, type, key) }
        let null = SettingNode(SettingScalar.null)
        declare(
            key, type: type.words + ", or null", defaultValue: value.map(type.node) ?? null,
            help: help, value: found.map(type.node) ?? null, origin: node?.origin)
        return found
    }

    /// Whether a given value means "not set": null, or Hydra's `key=` where no text can stand.
    private func meansNotSet<Value>(_ node: SettingNode, _ type: SettingType<Value>) -> Bool {
        if node.isNull { return true }
        guard case .scalar("", _) = node.content else { return false }
        return type.value(node) == nil
    }

    private func readRequired<Value>(
        _ key: String, _ type: SettingType<Value>, draft: Value, _ help: String
    ) throws(SettingsError) -> Value {
        let node = try given(key, allowsEnvironment: type.allowsEnvironment)
        guard let node, !node.isNull, !node.isEmpty, !node.isMissingMark else {
            guard record.isDraft else { throw missing(key, help) }
            declare(
                key, type: type.words, defaultValue: nil, help: help, value: .missingMark,
                origin: nil)
            return draft
        }
        let found = try convert(node, type, key)
        declare(
            key, type: type.words, defaultValue: nil, help: help, value: type.node(found),
            origin: node.origin)
        return found
    }

    private func readMap<Value>(_ key: String, _ type: SettingType<Value>, _ help: String)
        throws(SettingsError) -> [String: Value]
    {
        let node = try given(key) ?? SettingNode(SettingScalar.null)
        var found: [String: Value] = [:]
        var nodes = SettingMap()
        for (name, entry) in try flatEntries(node, key: key, type: type.words) {
            found[name] = try convert(entry, type, "\(key).\(name)")
            nodes[name] = entry
        }
        let empty = SettingNode(.map(SettingMap()))
        declare(
            key, type: "a map from names to " + type.plural, defaultValue: empty, help: help,
            value: SettingNode(.map(nodes), node.origin), origin: isGiven(key) ? node.origin : nil)
        return found
    }

    /// The entries of a map whose names were perhaps split at their dots.
    private func flatEntries(_ node: SettingNode, key: String, type: String)
        throws(SettingsError) -> [(String, SettingNode)]
    {
        if node.isNull { return [] }
        guard case .map(let map) = node.content else {
            throw mismatch(key, node, "must be a map such as {name: value}")
        }
        var flat: [(String, SettingNode)] = []
        for (name, value) in map.entries {
            guard case .map = value.content else {
                flat.append((name, value))
                continue
            }
            for (rest, inner) in try flatEntries(value, key: key, type: type) {
                flat.append(("\(name).\(rest)", inner))
            }
        }
        return flat
    }

    private func convert<Value>(_ node: SettingNode, _ type: SettingType<Value>, _ key: String)
        throws(SettingsError) -> Value
    {
        guard let value = type.value(node) else {
            throw mismatch(key, node, "must be \(type.words)")
        }
        return value
    }
}
