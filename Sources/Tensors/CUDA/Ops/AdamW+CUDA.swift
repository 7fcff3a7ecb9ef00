internal import CKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension CUDADevice {
    /// One update of AdamW, as `ck_adamw_update` makes it. All tensors are f32 of one count.
    func adamWUpdate(
        _ values: Tensor, gradients: Tensor, firstMoments: Tensor, secondMoments: Tensor,
        _ settings: ck_adamw
    ) {
        let tensors = [values, gradients, firstMoments, secondMoments]
        precondition(tensors.allSatisfy { $0.count == values.count && $0.dataType == .float32 })
        let correction1 = 1 - pow(settings.beta1, Double(settings.step))
        let correction2 = 1 - pow(settings.beta2, Double(settings.step))
        launchFlat(
            "adamw_update", of: .adamW, count: values.count, width: Self.packWidth(.float32),
            .float(Float(settings.learning_rate * settings.weight_decay)),
            .float(Float(settings.beta2)), .float(Float(1 - settings.beta1)),
            .float(Float(1 - settings.beta2)), .float(Float(correction2.squareRoot())),
            .float(Float(settings.epsilon)),
            .float(Float(settings.learning_rate / correction1)),
            .float(settings.gradient_scale), .tensor(values), .tensor(gradients),
            .tensor(firstMoments), .tensor(secondMoments))
    }
}
