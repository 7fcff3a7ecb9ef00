/// The fused head on a device: tiles of logits as products, and kernels that go over each.
struct TiledHead {
    private let cuda: CUDADevice
    private let hidden: Tensor
    private let weight: Weight
    private let targets: TokenIndices
    private let temperature: Float
    /// What the products are computed in.
    private let type: DataType

    /// Rows of a tile.
    private static let mostRows = 4096
    /// Vocabulary rows of a tile.
    private static let mostColumns = 8192
    /// Logits of a tile.
    private static let mostLogits = 1 << 24

    /// - Parameters:
    ///   - hidden: `[T, D]`; `weight`: `[V, D]`; `targets`: `[T]`.
    init(
        _ cuda: CUDADevice, _ hidden: Tensor, _ weight: Weight, _ targets: TokenIndices,
        _ temperature: Float
    ) {
        self.cuda = cuda
        self.hidden = hidden
        self.weight = weight
        self.targets = targets
        self.temperature = temperature
        type = weight.productType(with: hidden)
    }

    /// Writes all of `results`.
    func forward(into results: HeadResults) {
        for rows in pieces(of: hidden.rows, most: Self.mostRows) {
            let x = hidden.rows(rows).stored(as: type)
            let state = Tensor(uninitialized: [rows.count, 8], on: hidden.device)
            for columns in columns(rows) {
                let tile = tile(x, columns)
                cuda.tokenLogProbabilityUpdate(
                    logits: tile.logits, firstToken: columns.lowerBound,
                    targets: targets.slice(rows), temperature: temperature, state: state,
                    isFirst: columns.lowerBound == 0)
            }
            cuda.tokenLogProbabilityResults(
                state: state, logProbabilities: results.logProbabilities.rows(rows),
                entropies: results.entropies.rows(rows),
                squaredProbabilitySums: results.squaredProbabilitySums.rows(rows),
                lse: results.lse.rows(rows))
        }
    }

    /// Writes `dhidden` `[T, D]`, of the type of `hidden`, and adds to `dW` `[V, D]`, f32; the logits
    /// are computed again.
    func backward(
        _ results: HeadResults, dLogProbabilities: Tensor, dEntropies: Tensor, dhidden: Tensor,
        dW: Tensor?
    ) {
        for rows in pieces(of: hidden.rows, most: Self.mostRows) {
            let x = hidden.rows(rows).stored(as: type)
            // The sum over the tiles is f32 whatever the gradient's type.
            let target = dhidden.rows(rows)
            let sum =
                target.dataType == .float32
                ? target : Tensor(uninitialized: target.shape, on: hidden.device)
            for columns in columns(rows) {
                let tile = tile(x, columns)
                let dlogits =
                    type == .float32
                    ? tile.logits
                    : Tensor(
                        uninitialized: tile.logits.shape, dataType: type, on: hidden.device)
                cuda.tokenLogProbabilityBackward(
                    logits: tile.logits, firstToken: columns.lowerBound,
                    targets: targets.slice(rows), temperature: temperature,
                    entropies: results.entropies.rows(rows), lse: results.lse.rows(rows),
                    dLogProbabilities: dLogProbabilities.rows(rows),
                    dEntropies: dEntropies.rows(rows), dlogits: dlogits)
                cuda.matrixProduct(
                    dlogits, tile.matrix, into: sum, accumulates: columns.lowerBound > 0)
                guard let dW else { continue }
                cuda.matrixProduct(
                    dlogits, isATransposed: true, x, into: dW.rows(columns), accumulates: true)
            }
            if target.dataType != .float32 { cuda.convert(sum, y: target) }
        }
    }

    /// Logits `[rows, columns]`, f32, and the weight that they come from.
    private func tile(
        _ x: Tensor, _ columns: Range<Int>
    ) -> (logits: Tensor, matrix: Tensor) {
        let matrix = weight.matrix(rows: columns, as: type, on: cuda)
        let logits = Tensor(uninitialized: [x.rows, columns.count], on: hidden.device)
        cuda.matrixProduct(x, matrix, isBTransposed: true, into: logits)
        return (logits, matrix)
    }

    /// The tiles of the vocabulary for some rows. A row of a tile takes whole pieces of 128 bytes:
    /// products whose rows are aligned worse fall back on algorithms that are far slower.
    private func columns(_ rows: Range<Int>) -> [Range<Int>] {
        let most = Self.mostLogits / rows.count / 64 * 64
        return pieces(of: weight.shape[0], most: min(Self.mostColumns, most))
    }

    /// `0..<count` cut into pieces of `most`, the last one shorter.
    private func pieces(of count: Int, most: Int) -> [Range<Int>] {
        stride(from: 0, to: count, by: most).map { $0..<min($0 + most, count) }
    }
}
