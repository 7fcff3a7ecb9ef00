#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How the rotary embedding's frequencies are made.
package struct RopeConfig: Sendable, Equatable {
    /// A change to the frequencies for longer contexts than the model was first trained with.
    package enum Scaling: Sendable, Equatable {
        case none
        /// All frequencies divided by one factor.
        case linear(factor: Double)
        /// Llama 3.1: low frequencies divided, high ones kept, a ramp between.
        case llama3(factor: Double, low: Double, high: Double, originalPositions: Double)
    }

    package let theta: Double
    package let scaling: Scaling

    /// Reads `rope_parameters` (transformers 5), or `rope_theta` and `rope_scaling` (4).
    ///
    /// - Throws: also when both are given and differ: which one counts depends on the reader.
    init(_ fields: ConfigFields) throws(ModelError) {
        let parameters = try fields.object("rope_parameters")
        let older = try fields.object("rope_scaling")
        if parameters != nil, older != nil, fields["rope_parameters"] != fields["rope_scaling"] {
            throw fields.error("rope_parameters and rope_scaling differ; keep one of them")
        }
        let scalingFields = parameters ?? older
        try scalingFields?.refusePartialRotary()
        let outerTheta = try fields.number("rope_theta", default: 10_000)
        theta = try scalingFields?.number("rope_theta", default: outerTheta) ?? outerTheta
        guard let scalingFields else {
            scaling = .none
            return
        }
        let newerName = try scalingFields.string("rope_type")
        let olderName = try scalingFields.string("type")
        let type = newerName ?? olderName ?? "default"
        switch type {
        case "default": scaling = .none
        case "linear": scaling = .linear(factor: try scalingFields.number("factor"))
        case "llama3":
            scaling = .llama3(
                factor: try scalingFields.number("factor"),
                low: try scalingFields.number("low_freq_factor"),
                high: try scalingFields.number("high_freq_factor"),
                originalPositions: try scalingFields.number("original_max_position_embeddings"))
        default:
            throw scalingFields.error(
                "rope_type is '\(type)'; supported are 'default', 'linear' and 'llama3'")
        }
    }

    /// Radians a position for each pair of a head, `[dimension / 2]`.
    package func frequencies(dimension: Int) -> [Float] {
        (0..<dimension / 2).map { index in
            let exponent = Float(2 * index) / Float(dimension)
            let plain = 1 / Float(pow(theta, Double(exponent)))
            return scaled(plain)
        }
    }

    private func scaled(_ frequency: Float) -> Float {
        switch scaling {
        case .none: return frequency
        case .linear(let factor): return frequency / Float(factor)
        case .llama3(let factor, let low, let high, let originalPositions):
            let wavelength = 2 * Float.pi / frequency
            if wavelength < Float(originalPositions / high) { return frequency }
            if wavelength > Float(originalPositions / low) { return frequency / Float(factor) }
            let ramp = (Float(originalPositions) / wavelength - Float(low)) / Float(high - low)
            return (1 - ramp) * frequency / Float(factor) + ramp * frequency
        }
    }
}
