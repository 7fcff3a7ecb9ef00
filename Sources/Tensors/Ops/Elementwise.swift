import CKernels

/// `a + b`, elementwise, of the type of `a`.
package func add(_ a: Tensor, _ b: Tensor, _ tape: Tape?) -> Tensor {
    precondition(a.count == b.count, "The shapes \(a.shape) and \(b.shape) differ.")
    var y = Tensor(
        a.shape, dataType: a.dataType, on: a.device, isDeferred: tape?.computesOnDemand ?? false
    ) { y in addUnrecorded(a, b, into: y) }
    let nodes = (a.node, b.node)
    guard let tape, nodes.0 != nil || nodes.1 != nil else { return y }
    tape.record(&y) { dy in
        nodes.0?.add(dy)
        nodes.1?.add(dy)
    }
    return y
}

/// `target += addend`, unrecorded.
func addInPlace(_ target: Tensor, _ addend: Tensor) {
    precondition(target.count == addend.count, "\(target.shape) += \(addend.shape)")
    target.storage.willWrite()
    addUnrecorded(target, addend, into: target)
}

/// `y = a + b`; `y` may be one of them.
private func addUnrecorded(_ a: Tensor, _ b: Tensor, into y: Tensor) {
    switch y.device {
    case .cpu: unsafe ck_add(y.count, a.floats, b.floats, y.floats)
    case .cuda(let cuda): cuda.add(a, b, y: y)
    }
}

extension Tensor {
    /// The sum of all squares of an f32 tensor, summed in f64.
    package var sumOfSquares: Double {
        switch device {
        case .cpu: unsafe ck_sum_of_squares(count, floats)
        case .cuda(let cuda): cuda.sumOfSquares(self)
        }
    }

    /// Whether no element of an f32 tensor is NaN or infinite: squares of f32 do not overflow f64.
    package var isFinite: Bool { sumOfSquares.isFinite }

    /// Multiplies every element of an f32 tensor.
    package func scale(by factor: Float) {
        storage.willWrite()
        switch device {
        case .cpu: unsafe ck_scale(count, factor, floats)
        case .cuda(let cuda): cuda.scale(self, by: factor)
        }
    }

    /// The same elements stored as `type`: this tensor where they are, else a copy.
    func stored(as type: DataType) -> Tensor {
        dataType == type ? self : converted(to: type)
    }

    /// The same elements as `type`, for a kernel that reads that alone: this tensor where they are,
    /// else a view of a copy that its storage keeps. For weights of a device: they are read often
    /// and seldom written.
    func weight(as type: DataType) -> Tensor {
        guard dataType != type else { return detached }
        precondition(dataType == .float32 && type == .bfloat16, "No copy is kept as \(type).")
        return Tensor(
            storage: storage.roundedToBFloat16(), offset: offset, shape: shape, dataType: type)
    }

    /// Brings the copy that `weight(as:)` keeps, where there is one, up to date in its place. To be
    /// called before a graph that reads the copy is launched again.
    package func renewWeightCopy() { storage.renewRounded() }

    /// Moves every element towards that of `other`: `decay * self + (1 - decay) * other`, f32.
    package func average(with other: Tensor, keeping decay: Float) {
        let share = other.moved(to: device).converted(to: .float32)
        share.scale(by: 1 - decay)
        scale(by: decay)
        addInPlace(self, share)
    }

    /// A copy whose elements are stored as `type`, rounded to nearest even where it is narrower.
    package func converted(to type: DataType) -> Tensor {
        let result = Tensor(uninitialized: shape, dataType: type, on: device)
        switch device {
        case .cpu:
            unsafe ck_convert(count, bytes, dataType.kernelType, result.bytes, type.kernelType)
        case .cuda(let cuda):
            cuda.convert(self, y: result)
        }
        return result
    }
}
