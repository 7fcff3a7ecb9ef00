import EmulatedGPU
import Testing

@testable import Tensors

/// Sequences, heads and random rows for them, which a type of activations can hold exactly.
struct DeviceAttentionCase: CustomStringConvertible, Sendable {
    /// Tokens that sequences share, and by how many each goes on.
    let sequences: [(prefix: Int, continuations: [Int])]
    let heads: HeadLayout
    let window: Int
    let type: DataType

    init(
        _ sequences: [(prefix: Int, continuations: [Int])], _ queryHeads: Int,
        _ keyValueHeads: Int, of dimension: Int, window: Int = 0, _ type: DataType
    ) {
        self.sequences = sequences
        heads = HeadLayout(
            queryHeads: queryHeads, keyValueHeads: keyValueHeads, dimension: dimension)
        self.window = window
        self.type = type
    }

    var description: String {
        "\(sequences), \(heads.queryHeads)/\(heads.keyValueHeads) of \(heads.dimension), "
            + "window \(window), \(type)"
    }

    var packed: PackedSequences {
        var packed = PackedSequences()
        for sequence in sequences {
            packed.append(prefix: sequence.prefix, continuations: sequence.continuations)
        }
        return packed
    }

    var queryColumns: Int { heads.queryHeads * heads.dimension }
    var keyColumns: Int { heads.keyValueHeads * heads.dimension }
    /// What a result may be off by, in parts of the largest number of its tensor.
    var tolerance: Float { type == .float32 ? 1e-5 : 1e-2 }

    /// `[rows, columns]` random numbers of the case's type on `device`; on the CPU they are the
    /// same numbers as f32.
    func numbers(_ rows: Int, _ columns: Int, seed: Int, on device: Device) -> Tensor {
        let random = CounterRandom(seed: UInt64(seed))
        let values = (0..<rows * columns).map {
            2 * random.uniform(stream: 1, position: UInt64($0)) - 1
        }
        let tensor = Tensor(values, shape: [rows, columns], on: .cpu).converted(to: type)
        return device.isHost ? tensor.converted(to: .float32) : tensor.moved(to: device)
    }
}

/// Whether two results differ by no more than `tolerance` of the largest number.
func isNear(_ result: Tensor, _ expected: Tensor, _ tolerance: Float) -> Bool {
    let (result, expected) = (result.converted(to: .float32).toArray(), expected.toArray())
    let largest = expected.reduce(0.1) { max($0, abs($1)) }
    return result.count == expected.count
        && zip(result, expected).allSatisfy { abs($0 - $1) <= tolerance * largest }
}

@Suite("Attention on an emulated GPU")
struct AttentionCUDATests {
    static let cases: [DeviceAttentionCase] = [
        .init([(17, [])], 2, 1, of: 8, .float32),
        .init([(20, [9, 1, 30]), (5, [])], 6, 2, of: 16, .float32),
        .init([(20, [9, 1]), (33, [])], 3, 3, of: 80, window: 7, .float32),
        .init([(21, [4, 6])], 4, 2, of: 24, window: 5, .bfloat16),
        .init([(1, [])], 14, 2, of: 64, .bfloat16),
        .init([(70, [30, 1, 20]), (5, [])], 7, 1, of: 64, .bfloat16),
        .init([(90, [])], 2, 2, of: 64, window: 20, .bfloat16),
        .init([(66, [7, 3])], 4, 2, of: 128, .bfloat16),
    ]

    /// The output and the gradients of q, k and v.
    private func results(of testCase: DeviceAttentionCase, on device: Device) throws -> [Tensor] {
        let (packed, Q, K) = (testCase.packed, testCase.queryColumns, testCase.keyColumns)
        let T = packed.rowCount
        var inputs = [Q, K, K].enumerated().map { index, columns in
            testCase.numbers(T, columns, seed: index, on: device)
        }
        for index in inputs.indices { inputs[index].node = GradientNode() }
        let tape = Tape()
        let out = attention(
            inputs[0], inputs[1], inputs[2], packed: packed, heads: testCase.heads,
            window: testCase.window, tape)
        out.node?.add(testCase.numbers(T, Q, seed: 3, on: device))
        tape.backward()
        return try [out] + inputs.map { try #require($0.node?.gradient) }
    }

    @Test("gives the CPU's outputs and gradients, whatever the order of threads", arguments: cases)
    func agrees(testCase: DeviceAttentionCase) throws {
        try withEmulatedDevice { device in
            let results = try results(of: testCase, on: device)
            let expected = try self.results(of: testCase, on: .cpu)
            for (index, name) in ["out", "dq", "dk", "dv"].enumerated() {
                #expect(isNear(results[index], expected[index], testCase.tolerance), "\(name)")
            }
        }
    }

    @Test("a prompt with many rows behind it is split among blocks, and its parts are joined")
    func split() throws {
        // 14 heads times 800 rows and 600 are more than one block goes over.
        let testCase = DeviceAttentionCase(
            [(3, [800, 600])], 14, 1, of: 8, window: 12, .float32)
        try withEmulatedDevice { gpu, device in
            gpu.compareOrders(false)
            let results = try results(of: testCase, on: device)
            let expected = try self.results(of: testCase, on: .cpu)
            for index in results.indices {
                #expect(isNear(results[index], expected[index], testCase.tolerance), "\(index)")
            }
            #expect(gpu.launches.contains { $0.kernel == "attention_key_gradient_join_f32" })
        }
    }
}
