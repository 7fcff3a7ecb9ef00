/// All runs, and which of them are compared.
struct Study {
    let runs: [Run]
    /// The seed of the runs that choose the learning rate; the others are compared.
    let sweepSeed: Int

    /// The tasks in order of difficulty: the one with the highest reward at the start first.
    var tasks: [String] {
        let starts = Dictionary(runs.map { ($0.task, $0.start) }, uniquingKeysWith: max)
        return starts.keys.sorted { starts[$0, default: 0] > starts[$1, default: 0] }
    }

    /// Full training first, then the ranks upwards.
    func ranks(_ task: String) -> [Int] {
        Set(runs.filter { $0.task == task }.map(\.rank)).sorted()
    }

    /// The runs of the sweep, by rising learning rate.
    func sweep(_ task: String, rank: Int) -> [Run] {
        runs.filter { $0.task == task && $0.rank == rank && $0.seed == sweepSeed }
            .sorted { number($0.rate) < number($1.rate) }
    }

    /// The run of the sweep with the highest mean over its curve.
    func best(_ task: String, rank: Int) -> Run? {
        sweep(task, rank: rank).max { $0.mean < $1.mean }
    }

    /// The runs at the best learning rate with other seeds than the sweep's.
    func compared(_ task: String, rank: Int) -> [Run] {
        guard let best = best(task, rank: rank) else { return [] }
        return runs.filter {
            $0.task == task && $0.rank == rank && $0.rate == best.rate && $0.seed != sweepSeed
        }
    }
}
