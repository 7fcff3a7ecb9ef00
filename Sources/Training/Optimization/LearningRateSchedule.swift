#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The learning rate of each step: a linear warm-up, then a shape.
package struct LearningRateSchedule: Sendable, Equatable {
    package let shape: OptimizerSettings.ScheduleShape
    /// The rate at its highest.
    package let peak: Double
    /// Steps until the peak is reached.
    package let warmupSteps: Int
    /// Steps of the whole run, which `linear` and `cosine` end at.
    package let totalSteps: Int
    /// The lowest rate as a share of the peak.
    package let minimumRatio: Double
    /// Waves of the cosine; one half goes from the peak to the minimum once.
    package let cycles: Double

    package init(
        shape: OptimizerSettings.ScheduleShape, peak: Double, warmupSteps: Int, totalSteps: Int,
        minimumRatio: Double = 0,
        cycles: Double = 0.5
    ) {
        self.shape = shape
        self.peak = peak
        self.warmupSteps = warmupSteps
        self.totalSteps = totalSteps
        self.minimumRatio = minimumRatio
        self.cycles = cycles
    }

    /// The rate of the update after `step` earlier ones, as transformers' schedules give it.
    package func rate(step: Int) -> Double {
        if step < warmupSteps { return peak * Double(step) / Double(max(1, warmupSteps)) }
        let progress = Double(step - warmupSteps) / Double(max(1, totalSteps - warmupSteps))
        switch shape {
        case .constant: return peak
        case .linear: return peak * max(minimumRatio, 1 - progress * (1 - minimumRatio))
        case .cosine:
            let wave = (cos(Double.pi * cycles * 2 * progress) + 1) / 2
            return peak * max(0, minimumRatio + wave * (1 - minimumRatio))
        }
    }
}
