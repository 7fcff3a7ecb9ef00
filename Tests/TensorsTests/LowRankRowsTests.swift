import Tensors
import Testing

@Suite("Low-rank parts of runs of rows")
struct LowRankRowsTests {
    private static let (inputs, outputs) = (67, 150)

    private func matrix(_ rows: Int, _ columns: Int, _ random: inout RandomNumbers) -> Tensor {
        Tensor(random.floats(rows * columns), shape: [rows, columns])
    }

    private func lowRank(_ rank: Int, _ random: inout RandomNumbers) -> LowRank {
        LowRank(
            A: matrix(rank, Self.inputs, &random), B: matrix(Self.outputs, rank, &random),
            scale: Float(rank) / 3)
    }

    @Test("Each row has the bits that it has alone with its part")
    func rows() {
        var random = RandomNumbers(seed: 1)
        let weight = matrix(Self.outputs, Self.inputs, &random).converted(to: .bfloat16)
        let bias = Tensor(random.floats(Self.outputs), shape: [Self.outputs])
        let x = matrix(20, Self.inputs, &random)
        // Runs of one row and of many, in any order, with rows of the base before, between, after.
        let parts = [
            LowRankRows(lowRank(9, &random), rows: 6..<16),
            LowRankRows(lowRank(1, &random), rows: 2..<3),
            LowRankRows(lowRank(4, &random), rows: 3..<5),
        ]
        KernelConditions.forEach { conditions in
            let y = linear(x, .dense(weight), bias: bias, lowRanks: parts)
            for row in 0..<20 {
                let part = parts.first { $0.rows.contains(row) }
                let alone = linear(
                    x.rows(row..<row + 1), weight, bias: bias, lowRank: part?.lowRank, nil)
                #expect(y.rows(row..<row + 1).hasSameBytes(as: alone), "\(conditions), \(row)")
            }
        }
    }

    @Test("Long runs and wide weights are cut into tiles that change no bit")
    func tiles() {
        var random = RandomNumbers(seed: 3)
        let weight = matrix(1100, 16, &random)
        let x = matrix(420, 16, &random)
        let parts = [0..<400, 400..<401].map { rows in
            LowRankRows(
                LowRank(A: matrix(3, 16, &random), B: matrix(1100, 3, &random), scale: 2),
                rows: rows)
        }
        KernelConditions.forEach { conditions in
            let y = linear(x, .dense(weight), lowRanks: parts)
            for part in parts {
                let alone = linear(x.rows(part.rows), weight, lowRank: part.lowRank, nil)
                #expect(y.rows(part.rows).hasSameBytes(as: alone), "\(conditions)")
            }
        }
    }

    @Test("One part for all rows has the bits of the plain call, and no part those of the base")
    func wholeBatch() {
        var random = RandomNumbers(seed: 2)
        let weight = matrix(Self.outputs, Self.inputs, &random)
        let x = matrix(7, Self.inputs, &random)
        let whole = lowRank(8, &random)
        let one = linear(x, .dense(weight), lowRanks: [LowRankRows(whole, rows: 0..<7)])
        #expect(one.hasSameBytes(as: linear(x, weight, lowRank: whole, nil)))
        let none = linear(x, .dense(weight), lowRanks: [LowRankRows(whole, rows: 3..<3)])
        #expect(none.hasSameBytes(as: linear(x, weight, nil)))
    }
}
