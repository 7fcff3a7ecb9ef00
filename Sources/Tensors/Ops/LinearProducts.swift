import CKernels

// The products of a linear layer and its way back, unrecorded, where their inputs lie.

extension Weight {
    /// What a product of it with `x` is computed in: f32 on the host; on a device the type of a dense
    /// weight, or that of `x` with a quantised one.
    func productType(with x: Tensor) -> DataType {
        guard case .dense(let tensor) = self, !tensor.device.isHost else { return x.dataType }
        return tensor.dataType
    }

    /// Some rows of it on a device as `type`, dequantised for this one use where it is quantised.
    func matrix(rows: Range<Int>, as type: DataType, on cuda: CUDADevice) -> Tensor {
        switch self {
        case .dense(let tensor): return tensor.weight(as: type).rows(rows)
        case .quantized(let tensor):
            return cuda.dequantized(tensor, rows: rows, columns: 0..<columns, as: type)
        }
    }
}

/// `y = x Wᵀ + bias`
func putProduct(
    _ x: Tensor, _ weight: Weight, bias: Tensor?, _ activations: ActivationPrecision,
    into y: Tensor
) {
    let (T, N, K) = (x.rows, weight.shape[0], weight.shape[1])
    switch (x.device, activations) {
    case (.cpu, .float32):
        unsafe ck_linear_forward(
            T, N, K, x.floats, K, weight.kernelWeight, bias?.bytes,
            bias?.dataType.kernelType ?? CK_F32, 1, 0, y.floats, N)
    case (.cpu, .int8):
        precondition(weight.takesInt8Activations, "No product with 8-bit rows.")
        unsafe ck_linear_forward_int8(
            T, N, K, x.floats, K, weight.kernelWeight, bias?.bytes,
            bias?.dataType.kernelType ?? CK_F32, y.floats, N)
    case (.cuda(let cuda), _):
        precondition(activations == .float32, "No product with 8-bit rows on a device.")
        let bias = bias?.weight(as: y.dataType)
        switch weight {
        case .quantized(let tensor): cuda.product(x, tensor, bias: bias, into: y)
        case .dense(let tensor):
            cuda.matrixProduct(
                x, tensor.weight(as: x.dataType), isBTransposed: true, into: y, bias: bias)
        }
    }
}

/// `x Wᵀ`
func product(_ x: Tensor, _ weight: Tensor) -> Tensor {
    let y = Tensor(
        uninitialized: [x.rows, weight.shape[0]], dataType: x.dataType, on: x.device)
    putProduct(x, .dense(weight), bias: nil, .float32, into: y)
    return y
}

/// `y += scale x Wᵀ`
func addProduct(_ x: Tensor, _ weight: Tensor, scale: Float, to y: Tensor) {
    let (T, N, K) = (x.rows, weight.shape[0], weight.shape[1])
    switch x.device {
    case .cpu:
        unsafe ck_linear_forward(
            T, N, K, x.floats, K, weight.kernelWeight, nil, CK_F32, scale, 1, y.floats, N)
    case .cuda(let cuda):
        cuda.matrixProduct(
            x, weight.weight(as: x.dataType), isBTransposed: true, into: y, scale: scale,
            accumulates: true)
    }
}

/// Adds their low-rank parts to the rows of `y`.
func addGroupedProducts(_ x: Tensor, _ lowRanks: [LowRankRows], to y: Tensor) {
    if case .cuda(let cuda) = x.device {
        cuda.addLowRanks(x, lowRanks.filter { cuda.takesInGroup($0, x, y) }, to: y)
        for part in lowRanks where !cuda.takesInGroup(part, x, y) {
            addProduct(
                product(x.rows(part.rows), part.lowRank.A), part.lowRank.B,
                scale: part.lowRank.scale, to: y.rows(part.rows))
        }
        return
    }
    let inners = lowRanks.map {
        Tensor(uninitialized: [$0.rows.count, $0.lowRank.rank], on: .cpu)
    }
    withExtendedLifetime(inners) {
        let parts = Array(zip(lowRanks, inners))
        unsafe groupedProducts(
            parts.map { unsafe group(x.rows($0.rows), $0.lowRank.A, scale: 1, to: $1) },
            accumulate: false)
        unsafe groupedProducts(
            parts.map {
                unsafe group($1, $0.lowRank.B, scale: $0.lowRank.scale, to: y.rows($0.rows))
            }, accumulate: true)
    }
}

/// The product `scale x Wᵀ`, as one of several; `x`, `weight` and `y` must outlive it.
private func group(
    _ x: Tensor, _ weight: Tensor, scale: Float, to y: Tensor
) -> ck_linear_group {
    unsafe ck_linear_group(
        M: x.rows, N: weight.shape[0], K: weight.shape[1], x: x.floats, W: weight.bytes,
        dtype: weight.dataType.kernelType, scale: scale, y: y.floats)
}

/// All of these products in one call of the worker threads.
private func groupedProducts(_ groups: [ck_linear_group], accumulate: Bool) {
    unsafe ck_grouped_linear_forward(groups.count, groups, accumulate ? 1 : 0)
}

/// `dx (+)= scale dy W`
func addInputGradient(
    _ dy: Tensor, _ weight: Weight, scale: Float, accumulate: Bool, to dx: Tensor
) {
    let (T, N, K) = (dy.rows, weight.shape[0], weight.shape[1])
    switch dy.device {
    case .cpu:
        unsafe ck_linear_backward_input(
            T, N, K, dy.floats, N, weight.kernelWeight, scale, accumulate ? 1 : 0, dx.floats, K)
    case .cuda(let cuda):
        switch weight {
        case .quantized(let tensor):
            cuda.inputGradient(dy, tensor, scale: scale, accumulates: accumulate, into: dx)
        case .dense(let tensor):
            cuda.matrixProduct(
                dy, tensor.weight(as: dy.dataType), into: dx, scale: scale,
                accumulates: accumulate)
        }
    }
}

/// `dW += scale dyᵀ x`
func addWeightGradient(_ dy: Tensor, _ x: Tensor, scale: Float, to node: GradientNode) {
    let (T, N, K) = (dy.rows, dy.columns, x.columns)
    node.accumulateFromZero(shape: [N, K]) { dW in
        switch dy.device {
        case .cpu:
            unsafe ck_linear_backward_weight(
                T, N, K, dy.floats, N, x.floats, K, scale, dW.floats)
        case .cuda(let cuda):
            cuda.matrixProduct(
                dy, isATransposed: true, x, into: dW, scale: scale, accumulates: true)
        }
    }
}

/// `dbias += sum over the rows of dy`
func addBiasGradient(_ dy: Tensor, to dbias: Tensor) {
    let (T, N) = (dy.rows, dy.columns)
    switch dy.device {
    case .cpu: unsafe ck_linear_backward_bias(T, N, dy.floats, N, dbias.floats)
    case .cuda(let cuda): cuda.linearBackwardBias(dy: dy, dbias: dbias)
    }
}
