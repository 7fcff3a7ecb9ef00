import Tensors

/// How far a result may lie from the host's: what rounding explains, and no more.
///
/// An element's error is measured in `|expected| + rms(expected)`, with the root mean square over
/// all elements of the result: where terms cancel, their errors stay.
///
/// - f32: two orders of one sum of K terms differ by about `sqrt(K)` roundings of 2^-24, since these
///   fall to either side; the largest of some million such differences is within four times that.
///   Sixteen more roundings are room for exponentials, roots and quotients in few instructions.
/// - bf16: each rounding of the result itself is at most 2^-8 of it. Roundings of the terms of its
///   sums fall to either side with a standard deviation of 0.42 * 2^-8 of a term; five of those
///   deviations, which one result in a million reaches, are two roundings, and three are allowed.
struct Tolerance {
    /// Terms of the longest sum behind an element.
    var terms = 1
    /// How often the result is rounded to bf16 where activations are that.
    var roundings = 0
    /// How often the terms of its sums are.
    var roundingsOfTerms = 0
    /// The size of an element's terms, where these may cancel in all elements: a root mean square
    /// below it counts as it.
    var size = 0.0

    /// A result that must have the host's very bits.
    static let exact = Tolerance(terms: 0)

    /// The bound where activations are of `type`.
    func bound(_ type: DataType) -> Double {
        guard terms > 0 else { return 0 }
        let float32 = (16 + 4 * Double(terms).squareRoot()) * 0x1p-24
        guard type != .float32 else { return float32 }
        return float32 + Double(roundings + 3 * roundingsOfTerms) * 0x1p-8
    }
}

extension Measurement {
    /// The largest error of the elements.
    ///
    /// - Parameters:
    ///   - shape: of the result, for the message.
    ///   - size: what the root mean square counts as at least.
    static func of(
        _ name: String, _ found: [Float], against expected: [Float], shape: [Int], bound: Double,
        size: Double = 0
    ) -> Measurement {
        guard found.count == expected.count else {
            return Measurement(
                name, holds: false,
                detail: "\(found.count) elements instead of \(expected.count)")
        }
        let rms = max(rootMeanSquare(expected), size)
        var (worst, wrongCount, first) = (0.0, 0, -1)
        for index in found.indices {
            let error = elementError(found[index], expected[index], rms)
            if error > worst { worst = error }
            if error > bound {
                if wrongCount == 0 { first = index }
                wrongCount += 1
            }
        }
        guard wrongCount > 0 else { return Measurement(name, error: worst, bound: bound) }
        return Measurement(
            name, error: worst, bound: bound,
            detail: "\(wrongCount) of \(found.count) elements of \(shape), the first at "
                + "\(place(first, in: shape)): \(found[first]) instead of \(expected[first])")
    }

    private static func rootMeanSquare(_ values: [Float]) -> Double {
        guard !values.isEmpty else { return 0 }
        let sum = values.reduce(0.0) { $0 + Double($1) * Double($1) }
        return (sum / Double(values.count)).squareRoot()
    }

    /// Infinite where what should be a number is none.
    private static func elementError(_ found: Float, _ expected: Float, _ rms: Double) -> Double {
        if found == expected { return 0 }
        let error = abs(Double(found) - Double(expected))
        let unit = abs(Double(expected)) + rms
        let relative = unit > 0 ? error / unit : error
        return relative.isNaN ? .infinity : relative
    }

    /// The indices of an element.
    private static func place(_ index: Int, in shape: [Int]) -> [Int] {
        var rest = index
        var place: [Int] = []
        for dimension in shape.reversed() {
            place.append(rest % max(1, dimension))
            rest /= max(1, dimension)
        }
        return place.reversed()
    }
}
