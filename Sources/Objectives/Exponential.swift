#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// e to the power of a number, without Foundation.
@inline(__always)
func exponential(_ exponent: Double) -> Double {
    exp(exponent)
}

/// The natural logarithm of a number, without Foundation.
@inline(__always)
func naturalLogarithm(_ number: Double) -> Double {
    log(number)
}

/// A number to the power of another, without Foundation.
@inline(__always)
func raised(_ base: Double, to exponent: Double) -> Double {
    pow(base, exponent)
}

extension Double {
    /// The nearest number within a range.
    @inline(__always)
    func clamped(_ lowest: Double, _ highest: Double) -> Double {
        self < lowest ? lowest : (self > highest ? highest : self)
    }
}
