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

    private var steps: [Step] = []

    /// An empty tape.
    package init() {}

    /// Gives `output` a gradient node, and runs `backward` with its gradient when the backward
    /// pass comes by. `backward` adds to the nodes of the op's inputs. The gradient has the shape of
    /// `output`, also when the ops after this one took it under another.
    package func record(_ output: inout Tensor, _ backward: @escaping (Tensor) -> Void) {
        let node = GradientNode()
        output.node = node
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
    /// have them (gradient checkpointing, arXiv 1604.06174).
    ///
    /// - Parameters:
    ///   - input: what the block reads, `[T, D]`.
    ///   - block: the same function both times; with a tape it records on that one.
    package func recomputed(
        _ input: Tensor, _ block: @escaping (_ input: Tensor, _ tape: Tape?) -> Tensor
    ) -> Tensor {
        var output = block(input.detached, nil)
        record(&output) { gradient in
            var leaf = input.detached
            if input.node != nil { leaf.node = GradientNode() }
            let inner = Tape()
            let again = block(leaf, inner)
            again.node?.add(gradient)
            inner.backward()
            if let inputGradient = leaf.node?.take() { input.node?.add(inputGradient) }
        }
        return output
    }
}
