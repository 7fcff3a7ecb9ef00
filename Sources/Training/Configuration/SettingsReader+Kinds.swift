import Formats
import Settings

// Kinds of values that several groups share.

extension SettingsReader {
    /// A number of samples, where -1 stands for all of them.
    func sampleLimit(_ key: String) throws(SettingsError) -> Int? {
        let limit = try int(
            key, default: -1, in: .atLeast(1).or(-1), "How many rows are used; -1 for all.")
        return limit == -1 ? nil : limit
    }

    /// An interval in steps, where -1 stands for never.
    func stepInterval(_ key: String, _ help: String) throws(SettingsError) -> Int? {
        let interval = try int(key, default: -1, in: .atLeast(1).or(-1), help)
        return interval == -1 ? nil : interval
    }

    /// A map of any values; empty when null.
    func jsonObject(_ key: String, _ help: String) throws(SettingsError) -> JSONObject {
        guard let node = try value(key, type: "a map", help) else { return JSONObject() }
        guard case .object(let object) = JSON(node) else {
            throw invalid(key, "must be a map such as {name: value}")
        }
        return object
    }
}
