/// A tensor of a device that launches write again and again, and whose elements come to the host
/// while that does something else.
package final class FetchedResults {
    /// f32; what launches write.
    package let tensor: Tensor
    private let buffer: PinnedBuffer

    /// A tensor of undefined content.
    package init(shape: [Int], on cuda: CUDADevice) {
        tensor = Tensor(uninitialized: shape, on: .cuda(cuda))
        buffer = PinnedBuffer(byteCount: tensor.byteCount, for: cuda)
    }

    /// Launches the copy of what the launches until now write.
    package func fetch() { buffer.fetch(tensor.byteCount, from: tensor.deviceAddress) }

    /// What was fetched last; waits for it.
    package var values: [Float] {
        buffer.wait()
        return buffer.floats(0..<tensor.count)
    }
}
