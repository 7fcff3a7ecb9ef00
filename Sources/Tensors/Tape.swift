/// The ops of a forward pass in their order, so that the backward pass can undo them last to first.
///
/// An op takes a `Tape?`: without one nothing is recorded and nothing is kept, which is how
/// rollouts and reference passes run.
package final class Tape {
    private struct Step {
        let output: GradientNode
        let shape: [Int]
        let backward: (_ outputGradient: Tensor) -> Void
    }

    /// What the ops on the tape are run for.
    private enum Purpose {
        /// Their results and, later, the backward pass.
        case training
        /// Their results, and whether anything in them trains.
        case probing
        /// The backward pass alone: their results are known.
        case replay
    }

    private var steps: [Step] = []
    private let purpose: Purpose

    /// How many ops have been recorded and not yet undone.
    package var stepCount: Int { steps.count }
    /// Whether a result that no op reads need not be computed.
    var computesOnDemand: Bool { purpose == .replay }

    /// An empty tape.
    package init() {
        purpose = .training
    }

    private init(for purpose: Purpose) {
        self.purpose = purpose
    }

    /// Gives `output` a gradient node, and runs `backward` with its gradient when the backward
    /// pass comes by. `backward` adds to the nodes of the op's inputs. The gradient has the shape of
    /// `output`, also when the ops after this one took it under another.
    ///
    /// - Parameter again: computes the same output again, where that is so cheap that no op after
    ///   this one should keep it.
    package func record(
        _ output: inout Tensor, again: (() -> Tensor)? = nil,
        _ backward: @escaping (Tensor) -> Void
    ) {
        let node = GradientNode(of: output)
        output.node = node
        guard purpose != .probing else { return }
        output.again = again
        steps.append(Step(output: node, shape: output.shape, backward: backward))
    }

    /// Runs the backward pass from the gradients that were put into the last outputs' nodes,
    /// freeing what each op kept as it goes. The tape is empty afterwards.
    package func backward() {
        while let step = steps.popLast() {
            guard let gradient = step.output.take()?.reshaped(step.shape) else { continue }
            step.backward(gradient)
        }
    }

    /// Runs `block` without keeping its inner activations; the backward pass runs it once more to
    /// have them (gradient checkpointing, arXiv 1604.06174), but for its last results, which only
    /// the blocks after it needed. A block in which nothing trains is not run again.
    ///
    /// - Parameters:
    ///   - input: what the block reads, `[T, D]`.
    ///   - block: the same function both times; with a tape it records on that one.
    package func recomputed(
        _ input: Tensor, _ block: @escaping (_ input: Tensor, _ tape: Tape?) -> Tensor
    ) -> Tensor {
        func leaf() -> Tensor {
            var leaf = input.detached
            if input.node != nil { leaf.node = GradientNode(of: input) }
            return leaf
        }
        var output = block(leaf(), Tape(for: .probing))
        guard output.node != nil else { return output }
        record(&output) { gradient in
            let leaf = leaf()
            let inner = Tape(for: .replay)
            block(leaf, inner).node?.add(gradient)
            inner.backward()
            if let inputGradient = leaf.node?.take() { input.node?.add(inputGradient) }
        }
        return output
    }
}
