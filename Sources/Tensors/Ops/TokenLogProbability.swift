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

    fileprivate init(_ results: HeadResults, _ backwardPass: (([Float], [Float]) -> Void)?) {
        let values = results.all.toArray()
        let T = results.lse.count
        logProbabilities = Array(values[0..<T])
        entropies = Array(values[T..<2 * T])
        squaredProbabilitySums = Array(values[2 * T..<3 * T])
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
///   - hidden: `[T, D]`.
///   - weight: `[V, D]`, of any type or quantised.
///   - targets: `[T]`, each below V.
///   - temperature: above 0.
package func tokenLogProbabilities(
    _ hidden: Tensor, _ weight: Weight, targets: TokenIndices, temperature: Float, _ tape: Tape?
) -> TokenLogProbabilities {
    let (T, V, D) = (hidden.rows, weight.shape[0], weight.shape[1])
    precondition(hidden.columns == D && targets.count == T && temperature > 0)
    precondition(targets.areWithin(V), "A target lies outside of the vocabulary of \(V).")
    let results = HeadResults(count: T, on: hidden.device)
    switch hidden.device {
    case .cpu:
        unsafe ck_token_log_probability_forward(
            T, V, D, hidden.floats, weight.kernelWeight, targets.pointer, temperature,
            results.logProbabilities.floats, results.entropies.floats,
            results.squaredProbabilitySums.floats, results.lse.floats)
    case .cuda(let cuda):
        TiledHead(cuda, hidden, weight, targets, temperature).forward(into: results)
    }
    guard tape != nil, hidden.node != nil || weight.node != nil else {
        return TokenLogProbabilities(results, nil)
    }
    return TokenLogProbabilities(results) { dLogProbabilities, dEntropies in
        let dlp = Tensor(dLogProbabilities, shape: [T], on: hidden.device)
        let dH = Tensor(dEntropies, shape: [T], on: hidden.device)
        let dhidden = Tensor(
            uninitialized: hidden.shape, dataType: hidden.dataType, on: hidden.device)
        func backward(_ dW: Tensor?) {
            switch hidden.device {
            case .cpu:
                unsafe ck_token_log_probability_backward(
                    T, V, D, hidden.floats, weight.kernelWeight, targets.pointer, temperature,
                    results.entropies.floats, results.lse.floats, dlp.floats, dH.floats,
                    dhidden.floats, dW?.floats)
            case .cuda(let cuda):
                TiledHead(cuda, hidden, weight, targets, temperature).backward(
                    results, dLogProbabilities: dlp, dEntropies: dH, dhidden: dhidden, dW: dW)
            }
        }
        if let node = weight.node {
            node.accumulateFromZero(shape: weight.shape) { backward($0) }
        } else {
            backward(nil)
        }
        hidden.node?.add(dhidden)
    }
}

/// What the head's forward pass gives for each of T tokens, laid behind each other so that one copy
/// fetches them.
struct HeadResults {
    /// `[4, T]`
    let all: Tensor

    init(count: Int, on device: Device) {
        all = Tensor(uninitialized: [4, count], on: device)
    }

    /// `[T]` each.
    var logProbabilities: Tensor { row(0) }
    var entropies: Tensor { row(1) }
    var squaredProbabilitySums: Tensor { row(2) }
    /// Log of the sum of the exponentials of all logits.
    var lse: Tensor { row(3) }

    private func row(_ index: Int) -> Tensor {
        all.rows(index..<index + 1).reshaped([all.columns])
    }
}
