/// Where the elements of a tensor lie, and what computes with them.
package enum Device: Sendable {
    /// The host's memory and its processor.
    case cpu
    /// An NVIDIA GPU.
    case cuda(CUDADevice)

    /// Where new tensors go whose values come from the host: parameters, moments, what a list of
    /// numbers becomes. The result of an op lies where its inputs do.
    @TaskLocal package static var current: Device = .cpu

    /// Whether tensors lie in the host's memory.
    package var isHost: Bool {
        if case .cpu = self { true } else { false }
    }

    /// Gives back the freed memory that its pool keeps for later use.
    package func releaseUnusedMemory() {
        switch self {
        case .cpu: MemoryPool.shared.releaseUnused()
        case .cuda(let cuda): cuda.pool.releaseUnused()
        }
    }
}

extension Device: Equatable {
    package static func == (a: Device, b: Device) -> Bool {
        switch (a, b) {
        case (.cpu, .cpu): true
        case (.cuda(let a), .cuda(let b)): a === b
        default: false
        }
    }
}
