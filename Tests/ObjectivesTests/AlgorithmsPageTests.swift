import Foundation
import Testing

@testable import Objectives

/// The tables of Documentation/Algorithms.md.
struct AlgorithmsPageTests {
    /// The names (in backquotes) of the first cells of the tables below a heading, and all rows.
    private struct Section {
        var names: [String] = []
        var rows: [[Substring]] = []
    }

    private func sections() throws -> [String: Section] {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let page = root.appendingPathComponent("Documentation/Algorithms.md")
        var sections: [String: Section] = [:]
        var heading = ""
        for line in try String(contentsOf: page, encoding: .utf8).split(separator: "\n") {
            if line.hasPrefix("## ") { heading = String(line.dropFirst(3)) }
            guard line.hasPrefix("| `") else { continue }
            let cells = line.split(separator: "|")
            sections[heading, default: Section()].rows.append(cells)
            let names = cells[0].split(separator: "`", omittingEmptySubsequences: false)
            sections[heading, default: Section()].names +=
                names.indices.filter { $0 % 2 == 1 }.map { String(names[$0]) }
        }
        return sections
    }

    @Test(
        "every registered name has its row, and every row is of something registered",
        arguments: [
            ("Advantage estimators", AdvantageEstimator.all.map(\.name)),
            ("Policy losses", PolicyLossMode.all.map(\.name) + ["bypass_mode"]),
            ("Aggregations", LossAggregation.allCases.map(\.rawValue)),
            (
                "KL to the reference",
                KLEstimator.names + KLController.names + ["base", "initial", "ema", "DIR"]
            ),
            (
                "Rollout correction",
                RolloutCorrectionSettings.Weighting.allCases.map(\.rawValue)
                    + ["rollout_is_batch_normalize"] + RejectionRule.names
                    + BypassLoss.allCases.map(\.rawValue)
            ),
            (
                "What a step learns from",
                PFPPOSettings.Method.allCases.map(\.rawValue)
                    + ["filter_groups", "overlong_buffer", "mask_truncated"]
            ),
            ("Critic", ["value_loss", "critic_warmup"]),
        ])
    func rows(heading: String, names: [String]) throws {
        let section = try #require(try sections()[heading])
        #expect(section.names.sorted() == names.sorted())
    }

    @Test("every row has its name, formula, source, keys and when to use it")
    func cells() throws {
        for (heading, section) in try sections() {
            for row in section.rows {
                #expect(row.count == 5, "\(heading): \(row[0])")
                #expect(row.allSatisfy { $0.contains { $0 != " " } }, "\(heading): \(row[0])")
            }
        }
    }
}
