import Formats

/// Typed reads of a `config.json`, whose errors name the file and the key.
struct ConfigFields {
    private let json: JSON
    private let name: String

    init(_ json: JSON, name: String) {
        self.json = json
        self.name = name
    }

    func error(_ sentence: String) -> ModelError {
        ModelError("\(name): \(sentence).")
    }

    /// The value at `key`, `nil` when it is absent or null.
    subscript(key: String) -> JSON? {
        guard let value = json[key], value != .null else { return nil }
        return value
    }

    /// The object at `key`, as fields of its own.
    func object(_ key: String) throws(ModelError) -> ConfigFields? {
        guard let value = self[key] else { return nil }
        guard value.object != nil else { throw mismatch(key, value, "an object") }
        return ConfigFields(value, name: "\(name): \(key)")
    }

    /// Whether the key is not there at all; null counts as there.
    func isAbsent(_ key: String) -> Bool { json[key] == nil }

    /// The whole number at `key`, `nil` when it is absent or null.
    func whole(_ key: String, in range: ClosedRange<Int>) throws(ModelError) -> Int? {
        guard let value = self[key] else { return nil }
        guard let number = value.int, range.contains(number) else {
            throw mismatch(
                key, value, "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A size from 1 to `limit`. Limits are far above any model's sizes; they keep products of
    /// sizes from overflowing.
    func positive(
        _ key: String, upTo limit: Int, default fallback: Int? = nil
    ) throws(ModelError) -> Int {
        if let number = try whole(key, in: 1...limit) { return number }
        guard let fallback else { throw error("the key \(key) is missing") }
        return fallback
    }

    func number(_ key: String, default fallback: Double? = nil) throws(ModelError) -> Double {
        guard let value = self[key] else {
            guard let fallback else { throw error("the key \(key) is missing") }
            return fallback
        }
        guard let number = value.double, number.isFinite, number > 0 else {
            throw mismatch(key, value, "a number above 0")
        }
        return number
    }

    func bool(_ key: String, default fallback: Bool) throws(ModelError) -> Bool {
        guard let value = self[key] else { return fallback }
        guard let flag = value.bool else { throw mismatch(key, value, "true or false") }
        return flag
    }

    func string(_ key: String) throws(ModelError) -> String? {
        guard let value = self[key] else { return nil }
        guard let text = value.string else { throw mismatch(key, value, "a string") }
        return text
    }

    func strings(_ key: String) throws(ModelError) -> [String]? {
        guard let value = self[key] else { return nil }
        guard let items = value.array else { throw mismatch(key, value, "a list of strings") }
        var texts: [String] = []
        for item in items {
            guard let text = item.string else { throw mismatch(key, value, "a list of strings") }
            texts.append(text)
        }
        return texts
    }

    /// One id or a list of ids.
    func tokenIDs(_ key: String) throws(ModelError) -> [Int32] {
        guard let value = self[key] else { return [] }
        var ids: [Int32] = []
        for item in value.array ?? [value] {
            guard let number = item.int, let id = Int32(exactly: number), id >= 0 else {
                throw mismatch(key, value, "a token id or a list of them")
            }
            ids.append(id)
        }
        return ids
    }

    /// Keys that change the computation in ways that are not built.
    func refuseUnsupported() throws(ModelError) {
        if let activation = try string("hidden_act"), activation != "silu" {
            throw error("hidden_act is '\(activation)'; only 'silu' is supported")
        }
        if let method = try object("quantization_config")?.string("quant_method") {
            throw error(
                "quantization_config.quant_method is '\(method)', and such checkpoints are not"
                    + " read; take the model's f32, f16 or bf16 checkpoint, which can be quantised"
                    + " when it is opened (quantization=int8, nf4 or int4)")
        }
        if self["quantization_config"] != nil {
            throw error(
                "there is a quantization_config without a quant_method; only f32, f16 and bf16"
                    + " weights are supported")
        }
        try refusePartialRotary()
    }

    /// Heads of which only a part is turned by its position.
    func refusePartialRotary() throws(ModelError) {
        guard let factor = self["partial_rotary_factor"], factor.double != 1 else { return }
        throw error("partial_rotary_factor is \(factor.serialized()); only 1 is supported")
    }

    private func mismatch(_ key: String, _ value: JSON, _ wanted: String) -> ModelError {
        error("\(key) is \(value.serialized()); it must be \(wanted)")
    }
}
