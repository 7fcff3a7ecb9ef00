extension Tensor {
    /// The first element of a device's tensor, as the device counts.
    var deviceAddress: UInt64 { preconditionFailure("The host's memory is no device's.") }
}

extension TokenIndices {
    /// The first value on `cuda`.
    func deviceAddress(on cuda: CUDADevice) -> UInt64 {
        preconditionFailure("The host's memory is no device's.")
    }
}
