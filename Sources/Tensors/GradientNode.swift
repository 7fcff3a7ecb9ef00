/// The place where the gradient of one tensor collects during the backward pass.
package final class GradientNode {
    /// The sum of what has arrived so far, of the tensor's shape.
    package private(set) var gradient: Tensor?
    /// A leaf's gradient lives in a buffer of its own (an optimizer reads it); any other node's
    /// gradient is handed to the op that made the tensor, and freed.
    let isLeaf: Bool

    /// A node for the result of an op.
    package init() {
        isLeaf = false
    }

    /// A node for a parameter, whose gradient adds up in `buffer`.
    package init(accumulatingInto buffer: Tensor) {
        gradient = buffer
        isLeaf = true
    }

    /// Takes the gradient out, leaving none.
    func take() -> Tensor? {
        defer { gradient = nil }
        return gradient
    }

    /// Adds `contribution`; it may be shared with other nodes and is not written.
    package func add(_ contribution: Tensor) {
        guard gradient != nil else {
            gradient = contribution.detached
            return
        }
        accumulate(shape: contribution.shape) { target, isFirst in
            precondition(!isFirst, "The gradient is there.")
            addInPlace(target, contribution)
        }
    }

    /// Lets `write` put its contribution into the gradient: overwriting the buffer when `isFirst`,
    /// adding to it otherwise.
    func accumulate(shape: [Int], _ write: (_ target: Tensor, _ isFirst: Bool) -> Void) {
        guard let target = writableGradient() else {
            let fresh = Tensor(uninitialized: shape)
            write(fresh, true)
            gradient = fresh
            return
        }
        write(target, false)
    }

    /// Lets `write` add its contribution to a gradient that starts from zero.
    func accumulateFromZero(shape: [Int], _ write: (_ target: Tensor) -> Void) {
        accumulate(shape: shape) { target, isFirst in
            if isFirst { target.fill(0) }
            write(target)
        }
    }

    /// The present gradient, copied first if another node shares its memory.
    private func writableGradient() -> Tensor? {
        guard !isLeaf, var current = gradient else { return gradient }
        gradient = nil  // so that `current` is the one reference that this node holds
        if !isKnownUniquelyReferenced(&current.storage) {
            let copy = Tensor(uninitialized: current.shape)
            copy.copy(from: current)
            current = copy
        }
        gradient = current
        return current
    }
}
