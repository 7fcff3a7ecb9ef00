import Testing

@testable import Tensors

@Suite("Low-rank parts of several adapters on an emulated GPU")
struct GroupedLinearCUDATests {
    /// Runs of rows with adapters of some ranks; the rows between them have none.
    struct Runs: CustomStringConvertible, Sendable {
        let T: Int
        let K: Int
        let N: Int
        let runs: [(rows: Range<Int>, rank: Int)]
        let type: DataType

        init(
            _ T: Int, _ K: Int, _ N: Int, _ runs: [(rows: Range<Int>, rank: Int)],
            _ type: DataType
        ) {
            (self.T, self.K, self.N, self.runs, self.type) = (T, K, N, runs, type)
        }

        var description: String { "[\(T), \(K)] to \(N) columns, \(runs), \(type)" }
    }

    static let cases: [Runs] = [
        .init(3, 70, 13, [(0..<1, 1), (2..<3, 48)], .float32),
        .init(18, 1030, 33, [(0..<17, 8), (17..<18, 32)], .float32),
        .init(5, 72, 13, [(0..<2, 3), (3..<5, 16)], .bfloat16),
        .init(21, 136, 136, [(0..<17, 8), (17..<18, 48), (19..<21, 256)], .bfloat16),
        .init(3, 1096, 264, [(0..<1, 32), (1..<2, 64), (2..<3, 1)], .bfloat16),
        // More adapters than one launch takes, and a run that is the library's.
        .init(11, 64, 24, (0..<11).map { ($0..<$0 + 1, 8 + 8 * ($0 % 3)) }, .bfloat16),
        .init(140, 16, 8, [(0..<2, 8), (2..<140, 8)], .float32),
    ]

    /// Random numbers that the case's type can hold, f32 on the host.
    private func numbers(_ shape: [Int], _ type: DataType, seed: Int) -> Tensor {
        let random = CounterRandom(seed: UInt64(seed))
        let values = (0..<shape.reduce(1, *)).map {
            2 * random.uniform(stream: 1, position: UInt64($0)) - 1
        }
        return Tensor(values, shape: shape, on: .cpu).converted(to: type)
            .converted(to: .float32)
    }

    /// The linear layer's rows that `rows` names, computed together.
    private func output(_ runs: Runs, on device: Device, rows: Range<Int>? = nil) -> Tensor {
        let rows = rows ?? 0..<runs.T
        let type = device.isHost ? .float32 : runs.type
        let weight = numbers([runs.N, runs.K], runs.type, seed: 1).converted(to: type)
        let parts = runs.runs.enumerated().compactMap { index, run -> LowRankRows? in
            let some = run.rows.clamped(to: rows)
            guard !some.isEmpty else { return nil }
            let A = numbers([run.rank, runs.K], runs.type, seed: 3 + 2 * index)
            let B = numbers([runs.N, run.rank], runs.type, seed: 4 + 2 * index)
            let lowRank = LowRank(
                A: A.moved(to: device), B: B.moved(to: device), scale: 0.5 + Float(index))
            let start = some.lowerBound - rows.lowerBound
            return LowRankRows(lowRank, rows: start..<start + some.count)
        }
        let x = numbers([runs.T, runs.K], runs.type, seed: 2).converted(to: type).rows(rows)
        return linear(
            x.moved(to: device), .dense(weight.moved(to: device)), lowRanks: parts)
    }

    @Test("give the CPU's rows", arguments: cases)
    func agrees(runs: Runs) throws {
        let expected = output(runs, on: .cpu)
        try withEmulatedDevice { device in
            let tolerance: Float = runs.type == .float32 ? 1e-5 : 1e-2
            #expect(isNear(output(runs, on: device), expected, tolerance))
        }
    }

    @Test("give a row the same bits beside others and alone")
    func independence() throws {
        let runs = Runs(
            19, 1048, 40, [(0..<17, 16), (17..<18, 8), (18..<19, 40)], .bfloat16)
        try withEmulatedDevice { device in
            let together = output(runs, on: device)
            for row in [0, 16, 17, 18] {
                let alone = output(runs, on: device, rows: row..<row + 1)
                #expect(alone.toArray() == together.rows(row..<row + 1).toArray(), "row \(row)")
            }
        }
    }
}
