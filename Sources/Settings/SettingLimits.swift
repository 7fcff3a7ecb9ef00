/// The values that a number may take, with the words for it: `.atLeast(1)`, `.between(0, 1)`.
package struct SettingLimits<Bound: Comparable & Sendable>: Sendable {
    private var lower: Bound?
    private var excludesLower = false
    private var upper: Bound?
    private var extra: Bound?

    /// Every value.
    package static var any: SettingLimits { SettingLimits() }

    /// Values from `lower` on.
    package static func atLeast(_ lower: Bound) -> SettingLimits { SettingLimits(lower: lower) }

    /// Values above `lower`, without it.
    package static func above(_ lower: Bound) -> SettingLimits {
        SettingLimits(lower: lower, excludesLower: true)
    }

    /// Values from `lower` to `upper`, both included.
    package static func between(_ lower: Bound, _ upper: Bound) -> SettingLimits {
        SettingLimits(lower: lower, upper: upper)
    }

    /// Values above `lower` and up to `upper`, which is included.
    package static func above(_ lower: Bound, upTo upper: Bound) -> SettingLimits {
        SettingLimits(lower: lower, excludesLower: true, upper: upper)
    }

    /// The same limits with one more value that has a meaning of its own, such as -1 for "off".
    package func or(_ value: Bound) -> SettingLimits {
        var limits = self
        limits.extra = value
        return limits
    }

    /// Whether a value lies within the limits; not-a-number never does.
    package func contains(_ value: Bound) -> Bool {
        if value == extra { return true }
        guard value == value else { return false }
        if let lower, excludesLower ? !(value > lower) : value < lower { return false }
        if let upper, value > upper { return false }
        return true
    }

    /// The limits in words that follow the type, such as " of at least 1".
    var words: String {
        var text = ""
        switch (lower, upper) {
        case (let lower?, let upper as Int) where upper == SettingLimits<Int>.largestCount:
            text = " of at least \(lower) and below 2^31"
        case (let lower?, let upper?) where excludesLower:
            text = " above \(lower) and at most \(upper)"
        case (let lower?, let upper?): text = " between \(lower) and \(upper)"
        case (let lower?, nil): text = excludesLower ? " above \(lower)" : " of at least \(lower)"
        case (nil, let upper?): text = " of at most \(upper)"
        case (nil, nil): text = ""
        }
        return text + (extra.map { ", or \($0)" } ?? "")
    }
}

extension SettingLimits<Int> {
    /// The largest number of things that a setting may ask for: two of them can be multiplied.
    static let largestCount = Int(Int32.max)

    /// Counts from `lower` on.
    package static func atLeast(_ lower: Int) -> SettingLimits {
        SettingLimits(lower: lower, upper: largestCount)
    }
}
