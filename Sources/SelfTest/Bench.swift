import Tensors

/// The device that is tested, and how large what it is tested with may be.
struct Bench {
    let device: Device
    let sizes: SelfTestSizes

    /// Types that the device computes in.
    var types: [DataType] { device.isHost ? [.float32] : [.float32, .bfloat16] }

    /// A check that makes one computation on both sides.
    func check(
        _ group: String, _ name: String, _ type: DataType,
        _ body: @escaping (inout Side) throws -> [SideResult]
    ) -> Check {
        Check(group: group, name: "\(type == .float32 ? "f32" : "bf16") \(name)") {
            try compare(type, body)
        }
    }

    /// Runs `body` on the device, then on the host while the device may still be at it, and gives
    /// how far the results lie apart.
    func compare(
        _ type: DataType, seed: UInt64 = 1, _ body: (inout Side) throws -> [SideResult]
    ) throws -> [Measurement] {
        var side = Side(device, type: type, precision: type, seed: seed)
        let found = try body(&side)
        var host = Side(.cpu, type: .float32, precision: type, seed: seed)
        let expected = try onHost { try body(&host) }
        return zip(found, expected).map { found, expected in
            Measurement.of(
                found.name, found.values, against: expected.values, shape: found.shape,
                bound: found.tolerance.bound(type), size: found.tolerance.size)
        }
    }

    /// Computes what results are held against: with the host's kernels, and where these are what is
    /// tested, with those that every processor can run.
    func onHost<Result>(_ body: () throws -> Result) rethrows -> Result {
        device.isHost ? try Processor.withPortableKernels(body) : try body()
    }
}

/// How large the computations of a self-test are.
package struct SelfTestSizes: Sendable {
    /// Tokens, T.
    var rows: [Int]
    /// Elements of what is computed one by one.
    var counts: [Int]
    /// Columns of normalised rows.
    var widths: [Int]
    /// `[N, K]` of matrices.
    var matrices: [[Int]]
    /// Vocabularies of the fused head with the rows and the width of its hidden states.
    var heads: [(rows: Int, vocabulary: Int, width: Int)]
    /// Vocabularies that tokens are drawn from.
    var vocabularies: [Int]
    /// Heads of attention, with the longest sequence for each.
    var attention: [(heads: HeadLayout, longest: Int)]
    /// Families of models that are run, and whether every kind of quantisation is.
    var families: Int
    var quantizesModels: Bool
    /// Prompts of rollouts, of six at most.
    var prompts: Int
    /// Problems of a step, of four at most, and responses to each.
    var problems: Int
    var responses: Int
    /// Steps after which nothing may have been left behind.
    var steps: Int
    /// What publishing an adapter may take; infinite where time says nothing.
    var publishingSeconds: Double

    /// For a real device: ends within minutes there.
    package static let full = SelfTestSizes(
        rows: [1, 17, 300], counts: [1, 17, 1_000_003],
        widths: [7, 64, 128, 896, 1031, 5120],
        matrices: [[13, 37], [896, 896], [4864, 896], [896, 4864], [1031, 5120]],
        heads: [(17, 7, 33), (300, 1000, 896), (17, 151_936, 896)],
        vocabularies: [7, 1000, 151_936],
        attention: [
            (HeadLayout(queryHeads: 14, keyValueHeads: 2, dimension: 64), 300),
            (HeadLayout(queryHeads: 32, keyValueHeads: 8, dimension: 128), 300),
            (HeadLayout(queryHeads: 4, keyValueHeads: 4, dimension: 80), 140),
            (HeadLayout(queryHeads: 6, keyValueHeads: 2, dimension: 16), 140),
            (HeadLayout(queryHeads: 3, keyValueHeads: 1, dimension: 6), 70),
            (HeadLayout(queryHeads: 2, keyValueHeads: 1, dimension: 256), 70),
        ],
        families: 4, quantizesModels: true, prompts: 6, problems: 4, responses: 6, steps: 100,
        publishingSeconds: 1e-3)

    /// For a device that the processor plays, a thread at a time.
    package static let brief = SelfTestSizes(
        rows: [1, 17], counts: [1, 17, 1003], widths: [7, 130, 1031],
        matrices: [[13, 37], [72, 130]],
        heads: [(17, 7, 33), (5, 300, 24)], vocabularies: [7, 1000],
        attention: [
            (HeadLayout(queryHeads: 4, keyValueHeads: 2, dimension: 64), 24),
            (HeadLayout(queryHeads: 2, keyValueHeads: 1, dimension: 6), 40),
        ],
        families: 1, quantizesModels: false, prompts: 2, problems: 1, responses: 2, steps: 1,
        publishingSeconds: .infinity)
}
