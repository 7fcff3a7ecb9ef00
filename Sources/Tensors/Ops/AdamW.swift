import CKernels

/// What AdamW remembers of each parameter: two running moments and the number of updates.
package final class AdamWState {
    /// Mean of the gradients, `[count]`.
    package let firstMoments: Tensor
    /// Mean of the squared gradients, `[count]`.
    package let secondMoments: Tensor
    /// Updates made so far.
    package var step = 0

    /// Moments of zero on `device` for `count` parameters.
    package init(count: Int, on device: Device = .current) {
        (firstMoments, secondMoments) = MemoryPurpose.$current.withValue(.optimizer) {
            (Tensor(zeros: [count], on: device), Tensor(zeros: [count], on: device))
        }
    }
}

/// The constants of AdamW.
package struct AdamWSettings: Sendable, Equatable {
    package var beta1: Double
    package var beta2: Double
    package var epsilon: Double
    package var weightDecay: Double

    package init(
        beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
        weightDecay: Double = 0.01
    ) {
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
    }
}

/// One update with decoupled weight decay (arXiv 1711.05101), as torch.optim.AdamW computes it.
///
/// - Parameters:
///   - gradientScale: what the gradients are multiplied by first, for clipping.
package func adamWUpdate(
    _ buffer: ParameterBuffer, _ state: AdamWState, _ settings: AdamWSettings,
    learningRate: Double, gradientScale: Float
) {
    state.step += 1
    let constants = ck_adamw(
        learning_rate: learningRate, beta1: settings.beta1, beta2: settings.beta2,
        epsilon: settings.epsilon, weight_decay: settings.weightDecay,
        gradient_scale: gradientScale, step: state.step)
    buffer.values.storage.willWrite()
    switch buffer.values.device {
    case .cpu:
        unsafe ck_adamw_update(
            buffer.count, constants, buffer.values.floats, buffer.gradients.floats,
            state.firstMoments.floats, state.secondMoments.floats)
    case .cuda(let cuda):
        cuda.adamWUpdate(
            buffer.values, gradients: buffer.gradients, firstMoments: state.firstMoments,
            secondMoments: state.secondMoments, constants)
    }
}
