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

    /// Steps of a whole run; nil where the epochs decide.
    func totalSteps() throws(SettingsError) -> Int? {
        try optionalInt(
            "total_training_steps", in: .atLeast(1),
            "Steps after which the run ends; null for what the epochs give.")
    }

    /// The device by name. verl's own default is `cuda`, so that is no error in a copied file.
    func readDevice() throws(SettingsError) {
        let device = try choice(
            "device", default: "auto", of: ["auto", "cpu", "cuda", "npu"],
            "Where the run computes; this build has the CPU only.")
        if device == "cuda" || device == "npu" {
            unused("device", because: "this build computes on the CPU")
        }
    }

    /// How many threads compute.
    func threads() throws(SettingsError) -> Int {
        try int(
            "threads", default: 0, in: .between(0, 4096), "Threads that compute; 0 for one a core.")
    }
}
