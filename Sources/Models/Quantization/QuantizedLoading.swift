import Formats
import Tensors

/// A matrix of a checkpoint that is to be quantised.
struct SourceMatrix {
    let name: String
    /// `[N, K]`, as the checkpoint has it.
    let tensor: Tensor
    let kind: Quantization
}

extension BaseQuantization {
    /// The quantised weights of a checkpoint by name: mapped from the cache, where they are put
    /// first if need be, or in memory where there is none.
    ///
    /// - Parameter dense: every weight, those that stay as they are included.
    /// - Throws: when a weight has a value that is not finite. That the cache cannot be used is
    ///   noted only.
    func weights(
        _ dense: [(name: String, tensor: Tensor)], of checkpoint: SafetensorsCheckpoint
    ) throws -> [String: QuantizedTensor] {
        let matrices = dense.compactMap { name, tensor in
            kind(of: name).map { SourceMatrix(name: name, tensor: tensor, kind: $0) }
        }
        guard let cacheFolder else { return try quantized(matrices, checkpoint) }
        let cache = QuantizationCache(folder: cacheFolder, checkpoint, kind, matrices)
        do {
            if let weights = try cache.read() { return weights }
        } catch {
            note("quantising the weights again: \(error)")
        }
        do {
            var quantizer = MatrixQuantizer(matrices, checkpoint, progress)
            try cache.write { (matrix) throws(ModelError) in try quantizer.quantized(matrix) }
        } catch let error as FormatError {
            note("the quantised weights are not kept for the next start: \(error)")
            return try quantized(matrices, checkpoint)
        }
        do {
            if let weights = try cache.read() { return weights }
        } catch {
            note("quantising the weights in memory: \(error)")
        }
        return try quantized(matrices, checkpoint)
    }

    /// All weights, in memory.
    private func quantized(
        _ matrices: [SourceMatrix], _ checkpoint: SafetensorsCheckpoint
    ) throws -> [String: QuantizedTensor] {
        var quantizer = MatrixQuantizer(matrices, checkpoint, progress)
        var weights: [String: QuantizedTensor] = [:]
        for matrix in matrices { weights[matrix.name] = try quantizer.quantized(matrix) }
        return weights
    }
}

/// Quantises one matrix after the other and tells how far it is.
private struct MatrixQuantizer {
    private let checkpoint: SafetensorsCheckpoint
    private let progress: (Double) -> Void
    private let total: Int
    private var done = 0

    init(
        _ matrices: [SourceMatrix], _ checkpoint: SafetensorsCheckpoint,
        _ progress: @escaping (Double) -> Void
    ) {
        self.checkpoint = checkpoint
        self.progress = progress
        total = matrices.reduce(0) { $0 + $1.tensor.count }
    }

    mutating func quantized(_ matrix: SourceMatrix) throws(ModelError) -> QuantizedTensor {
        guard let quantized = QuantizedTensor(quantizing: matrix.tensor, as: matrix.kind) else {
            let path = checkpoint.find(matrix.name)?.file.path ?? checkpoint.directory
            throw ModelError(
                "\(path): the tensor \"\(matrix.name)\" cannot be quantised, because it holds a "
                    + "value that is not finite, or one of 2^60 or more.")
        }
        done += matrix.tensor.count
        progress(Double(done) / Double(total))
        return quantized
    }
}
