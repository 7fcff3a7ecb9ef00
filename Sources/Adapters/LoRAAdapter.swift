package import Models
package import Tensors

/// The trainable low-rank parts of a model's projections.
///
/// It belongs to the thread that runs the model, as its tensors do.
package final class LoRAAdapter {
    /// What was asked for.
    package let config: LoRAConfig
    /// The adapted projections, by layer and in the order of the forward pass.
    package let modules: [AdaptedModule]
    /// A of module i in slot `2 i`, B in slot `2 i + 1`, then a critic's head, under the names of
    /// PEFT's files.
    package let parameters: ParameterBuffer
    /// How often the values were published; what a completion was sampled with is named by it.
    package private(set) var version = 0
    private let layerCount: Int

    /// A fresh adapter, which adds nothing yet: A is uniform in ±1/sqrt(K) (Kaiming with a = sqrt
    /// 5, as PEFT does it), B is zero. So is a critic's head, which is not this function's to draw.
    ///
    /// - Throws: when the config is impossible for the model.
    package convenience init(
        _ config: LoRAConfig, for model: DecoderConfig, seed: UInt64
    ) throws(AdapterError) {
        try self.init(zeros: config, for: model)
        let random = CounterRandom(seed: seed)
        for (index, module) in modules.enumerated() {
            let bound = 1 / Float(module.shape[1]).squareRoot()
            let A = parameters.parameter(2 * index)
            A.withMutableFloats { values in
                for place in values.indices {
                    let unit = random.uniform(stream: UInt64(index), position: UInt64(place))
                    values[place] = (2 * unit - 1) * bound
                }
            }
        }
    }

    /// An adapter of zeros, to be filled from a file.
    init(zeros config: LoRAConfig, for model: DecoderConfig) throws(AdapterError) {
        self.config = config
        modules = try config.modules(of: model)
        layerCount = model.layerCount
        let head = config.task == .tokenClassification ? ValueHead.names(model) : []
        parameters = ParameterBuffer(
            modules.flatMap { [($0.nameOfA, $0.shapeOfA), ($0.nameOfB, $0.shapeOfB)] }
                + head.map { ("base_model.model.\($0.name)", $0.shape) })
    }

    /// The critic's head, whose weights are trained with the low-rank parts: views of the
    /// parameters; `nil` in a language model's adapter.
    package var valueHead: ValueHead? {
        guard config.task == .tokenClassification else { return nil }
        let place = 2 * modules.count
        return ValueHead(
            weight: parameters.parameter(place), bias: parameters.parameter(place + 1))
    }

    /// The low-rank parts as the decoder takes them: views of the parameters, never copies.
    ///
    /// - Parameter training: whether the backward pass adds to the parameters' gradients.
    package func weights(training: Bool) -> AdapterWeights {
        var weights = AdapterWeights(layerCount: layerCount)
        for (index, module) in modules.enumerated() {
            let (A, B) = (parameters.parameter(2 * index), parameters.parameter(2 * index + 1))
            weights[module.layer, module.projection] = LowRank(
                A: training ? A : A.detached, B: training ? B : B.detached, scale: module.scale)
        }
        return weights
    }

    /// Raises the version, after the values have changed; returns the new one.
    @discardableResult
    package func publish() -> Int {
        version += 1
        return version
    }
}
