import Foundation

/// One training run: what was varied in it, and its validation rewards.
struct Run {
    let task: String
    /// The adapter's rank; 0 trains the whole model.
    let rank: Int
    /// The learning rate as it was given to the program.
    let rate: String
    let seed: Int
    var curve: [Validation]

    struct Validation {
        let step: Int
        let reward: Double
    }

    var start: Double { curve.first?.reward ?? .nan }
    var end: Double { curve.last?.reward ?? .nan }

    /// The mean over all validations, the one before the first step included.
    var mean: Double { average(curve.map(\.reward)) }

    /// The first validated step with at least this reward, or nil.
    func steps(to reward: Double) -> Int? { curve.first { $0.reward >= reward }?.step }
}

/// `full training` or `rank 8`.
func name(rank: Int) -> String { rank == 0 ? "full training" : "rank \(rank)" }

func average(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

// MARK: - The folders of the runs

/// Reads `FOLDER/TASK/rank-R/rate-L/seed-S`; only runs that have a file `finished`.
func readRuns(folder: String) throws -> [Run] {
    let files = FileManager.default
    var runs: [Run] = []
    for task in try files.contentsOfDirectory(atPath: folder) {
        for path in try files.subpathsOfDirectory(atPath: "\(folder)/\(task)") {
            let parts = path.split(separator: "/").map(String.init)
            guard parts.count == 4, parts[3] == "finished" else { continue }
            let values = zip(parts, ["rank-", "rate-", "seed-"]).map { $0.dropFirst($1.count) }
            guard let rank = Int(values[0]), let seed = Int(values[2]) else { continue }
            let metrics = "\(folder)/\(task)/\(parts[0...2].joined(separator: "/"))/metrics.jsonl"
            runs.append(
                Run(
                    task: task, rank: rank, rate: String(values[1]), seed: seed,
                    curve: try readCurve(metrics)))
        }
    }
    return runs.sorted {
        ($0.task, $0.rank, number($0.rate), $0.seed) < ($1.task, $1.rank, number($1.rate), $1.seed)
    }
}

/// The lines of a run's metrics that have a validation reward.
private func readCurve(_ path: String) throws -> [Run.Validation] {
    try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").compactMap { line in
        let row = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        let metrics = row?["data"] as? [String: Any] ?? [:]
        let key = metrics.keys.first { $0.hasPrefix("val-core/") && $0.hasSuffix("/reward/mean@1") }
        guard let step = row?["step"] as? Int, let key, let reward = metrics[key] as? Double
        else { return nil }
        return Run.Validation(step: step, reward: reward)
    }
}

func number(_ rate: String) -> Double { Double(rate) ?? .nan }

// MARK: - CSV

private let header = "task,rank,rate,seed,step,reward"

func writeCSV(_ runs: [Run], to path: String) throws {
    let rows = runs.flatMap { run in
        run.curve.map {
            "\(run.task),\(run.rank),\(run.rate),\(run.seed),\($0.step),\($0.reward)"
        }
    }
    try ([header] + rows + [""]).joined(separator: "\n")
        .write(toFile: path, atomically: true, encoding: .utf8)
}

/// Runs in the order of the file, whose rows of one run follow one another.
func readCSV(_ path: String) throws -> [Run] {
    var runs: [Run] = []
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    for line in lines.dropFirst() {
        let fields = line.split(separator: ",").map(String.init)
        guard fields.count == 6, let rank = Int(fields[1]), let seed = Int(fields[3]),
            let step = Int(fields[4]), let reward = Double(fields[5])
        else { fail("\(path) has a row that is not \(header): \(line)") }
        let validation = Run.Validation(step: step, reward: reward)
        if let last = runs.last, last.task == fields[0], last.rank == rank,
            last.rate == fields[2], last.seed == seed
        {
            runs[runs.count - 1].curve.append(validation)
        } else {
            runs.append(
                Run(
                    task: fields[0], rank: rank, rate: fields[2], seed: seed, curve: [validation]))
        }
    }
    return runs
}
