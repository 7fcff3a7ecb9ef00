extension CUDADevice {
    /// Writes some rows of a quantised weight `[N, K]` as dense ones.
    ///
    /// - Parameter y: `[rows.count, K]`.
    func dequantize(_ weight: QuantizedTensor, rows: Range<Int>, y: Tensor) {
        let (N, K) = (weight.shape[0], weight.shape[1])
        precondition(rows.lowerBound >= 0 && rows.upperBound <= N && y.shape == [rows.count, K])
        guard !rows.isEmpty else { return }
        let (panel, wordsABlock) = (8, 4 * 256)
        let panels = (rows.upperBound - 1) / panel - rows.lowerBound / panel + 1
        let words = QuantizedTensor.wordByteCount([panel, K], weight.kind) / 4
        launch(
            "dequantize_\(weight.kind.rawValue)_\(y.dataType.kernelSuffix)", of: .quantizedLinear,
            grid: (panels, (words + wordsABlock - 1) / wordsABlock, 1), block: 256,
            .long(rows.count), .long(K), .long(rows.lowerBound), .address(weight.wordsAddress),
            .address(weight.scalesAddress), .tensor(y))
    }
}
