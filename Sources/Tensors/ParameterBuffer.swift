/// Trainable parameters laid end to end in one flat f32 buffer, beside one of their gradients.
///
/// One buffer makes the optimizer one kernel, the gradient's norm one sum, and later an all-reduce
/// one call.
package final class ParameterBuffer {
    /// One parameter's place in the flat buffers.
    package struct Slot: Sendable, Equatable {
        package let name: String
        package let shape: [Int]
        package let range: Range<Int>
    }

    package let slots: [Slot]
    /// Values of all parameters, `[count]`.
    package let values: Tensor
    private var collectedGradients: Tensor?
    private let indexByName: [String: Int]

    /// Numbers in all.
    package var count: Int { values.count }

    /// Gradients of all parameters, `[count]`.
    ///
    /// They have memory from their first use until they are cleared: of two models that train in
    /// turns, one at a time does.
    package var gradients: Tensor {
        if let collectedGradients { return collectedGradients }
        let zeros = MemoryPurpose.$current.withValue(.optimizer) {
            Tensor(zeros: [count], on: values.device)
        }
        collectedGradients = zeros
        return zeros
    }

    /// A buffer of zeros on `device` for parameters of these names and shapes, in this order.
    package init(_ parameters: [(name: String, shape: [Int])], on device: Device = .current) {
        var slots: [Slot] = []
        var end = 0
        for (name, shape) in parameters {
            let count = shape.reduce(1, *)
            slots.append(Slot(name: name, shape: shape, range: end..<end + count))
            end += count
        }
        self.slots = slots
        values = MemoryPurpose.$current.withValue(.adapter) { Tensor(zeros: [end], on: device) }
        indexByName = Dictionary(
            uniqueKeysWithValues: slots.enumerated().map { ($1.name, $0) })
    }

    /// The parameter in slot `index`: a view of its values whose gradient collects here.
    package func parameter(_ index: Int) -> Tensor {
        let slot = slots[index]
        var view = values.rows(slot.range).reshaped(slot.shape)
        view.node = GradientNode(accumulatingInto: self.gradient(index))
        return view
    }

    /// The parameter called `name`, or `nil` if there is none.
    package func parameter(named name: String) -> Tensor? {
        indexByName[name].map(parameter)
    }

    /// The gradient in slot `index`, as a view.
    package func gradient(_ index: Int) -> Tensor {
        gradients.rows(slots[index].range).reshaped(slots[index].shape)
    }

    /// Sets all gradients to zero, which frees their memory.
    package func clearGradients() {
        collectedGradients = nil
    }
}
