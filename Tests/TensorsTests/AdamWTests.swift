import CKernels
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

struct AdamWTests {
    /// torch.optim.AdamW's update of one element, in double.
    struct Element {
        var parameter: Double, first = 0.0, second = 0.0

        mutating func update(_ gradient: Double, _ settings: ck_adamw) {
            let (rate, beta1, beta2) = (settings.learning_rate, settings.beta1, settings.beta2)
            let step = Double(settings.step)
            let scaled = gradient * Double(settings.gradient_scale)
            parameter *= 1 - rate * settings.weight_decay
            first = beta1 * first + (1 - beta1) * scaled
            second = beta2 * second + (1 - beta2) * scaled * scaled
            let denominator =
                second.squareRoot() / (1 - pow(beta2, step)).squareRoot()
                + settings.epsilon
            parameter -= rate / (1 - pow(beta1, step)) * first / denominator
        }
    }

    @Test("Ten steps match the definition", arguments: [1, 13, 40000])
    func definition(count: Int) {
        KernelConditions.forEach { conditions in
            var random = RandomNumbers(seed: 51)
            var parameters = random.floats(count).map { $0 + 8 }
            var expected = parameters.map { Element(parameter: Double($0)) }
            var first = [Float](repeating: 0, count: count), second = first
            for step in 1...10 {
                let gradients = random.floats(count)
                let settings = ck_adamw(
                    learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8,
                    weight_decay: 0.1, gradient_scale: 0.37, step: step)
                unsafe ck_adamw_update(count, settings, &parameters, gradients, &first, &second)
                for i in 0..<count { expected[i].update(Double(gradients[i]), settings) }
                // Each step may round once: half a unit in the last place.
                let allowed = Double(step) * 0x1p-24 + 2e-8
                let worst = zip(parameters, expected).reduce(0.0) {
                    max($0, abs(Double($1.0) / $1.1.parameter - 1))
                }
                #expect(worst <= allowed, "\(conditions), step \(step)")
            }
            #expect(worstError(first, expected.map(\.first)) < 5e-7, "\(conditions)")
            #expect(worstError(second, expected.map(\.second)) < 5e-7, "\(conditions)")
        }
    }

    @Test("The first step from zero moves by the learning rate against the gradient's sign")
    func firstStep() {
        var parameters: [Float] = [0, 0, 0], first = parameters, second = parameters
        let settings = ck_adamw(
            learning_rate: 0.5, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1,
            gradient_scale: 1, step: 1)
        unsafe ck_adamw_update(3, settings, &parameters, [3, -0.2, 0], &first, &second)
        #expect(abs(parameters[0] + 0.5) < 1e-6 && abs(parameters[1] - 0.5) < 1e-6)
        #expect(parameters[2] == 0)
    }

    @Test("A NaN gradient shows in its parameter alone")
    func notANumber() {
        var parameters: [Float] = [1, 1], first: [Float] = [0, 0], second = first
        let settings = ck_adamw(
            learning_rate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0,
            gradient_scale: 1, step: 1)
        unsafe ck_adamw_update(2, settings, &parameters, [.nan, 1], &first, &second)
        #expect(parameters[0].isNaN && abs(parameters[1] - 0.9) < 1e-6)
    }
}
