import Formats
package import Tensors

/// A critic's head: one number for each hidden state, under the names of transformers' token
/// classification.
package struct ValueHead {
    /// `[1, D]`
    package let weight: Tensor
    /// `[1]`
    package let bias: Tensor

    /// Name of the weight in a checkpoint.
    package static let weightName = "score.weight"
    /// Name of the bias in a checkpoint.
    package static let biasName = "score.bias"
    /// Names of everything that lies above a body in the checkpoints whose body a critic may take.
    static let headNames = [weightName, biasName, "lm_head.weight"]

    /// A head of these weights, often views of trained parameters.
    package init(weight: Tensor, bias: Tensor) {
        precondition(weight.shape.count == 2 && weight.shape[0] == 1 && bias.shape == [1])
        self.weight = weight
        self.bias = bias
    }

    /// Names and shapes of its tensors for a body.
    package static func names(_ config: DecoderConfig) -> [(name: String, shape: [Int])] {
        [(weightName, [1, config.hiddenSize]), (biasName, [1])]
    }

    /// A fresh head as transformers makes it: the weight from N(0, initializer_range²), the bias 0.
    package init(fresh config: DecoderConfig, seed: UInt64) {
        let random = RandomWeights(seed: seed, deviation: config.initializerRange)
        // Its place is after the body's weights, so that it shares no random number with them.
        let place = DecoderWeights.names(config.body).count
        self.init(
            weight: random.tensor(
                Self.weightName, index: place, shape: [1, config.hiddenSize], type: .float32),
            bias: Tensor(zeros: [1]))
    }

    /// The head that a checkpoint holds, f32; `nil` when it holds none, as that of a language model.
    ///
    /// A reward model's head has no bias, which is then 0.
    /// - Throws: when the head gives another number of values than one, or is of another width.
    package init?(checkpoint directory: String, config: DecoderConfig) throws {
        let checkpoint = try SafetensorsCheckpoint(directory: directory)
        guard checkpoint.find(Self.weightName) != nil else { return nil }
        var tensors: [Tensor] = []
        for (name, shape) in Self.names(config) {
            guard name == Self.weightName || checkpoint.find(name) != nil else {
                tensors.append(Tensor(zeros: shape))
                continue
            }
            let (file, entry) = try checkpoint.entry(name)
            guard entry.shape == shape else {
                throw ModelError(
                    "\(file.path): the tensor \"\(name)\" has the shape \(entry.shape), but a "
                        + "critic's head gives one value, \(shape).")
            }
            tensors.append(try Tensor(mapping: entry, of: file).converted(to: .float32))
        }
        self.init(weight: tensors[0], bias: tensors[1])
    }

    /// The value of each hidden state, `[N, 1]` of `[N, D]`.
    package func values(_ hidden_ND: Tensor, _ tape: Tape?) -> Tensor {
        linear(hidden_ND, weight, bias: bias, tape)
    }

    /// Overwrites the f32 weights with those of another head of the same width.
    package func copy(from other: ValueHead) {
        weight.copy(from: other.weight)
        bias.copy(from: other.bias)
    }
}
