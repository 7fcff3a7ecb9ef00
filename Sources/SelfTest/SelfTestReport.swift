/// What came of a self-test.
package struct SelfTestReport: Sendable {
    package let outcomes: [CheckOutcome]

    /// The checks that missed a bound, or failed.
    package var misses: [CheckOutcome] { outcomes.filter { !$0.passes } }

    /// One line a group, in their order, and one for each miss.
    package var table: String {
        var groups: [String] = []
        for outcome in outcomes where groups.last != outcome.group { groups.append(outcome.group) }
        var lines = [row("group", "checks", "missed", "worst error", "its bound", "s", "where")]
        for group in groups {
            let members = outcomes.filter { $0.group == group }
            let worst = members.max { ($0.worst?.share ?? 0) < ($1.worst?.share ?? 0) }
            lines.append(
                row(
                    group, "\(members.count)", "\(members.count { !$0.passes })",
                    worst?.worst.map { scientific($0.error) } ?? "-",
                    worst?.worst.map { scientific($0.bound) } ?? "-",
                    tenths(members.reduce(0) { $0 + $1.seconds }),
                    "\(worst?.worst?.name ?? "-") of \(worst?.name ?? "-")"))
        }
        for miss in misses {
            for measurement in miss.measurements where !measurement.passes {
                lines.append("MISS \(miss.group): \(miss.name), \(measurement.description)")
            }
        }
        return lines.joined(separator: "\n")
    }

    /// As in "212 checks, 0 missed".
    package var summary: String {
        let seconds = outcomes.reduce(0) { $0 + $1.seconds }
        return "\(outcomes.count) checks in \(tenths(seconds)) s, \(misses.count) missed"
    }

    private func row(
        _ group: String, _ checks: String, _ missed: String, _ error: String, _ bound: String,
        _ seconds: String, _ place: String
    ) -> String {
        func left(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        func right(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        return left(group, 18) + right(checks, 7) + right(missed, 7) + right(error, 12)
            + right(bound, 11) + right(seconds, 8) + "  " + place
    }
}
