import Tensors

extension Bench {
    /// Updates of a flat buffer, with clipping and decay.
    var adamWChecks: [Check] {
        sizes.counts.map { count in
            check("adamw", "3 updates of [\(count)]", .float32) { side in
                let buffer = ParameterBuffer([("p", [count])], on: side.device)
                buffer.values.copy(from: side.numbers([count]))
                let state = AdamWState(count: count, on: side.device)
                let settings = AdamWSettings(weightDecay: 0.1)
                for update in 1...3 {
                    buffer.gradients.copy(from: side.numbers([count], scale: Float(update)))
                    adamWUpdate(
                        buffer, state, settings, learningRate: 0.01, gradientScale: 0.5)
                }
                return [
                    SideResult("values", buffer.values, Tolerance()),
                    SideResult("first moments", state.firstMoments, Tolerance()),
                    SideResult("second moments", state.secondMoments, Tolerance()),
                ]
            }
        }
    }
}
