package import Formats

extension SafetensorsFile {
    /// The elements of an F32 tensor.
    package func floats(_ name: String) throws -> [Float] {
        try words(name, .f32).map { Float(bitPattern: $0) }
    }

    /// The elements of an I32 tensor.
    package func integers(_ name: String) throws -> [Int32] {
        try words(name, .i32).map { Int32(bitPattern: $0) }
    }

    private func words(_ name: String, _ type: SafetensorsType) throws -> [UInt32] {
        let entry = try entry(name)
        precondition(entry.dtype == type, "\(name) is \(entry.dtype)")
        let bytes = file.copy(of: entry.byteRange)
        return stride(from: 0, to: bytes.count, by: 4).map { place in
            (0..<4).reduce(0) { $0 | UInt32(bytes[place + $1]) << (8 * UInt32($1)) }
        }
    }
}

/// The largest absolute difference of two equally long lists; infinite when they are not, or when
/// either holds a NaN.
package func largestDifference(
    _ found: some Collection<Float>, _ expected: some Collection<Float>
) -> Float {
    guard found.count == expected.count else { return .infinity }
    var largest: Float = 0
    for (a, b) in zip(found, expected) {
        let difference = abs(a - b)
        guard !difference.isNaN else { return .infinity }
        largest = max(largest, difference)
    }
    return largest
}

/// `‖found - expected‖ / ‖expected‖`; infinite when the lengths differ.
package func relativeDistance(
    _ found: some Collection<Float>, _ expected: some Collection<Float>
) -> Double {
    guard found.count == expected.count else { return .infinity }
    var (distance, norm) = (0.0, 0.0)
    for (a, b) in zip(found, expected) {
        distance += Double(a - b) * Double(a - b)
        norm += Double(b) * Double(b)
    }
    return (distance / max(norm, 1e-300)).squareRoot()
}
