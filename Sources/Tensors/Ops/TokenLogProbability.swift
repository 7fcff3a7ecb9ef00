import CKernels

/// Log-probabilities and entropies of chosen tokens, and the way back from their derivatives.
package struct TokenLogProbabilities {
    /// Natural logarithm of each target's probability, `[T]`.
    package let logProbabilities: [Float]
    /// Entropy of each distribution in nats, `[T]`.
    package let entropies: [Float]
    /// Sum over the vocabulary of the squared probabilities of each distribution, `[T]`.
    package let squaredProbabilitySums: [Float]
    private let backwardPass: ((_ dLogProbabilities: [Float], _ dEntropies: [Float]) -> Void)?

    fileprivate init(
        _ logProbabilities: Tensor, _ entropies: Tensor, _ squaredProbabilitySums: Tensor,
        _ backwardPass: (([Float], [Float]) -> Void)?
    ) {
        self.logProbabilities = logProbabilities.toArray()
        self.entropies = entropies.toArray()
        self.squaredProbabilitySums = squaredProbabilitySums.toArray()
        self.backwardPass = backwardPass
    }

    /// Puts the loss's gradient into the hidden states' node; `Tape.backward` takes it from there.
    ///
    /// - Parameters:
    ///   - logProbabilityDerivatives: the loss's derivative by each log-probability, `[T]`.
    ///   - entropyDerivatives: the loss's derivative by each entropy, `[T]`.
    package func backward(logProbabilityDerivatives: [Float], entropyDerivatives: [Float]) {
        precondition(logProbabilityDerivatives.count == logProbabilities.count)
        precondition(entropyDerivatives.count == entropies.count)
        backwardPass?(logProbabilityDerivatives, entropyDerivatives)
    }
}

/// The fused head: log-probability of each target under `softmax(hidden Wᵀ / temperature)` and the
/// entropy and squared sum of that distribution, by tiles of the vocabulary; the logits `[T, V]` are
/// never held. The squared sums have no way back: they weigh baselines, which are constants.
///
/// - Parameters:
///   - hidden: `[T, D]`, f32.
///   - weight: `[V, D]`, of any type or quantised.
///   - targets: `[T]`, each below V.
///   - temperature: above 0.
package func tokenLogProbabilities(
    _ hidden: Tensor, _ weight: Weight, targets: TokenIndices, temperature: Float, _ tape: Tape?
) -> TokenLogProbabilities {
    let (T, V, D) = (hidden.rows, weight.shape[0], weight.shape[1])
    precondition(hidden.columns == D && targets.count == T && temperature > 0)
    precondition(targets.areWithin(V), "A target lies outside of the vocabulary of \(V).")
    let logProbabilities = Tensor(uninitialized: [T])
    let entropies = Tensor(uninitialized: [T])
    let squares = Tensor(uninitialized: [T])
    let lse = Tensor(uninitialized: [T])
    unsafe ck_token_log_probability_forward(
        T, V, D, hidden.floats, weight.kernelWeight, targets.pointer, temperature,
        logProbabilities.floats, entropies.floats, squares.floats, lse.floats)
    guard tape != nil, hidden.node != nil || weight.node != nil else {
        return TokenLogProbabilities(logProbabilities, entropies, squares, nil)
    }
    return TokenLogProbabilities(logProbabilities, entropies, squares) {
        dLogProbabilities, dEntropies in
        let dlp = Tensor(dLogProbabilities, shape: [T])
        let dH = Tensor(dEntropies, shape: [T])
        let dhidden = Tensor(uninitialized: hidden.shape)
        func backward(_ dW: Tensor?) {
            unsafe ck_token_log_probability_backward(
                T, V, D, hidden.floats, weight.kernelWeight, targets.pointer, temperature,
                entropies.floats, lse.floats, dlp.floats,
                dH.floats, dhidden.floats, dW?.floats)
        }
        if let node = weight.node {
            node.accumulateFromZero(shape: weight.shape) { backward($0) }
        } else {
            backward(nil)
        }
        hidden.node?.add(dhidden)
    }
}
