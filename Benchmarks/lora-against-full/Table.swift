import Foundation

/// The reward whose first reaching is counted.
let threshold = 0.8

extension Study {
    /// The comparison and the sweep of each task, as Markdown.
    func markdown() -> String {
        tasks.map { task in
            ["### \(task)", comparison(task), sweepTable(task)].joined(separator: "\n\n")
        }.joined(separator: "\n\n")
    }

    private func comparison(_ task: String) -> String {
        let reached = String(format: "steps to %.1f", threshold)
        let rows = ranks(task).map { rank in
            let runs = compared(task, rank: rank)
            let steps = runs.map { $0.steps(to: threshold) }
            return [
                name(rank: rank), runs.first?.rate ?? "", "\(runs.count)",
                spread(runs.map(\.start)), spread(runs.map(\.end)), spread(runs.map(\.mean)),
                steps.map { $0.map(String.init) ?? "never" }.joined(separator: ", "),
            ]
        }
        return markdownTable(
            ["", "rate", "seeds", "start", "end", "mean over the curve", reached], rows)
    }

    private func sweepTable(_ task: String) -> String {
        let rates = Set(runs.filter { $0.task == task && $0.seed == sweepSeed }.map(\.rate))
            .sorted { number($0) < number($1) }
        let rows = ranks(task).map { rank in
            let best = best(task, rank: rank)?.rate
            return [name(rank: rank)]
                + rates.map { rate in
                    guard let run = sweep(task, rank: rank).first(where: { $0.rate == rate })
                    else { return "" }
                    let cell = String(format: "%.3f, %.3f", run.mean, run.end)
                    return rate == best ? "**\(cell)**" : cell
                }
        }
        return markdownTable(["mean over the curve, end"] + rates, rows)
    }
}

/// `0.936 (0.928 to 0.944)`: the mean and the range, or one number where they are the same.
private func spread(_ values: [Double]) -> String {
    guard let low = values.min(), let high = values.max() else { return "" }
    let mean = String(format: "%.3f", average(values))
    return low == high ? mean : mean + String(format: " (%.3f to %.3f)", low, high)
}

private func markdownTable(_ header: [String], _ rows: [[String]]) -> String {
    ([header, header.map { _ in "---" }] + rows).map { "| \($0.joined(separator: " | ")) |" }
        .joined(separator: "\n")
}
