/// Why a GPU cannot be used, or what it answered: one sentence that names the call or the kernel,
/// what it was given, and CUDA's own name of the error.
package struct CUDAError: Error, CustomStringConvertible, Equatable {
    package let description: String
    /// Whether it is that the device has no memory left.
    let isOutOfMemory: Bool

    package init(_ description: String, isOutOfMemory: Bool = false) {
        self.description = description
        self.isOutOfMemory = isOutOfMemory
    }
}
