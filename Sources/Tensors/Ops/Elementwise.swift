import CKernels

/// `a + b`, elementwise.
package func add(_ a: Tensor, _ b: Tensor, _ tape: Tape?) -> Tensor {
    precondition(a.count == b.count, "The shapes \(a.shape) and \(b.shape) differ.")
    var y = Tensor(a.shape, isDeferred: tape?.computesOnDemand ?? false) { y in
        unsafe ck_add(a.count, a.floats, b.floats, y.floats)
    }
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
    unsafe ck_add(target.count, target.floats, addend.floats, target.floats)
}

extension Tensor {
    /// The sum of all squares of an f32 tensor, summed in f64.
    package var sumOfSquares: Double { unsafe ck_sum_of_squares(count, floats) }

    /// Whether no element of an f32 tensor is NaN or infinite: squares of f32 do not overflow f64.
    package var isFinite: Bool { sumOfSquares.isFinite }

    /// Multiplies every element of an f32 tensor.
    package func scale(by factor: Float) {
        precondition(storage.isWritable, "A mapped weight cannot be written.")
        unsafe ck_scale(count, factor, floats)
    }

    /// Moves every element towards that of `other`: `decay * self + (1 - decay) * other`, f32.
    package func average(with other: Tensor, keeping decay: Float) {
        let share = other.converted(to: .float32)
        share.scale(by: 1 - decay)
        scale(by: decay)
        addInPlace(self, share)
    }

    /// A copy whose elements are stored as `type`, rounded to nearest even where it is narrower.
    package func converted(to type: DataType) -> Tensor {
        let result = Tensor(uninitialized: shape, dataType: type)
        unsafe ck_convert(count, bytes, dataType.kernelType, result.bytes, type.kernelType)
        return result
    }
}
