import CKernels

/// Cosines and sines of the rotary embedding by position, made as far as they are needed.
package final class RotaryTable {
    private let frequencies: [Float]
    /// `[positions, D/2]` each.
    fileprivate private(set) var cosines: Tensor
    fileprivate private(set) var sines: Tensor
    /// Positions made so far.
    private var positions: Int { cosines.shape[0] }

    /// A table for the angles `position * frequencies[i]`.
    ///
    /// - Parameters:
    ///   - frequencies: `[D/2]`, radians a position.
    package init(frequencies: [Float]) {
        self.frequencies = frequencies
        cosines = Tensor(uninitialized: [0, frequencies.count])
        sines = cosines
    }

    /// Makes the rows up to `count` positions, and some beyond so that growth is rare.
    fileprivate func prepare(positions count: Int) {
        guard count > positions else { return }
        let (rows, half) = (max(count, positions * 2, 256), frequencies.count)
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
        self.cosines = Tensor(cosines, shape: [rows, half])
        self.sines = Tensor(sines, shape: [rows, half])
    }
}

/// Turns each pair (i, i + D/2) of every head by the angle of its token's position
/// (RoFormer, arXiv 2104.09864).
///
/// - Parameters:
///   - x: `[T, H * D]` or `[T, H, D]`, f32.
///   - positions: `[T]`.
///   - headDimension: D.
/// - Returns: the shape of `x`.
package func rotary(
    _ x: Tensor, positions: TokenIndices, table: RotaryTable, headDimension D: Int, _ tape: Tape?
) -> Tensor {
    let T = positions.count
    let H = x.count / max(1, T * D)
    precondition(T * H * D == x.count && table.cosines.shape[1] == D / 2)
    table.prepare(positions: Int(positions.maximum) + 1)
    let (cosines, sines) = (table.cosines, table.sines)
    func turn(_ x: Tensor, inverse: Bool) -> Tensor {
        let y = Tensor(uninitialized: x.shape)
        unsafe ck_rotary(
            T, H, D, x.floats, positions.pointer, cosines.floats, sines.floats, inverse ? 1 : 0,
            y.floats)
        return y
    }
    var y = turn(x, inverse: false)
    guard let tape, let node = x.node else { return y }
    tape.record(&y) { dy in node.add(turn(dy, inverse: true)) }
    return y
}
