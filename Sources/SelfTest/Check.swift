/// One computation of a device that is held against what it should give.
struct Check {
    /// The table's line that it counts in.
    let group: String
    /// What is computed: type and shapes.
    let name: String
    let run: () throws -> [Measurement]

    /// What it is called where it stands alone.
    var fullName: String { "\(group): \(name)" }
}

/// How far one result lies from what it should be.
package struct Measurement: Sendable {
    /// Which result of the check.
    package let name: String
    package let error: Double
    package let bound: Double
    /// Where it is wrong; empty where it is not.
    package let detail: String

    init(_ name: String, error: Double, bound: Double, detail: String = "") {
        self.name = name
        self.error = error
        self.bound = bound
        self.detail = detail
    }

    /// Something that must be so.
    init(_ name: String, holds: Bool, detail: String = "") {
        self.init(name, error: holds ? 0 : 1, bound: 0, detail: holds ? "" : detail)
    }

    /// False as well for an error that is no number.
    package var passes: Bool { error <= bound }

    /// The part of the bound that is used; what has no room at all counts as nothing or infinitely
    /// much.
    var share: Double {
        if !passes { return .infinity }
        return bound > 0 ? error / bound : 0
    }

    var description: String {
        let place = detail.isEmpty ? "" : "; \(detail)"
        return "\(name): error \(scientific(error)), bound \(scientific(bound))\(place)"
    }
}

/// A check that was run.
package struct CheckOutcome: Sendable {
    package let group: String
    package let name: String
    package let measurements: [Measurement]
    package let seconds: Double

    package var passes: Bool { measurements.allSatisfy(\.passes) && !measurements.isEmpty }
    /// The measurement nearest to its bound, or farthest beyond it.
    var worst: Measurement? { measurements.max { $0.share < $1.share } }
}

/// As in "3.1e-7".
func scientific(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
    var (mantissa, exponent) = (abs(value), 0)
    while mantissa >= 9.95 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
    while mantissa < 0.995 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
    let tenths = Int((mantissa * 10).rounded())
    let sign = value < 0 ? "-" : ""
    return "\(sign)\(tenths / 10).\(tenths % 10)" + (exponent == 0 ? "" : "e\(exponent)")
}
