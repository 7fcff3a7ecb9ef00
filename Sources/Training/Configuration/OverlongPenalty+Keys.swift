import Objectives
import Settings

extension OverlongPenalty {
    /// Where verl's recipes put the same keys.
    private static let groups = [
        "reward_model.overlong_buffer", "reward_model.reward_kwargs.overlong_buffer_cfg",
        "reward.reward_kwargs.overlong_buffer_cfg",
    ]

    /// Reads DAPO's soft punishment of overlong responses from the root of the configuration; nil
    /// where it is off.
    static func read(
        _ reader: SettingsReader, maxResponseLength: Int
    ) throws(SettingsError) -> OverlongPenalty? {
        let longest = try longestResponse(reader, default: maxResponseLength)
        var found: (group: String, penalty: OverlongPenalty)?
        for group in groups {
            let scope = reader.scope(group)
            let isOn = try scope.bool(
                "enable", default: false,
                "Take from the score of responses that come near the longest length.")
            let length = try scope.optionalInt(
                "len", in: .atLeast(0),
                "Tokens before the longest length over which the penalty grows to its whole; needed"
                    + " where enable is true.")
            let factor = try scope.double(
                "penalty_factor", default: 1, in: .atLeast(0), "The whole penalty.")
            scope.ignored("log", because: "the penalty is always among the metrics")
            guard isOn else {
                scope.unusedIfSet(
                    ["len", "penalty_factor"], because: "'\(scope.fullKey("enable"))' is false")
                continue
            }
            if let found {
                throw reader.conflict(
                    ["\(found.group).enable", "\(group).enable"],
                    "both are the same setting, so keep one")
            }
            found = (group, try penalty(scope, longest: longest, length, factor))
        }
        return found?.penalty
    }

    private static func penalty(
        _ scope: SettingsReader, longest: Int, _ length: Int?, _ factor: Double
    ) throws(SettingsError) -> OverlongPenalty {
        guard let length, length <= longest else {
            throw scope.conflict(
                ["enable", "len"],
                "the second must be the number of tokens over which the penalty grows, at most the"
                    + " longest response \(longest)")
        }
        do throws(ObjectiveError) {
            return try OverlongPenalty(maxLength: longest, bufferLength: length, factor: factor)
        } catch {
            throw SettingsError("'\(scope.prefix)': \(error)")
        }
    }

    /// verl's `max_resp_len`, which must be the longest response.
    private static func longestResponse(
        _ reader: SettingsReader, default longest: Int
    ) throws(SettingsError) -> Int {
        for key in ["reward_model.reward_kwargs.max_resp_len", "reward.reward_kwargs.max_resp_len"]
        {
            let value = try reader.derived("as data.max_response_length").int(
                key, default: longest, in: .atLeast(1), "The same as data.max_response_length.")
            if value != longest {
                throw reader.conflict(
                    [key, "data.max_response_length"],
                    "these mean the same, so leave the first out")
            }
        }
        return longest
    }
}
