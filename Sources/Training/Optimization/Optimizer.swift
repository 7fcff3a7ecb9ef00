package import Tensors

/// AdamW over one flat parameter buffer, with clipping by the global norm.
package final class Optimizer {
    private let buffer: ParameterBuffer
    /// The moments, which a checkpoint holds.
    let state: AdamWState
    private let settings: AdamWSettings
    private let maximumNorm: Double
    /// Updates that were not made because the gradient was not finite.
    package private(set) var skippedUpdates = 0
    /// Updates made so far, those of the run before a resume included.
    package var step: Int { state.step }

    /// - Parameters:
    ///   - buffer: the parameters and their gradients.
    ///   - maximumNorm: gradients of a larger norm are scaled down to it.
    package init(_ buffer: ParameterBuffer, _ settings: AdamWSettings, maximumNorm: Double) {
        self.buffer = buffer
        self.settings = settings
        self.maximumNorm = maximumNorm
        state = AdamWState(count: buffer.count, on: buffer.values.device)
    }

    /// Updates the parameters by the gradients collected, and clears those.
    ///
    /// A gradient that is not finite changes nothing and is counted.
    /// - Returns: the norm of the gradients before clipping.
    package func update(learningRate: Double) -> Double {
        defer { buffer.clearGradients() }
        let norm = buffer.gradients.sumOfSquares.squareRoot()
        guard norm.isFinite else {
            skippedUpdates += 1
            return norm
        }
        let scale = min(1, maximumNorm / (norm + 1e-6))  // as torch's clip_grad_norm_
        adamWUpdate(
            buffer, state, settings, learningRate: learningRate,
            gradientScale: Float(scale))
        return norm
    }
}
