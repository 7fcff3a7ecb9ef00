/// The place where the gradient of one tensor collects during the backward pass.
package final class GradientNode {
    /// What an op's result has collected so far.
    private var collected: Tensor?
    /// Where a parameter's gradient adds up: a buffer that an optimizer reads.
    private let parameterGradient: (() -> Tensor)?
    /// The type of the tensor, and of its gradient.
    private let dataType: DataType
    /// Where the result of an op lies, and its gradient.
    private let resultDevice: Device

    /// The sum of what has arrived so far, of the tensor's shape.
    package var gradient: Tensor? { parameterGradient?() ?? collected }
    /// A leaf's gradient lives in a buffer of its own; any other node's is handed to the op that made
    /// the tensor, and freed.
    var isLeaf: Bool { parameterGradient != nil }

    /// A node for the result of an op, of this type and on this device.
    package init(dataType: DataType = .float32, on device: Device = .cpu) {
        parameterGradient = nil
        self.dataType = dataType
        resultDevice = device
    }

    /// A node for `tensor`, the result of an op.
    convenience init(of tensor: Tensor) {
        self.init(dataType: tensor.dataType, on: tensor.device)
    }

    /// A node for a parameter, whose gradient adds up in `buffer`, which is asked for at each use.
    package init(accumulatingInto buffer: @autoclosure @escaping () -> Tensor) {
        parameterGradient = buffer
        dataType = .float32
        resultDevice = .cpu
    }

    /// Where the gradient lies.
    private var device: Device { parameterGradient?().device ?? resultDevice }

    /// Takes the gradient out, leaving none.
    func take() -> Tensor? {
        defer { collected = nil }
        return gradient
    }

    /// Adds `contribution`; it may be shared with other nodes and is not written.
    package func add(_ contribution: Tensor) {
        let contribution = contribution.moved(to: device)
        guard gradient != nil else {
            let isOfType = contribution.dataType == dataType
            collected = isOfType ? contribution.detached : contribution.converted(to: dataType)
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
            let fresh = Tensor(uninitialized: shape, dataType: dataType, on: device)
            write(fresh, true)
            collected = fresh
            return
        }
        write(target, false)
    }

    /// The same where `write` gives numbers of `type`: of another than the tensor's own, it writes to
    /// a buffer, which is then added.
    func accumulate(
        shape: [Int], in type: DataType, _ write: (_ target: Tensor, _ isFirst: Bool) -> Void
    ) {
        guard type != dataType else { return accumulate(shape: shape, write) }
        let contribution = Tensor(uninitialized: shape, dataType: type, on: device)
        write(contribution, true)
        add(contribution)
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
        guard !isLeaf, var current = collected else { return gradient }
        collected = nil  // so that `current` is the one reference that this node holds
        if !isKnownUniquelyReferenced(&current.storage) {
            let copy = Tensor(uninitialized: current.shape, dataType: dataType, on: device)
            copy.copy(from: current)
            current = copy
        }
        collected = current
        return current
    }
}
