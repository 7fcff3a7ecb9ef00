import CKernels

/// Cosines and sines of the rotary embedding by position, made as far as they are needed.
package final class RotaryTable {
    private let frequencies: [Float]
    /// `[positions, D/2]` each, on the host.
    private var angles: Angles
    /// The same on a device.
    private var anglesOnDevice: Angles?
    /// Positions made so far.
    private var positions: Int { angles.cosines.shape[0] }
    /// Half the numbers of a head.
    fileprivate var half: Int { frequencies.count }

    /// Cosines and sines, `[positions, D/2]`.
    fileprivate typealias Angles = (cosines: Tensor, sines: Tensor)

    /// A table for the angles `position * frequencies[i]`.
    ///
    /// - Parameters:
    ///   - frequencies: `[D/2]`, radians a position.
    package init(frequencies: [Float]) {
        self.frequencies = frequencies
        let none = Tensor(uninitialized: [0, frequencies.count], on: .cpu)
        angles = (none, none)
    }

    /// Makes the rows of `count` positions on `device`.
    ///
    /// - Returns: what later calls for no more positions read, unless others came between that
    ///   asked for more.
    package func prepare(positions count: Int, on device: Device) -> [Tensor] {
        let (cosines, sines) = angles(positions: count, on: device)
        return [cosines, sines]
    }

    /// At least the rows of `count` positions, on `device`.
    fileprivate func angles(positions count: Int, on device: Device) -> Angles {
        makeRows(positions: count)
        guard !device.isHost else { return angles }
        if let known = anglesOnDevice, known.cosines.device == device,
            known.cosines.shape == angles.cosines.shape
        {
            return known
        }
        let copy = MemoryPurpose.$current.withValue(.weights) {
            (angles.cosines.moved(to: device), angles.sines.moved(to: device))
        }
        anglesOnDevice = copy
        return copy
    }

    /// Makes the rows up to `count` positions, and some beyond so that growth is rare.
    private func makeRows(positions count: Int) {
        guard count > positions else { return }
        let rows = max(count, positions * 2, 256)
        var cosines = [Float](repeating: 0, count: rows * half)
        var sines = cosines
        for position in 0..<rows {
            for index in 0..<half {
                // The product is rounded to f32 first, as the reference does.
                let angle = Double(Float(position) * frequencies[index])
                cosines[position * half + index] = Float(cosine(angle))
                sines[position * half + index] = Float(sine(angle))
            }
        }
        angles = (
            Tensor(cosines, shape: [rows, half], on: .cpu),
            Tensor(sines, shape: [rows, half], on: .cpu)
        )
    }
}

/// Turns each pair (i, i + D/2) of every head by the angle of its token's position
/// (RoFormer, arXiv 2104.09864).
///
/// - Parameters:
///   - x: `[T, H * D]` or `[T, H, D]`.
///   - positions: `[T]`.
///   - headDimension: D.
/// - Returns: the shape of `x`.
package func rotary(
    _ x: Tensor, positions: TokenIndices, table: RotaryTable, headDimension D: Int, _ tape: Tape?
) -> Tensor {
    let T = positions.count
    let H = x.count / max(1, T * D)
    precondition(T * H * D == x.count && table.half == D / 2)
    let (cosines, sines) = table.angles(
        positions: Int(positions.maximum) + 1, on: x.device)
    func turn(_ x: Tensor, inverse: Bool) -> Tensor {
        let y = Tensor(uninitialized: x.shape, dataType: x.dataType, on: x.device)
        switch x.device {
        case .cpu:
            unsafe ck_rotary(
                T, H, D, x.floats, positions.pointer, cosines.floats, sines.floats,
                inverse ? 1 : 0, y.floats)
        case .cuda(let cuda):
            cuda.rotary(
                x, positions: positions, cosines: cosines, sines: sines, headDimension: D,
                inverse: inverse, y: y)
        }
        return y
    }
    var y = turn(x, inverse: false)
    guard let tape, let node = x.node else { return y }
    tape.record(&y) { dy in node.add(turn(dy, inverse: true)) }
    return y
}
