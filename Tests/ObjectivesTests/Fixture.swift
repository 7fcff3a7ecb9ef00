import Foundation

/// Reads a file of `Fixtures` as JSON.
func fixture<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
    guard let folder = Bundle.module.resourceURL else { throw CocoaError(.fileNoSuchFile) }
    let data = try Data(contentsOf: folder.appending(path: "Fixtures/\(name)"))
    return try JSONDecoder().decode(type, from: data)
}

/// The largest difference of two arrays, relative where the expected value is above `scale`.
func largestDifference(_ found: [Float], _ expected: [Double], scale: Double = 1) -> Double {
    guard found.count == expected.count else { return .infinity }
    return zip(found, expected).reduce(0.0) { largest, pair in
        let difference = abs(Double(pair.0) - pair.1) / max(scale, abs(pair.1))
        return difference.isNaN ? .infinity : max(largest, difference)
    }
}

/// Numbers from a seed, the same on every machine (SplitMix64).
struct SeededNumbers {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    /// A number between two bounds, a multiple of 2^-16 so that sums of it are exact.
    mutating func next(in range: ClosedRange<Double>) -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        bits ^= bits >> 31
        let unit = Double(bits >> 11) / Double(1 << 53)
        let number = range.lowerBound + unit * (range.upperBound - range.lowerBound)
        return (number * 65536).rounded() / 65536
    }
}
