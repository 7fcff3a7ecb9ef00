#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

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
    package init(uninitialized shape: [Int], dataType: DataType = .float32) {
        let bytes = shape.reduce(1, *) * dataType.size
        self.init(storage: Storage(byteCount: bytes), shape: shape, dataType: dataType)
    }

    /// A new f32 tensor that `fill` writes: at once, or only when its elements are first used.
    init(_ shape: [Int], isDeferred: Bool, filledBy fill: @escaping (Tensor) -> Void) {
        guard isDeferred else {
            self.init(uninitialized: shape)
            fill(self)
            return
        }
        let bytes = shape.reduce(1, *) * DataType.float32.size
        self.init(
            storage: Storage(deferred: bytes) { fill(Tensor(storage: $0, shape: shape)) },
            shape: shape)
    }

    /// A new f32 tensor of zeros.
    package init(zeros shape: [Int]) {
        self.init(uninitialized: shape)
        unsafe floats.update(repeating: 0, count: count)
    }

    /// A new f32 tensor with a copy of `values` in row-major order.
    package init(_ values: [Float], shape: [Int]) {
        precondition(values.count == shape.reduce(1, *), "\(values.count) values for \(shape).")
        self.init(uninitialized: shape)
        unsafe values.withUnsafeBufferPointer { source in
            guard let start = source.baseAddress else { return }
            unsafe floats.update(from: start, count: source.count)
        }
    }

    /// Elements in all.
    package var count: Int { shape.reduce(1, *) }
    /// The product of all dimensions but the last.
    package var rows: Int { shape.dropLast().reduce(1, *) }
    /// The last dimension.
    package var columns: Int { shape.last ?? 1 }

    /// The first element of an f32 tensor.
    var floats: UnsafeMutablePointer<Float> {
        precondition(dataType == .float32, "The tensor is not f32.")
        return unsafe (storage.base + offset * 4).assumingMemoryBound(to: Float.self)
    }

    /// The first element, whatever its type.
    var bytes: UnsafeMutableRawPointer { unsafe storage.base + offset * dataType.size }

    /// The elements as a plain array, row by row; an f16 or bf16 tensor is widened.
    package func toArray() -> [Float] {
        let source = dataType == .float32 ? self : converted(to: .float32)
        return unsafe Array(UnsafeBufferPointer(start: source.floats, count: count))
    }

    /// Overwrites an f32 tensor.
    package func copy(from values: [Float]) {
        precondition(storage.isWritable, "A mapped weight cannot be written.")
        precondition(values.count == count, "\(values.count) values for \(shape).")
        unsafe values.withUnsafeBufferPointer { source in
            guard let start = source.baseAddress else { return }
            unsafe floats.update(from: start, count: source.count)
        }
    }

    /// Overwrites an f32 tensor with the elements of another of the same count.
    package func copy(from other: Tensor) {
        precondition(storage.isWritable, "A mapped weight cannot be written.")
        precondition(other.count == count, "The shapes \(other.shape) and \(shape) differ.")
        unsafe floats.update(from: other.floats, count: count)
    }

    /// Overwrites the elements with bytes as they are stored.
    package func copy(from source: RawSpan) {
        precondition(storage.isWritable, "A mapped weight cannot be written.")
        precondition(source.byteCount == count * dataType.size, "The sizes differ.")
        unsafe source.withUnsafeBytes { source in
            guard let start = source.baseAddress else { return }
            unsafe bytes.copyMemory(from: start, byteCount: source.count)
        }
    }

    /// Whether two tensors of one type hold the same bits.
    package func hasSameBytes(as other: Tensor) -> Bool {
        guard dataType == other.dataType, count == other.count else { return false }
        return unsafe memcmp(bytes, other.bytes, count * dataType.size) == 0
    }

    /// Sets every element of an f32 tensor.
    package func fill(_ value: Float) {
        precondition(storage.isWritable, "A mapped weight cannot be written.")
        unsafe floats.update(repeating: value, count: count)
    }

    /// Calls `body` with the elements of an f32 tensor for writing, row by row.
    package func withMutableFloats<Result, Failure: Error>(
        _ body: (inout MutableSpan<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(storage.isWritable, "A mapped weight cannot be written.")
        var span = unsafe MutableSpan(_unsafeStart: floats, count: count)
        return try body(&span)
    }

    /// Calls `body` with the elements' bytes as they are stored.
    package func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let span = unsafe RawSpan(_unsafeStart: bytes, byteCount: count * dataType.size)
        return try body(span)
    }

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

    /// The elements for the backward pass: kept, or computed again where that is cheap.
    var forBackward: () -> Tensor {
        if let again { return again }
        let kept = detached
        return { kept }
    }
}
