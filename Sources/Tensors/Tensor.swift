/// A dense row-major array of numbers in shared storage, with the node where its gradient collects
/// when it takes part in training.
///
/// A tensor is a view: copying one copies no elements. It belongs to the thread that runs the
/// model; what crosses threads are plain arrays.
package struct Tensor {
    package internal(set) var storage: Storage
    /// Elements before the first one of this view.
    let offset: Int
    package let shape: [Int]
    package let dataType: DataType
    /// Where the gradient collects; `nil` when nothing upstream trains.
    package var node: GradientNode?
    /// Computes the same elements again; for the result of an op on a tape that takes next to no
    /// time, so that no later op keeps it.
    var again: (() -> Tensor)?

    /// A view of `storage`.
    package init(storage: Storage, offset: Int = 0, shape: [Int], dataType: DataType = .float32) {
        precondition(shape.allSatisfy { $0 >= 0 }, "A dimension is negative.")
        let count = shape.reduce(1, *)
        precondition(
            (offset + count) * dataType.size <= storage.byteCount,
            "A view of shape \(shape) does not fit its storage.")
        self.storage = storage
        self.offset = offset
        self.shape = shape
        self.dataType = dataType
    }

    /// A new tensor whose content is undefined.
    package init(
        uninitialized shape: [Int], dataType: DataType = .float32, on device: Device = .current
    ) {
        let bytes = shape.reduce(1, *) * dataType.size
        self.init(
            storage: Storage(byteCount: bytes, on: device), shape: shape, dataType: dataType)
    }

    /// A new tensor that `fill` writes: at once, or only when its elements are first used.
    init(
        _ shape: [Int], dataType: DataType, on device: Device, isDeferred: Bool,
        filledBy fill: @escaping (Tensor) -> Void
    ) {
        guard isDeferred else {
            self.init(uninitialized: shape, dataType: dataType, on: device)
            fill(self)
            return
        }
        let bytes = shape.reduce(1, *) * dataType.size
        let storage = Storage(deferred: bytes, on: device) {
            fill(Tensor(storage: $0, shape: shape, dataType: dataType))
        }
        self.init(storage: storage, shape: shape, dataType: dataType)
    }

    /// A new f32 tensor of zeros.
    package init(zeros shape: [Int], on device: Device = .current) {
        self.init(uninitialized: shape, on: device)
        fill(0)
    }

    /// A new f32 tensor with a copy of `values` in row-major order.
    package init(_ values: [Float], shape: [Int], on device: Device = .current) {
        self.init(uninitialized: shape, on: device)
        copy(from: values)
    }

    /// Elements in all.
    package var count: Int { shape.reduce(1, *) }
    /// The product of all dimensions but the last.
    package var rows: Int { shape.dropLast().reduce(1, *) }
    /// The last dimension.
    package var columns: Int { shape.last ?? 1 }

    /// Where the elements lie.
    package var device: Device { storage.device }

    /// The first element of an f32 tensor of the host's.
    var floats: UnsafeMutablePointer<Float> {
        precondition(dataType == .float32, "The tensor is not f32.")
        return unsafe (storage.base + offset * 4).assumingMemoryBound(to: Float.self)
    }

    /// The first element of a tensor of the host's, whatever its type.
    var bytes: UnsafeMutableRawPointer { unsafe storage.base + offset * dataType.size }

    /// The first element of a device's tensor, as the device counts.
    var deviceAddress: UInt64 { storage.deviceAddress + UInt64(offset * dataType.size) }

    /// Bytes of all elements.
    var byteCount: Int { count * dataType.size }

    /// The same elements under another shape.
    package func reshaped(_ newShape: [Int]) -> Tensor {
        precondition(newShape.reduce(1, *) == count, "\(shape) cannot become \(newShape).")
        var view = Tensor(storage: storage, offset: offset, shape: newShape, dataType: dataType)
        view.node = node
        return view
    }

    /// The rows `range` of the first dimension, as a view without a gradient node.
    package func rows(_ range: Range<Int>) -> Tensor {
        let width = shape.dropFirst().reduce(1, *)
        return Tensor(
            storage: storage, offset: offset + range.lowerBound * width,
            shape: [range.count] + shape.dropFirst(), dataType: dataType)
    }

    /// The same elements without a gradient node.
    package var detached: Tensor {
        var view = self
        view.node = nil
        view.again = nil
        return view
    }

    /// Whether both show the same elements of the same memory.
    func isSameView(as other: Tensor) -> Bool {
        storage === other.storage && offset == other.offset && shape == other.shape
            && dataType == other.dataType
    }

    /// The elements for the backward pass: kept, or computed again where that is cheap.
    var forBackward: () -> Tensor {
        if let again { return again }
        let kept = detached
        return { kept }
    }
}
