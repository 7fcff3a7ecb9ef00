import CKernels

/// A weight of a model: dense, and perhaps trained, or quantised and frozen.
package enum Weight {
    case dense(Tensor)
    case quantized(QuantizedTensor)

    package var shape: [Int] {
        switch self {
        case .dense(let tensor): tensor.shape
        case .quantized(let tensor): tensor.shape
        }
    }

    /// Elements in all.
    package var count: Int { shape.reduce(1, *) }
    /// The product of all dimensions but the last.
    package var rows: Int { shape.dropLast().reduce(1, *) }
    /// The last dimension.
    package var columns: Int { shape.last ?? 1 }

    /// Bytes as it is stored.
    package var byteCount: Int {
        switch self {
        case .dense(let tensor): tensor.count * tensor.dataType.size
        case .quantized(let tensor): tensor.byteCount
        }
    }

    /// Name of the type that it is stored as, such as `bfloat16` or `int8`.
    package var typeName: String {
        switch self {
        case .dense(let tensor): "\(tensor.dataType)"
        case .quantized(let tensor): tensor.kind.rawValue
        }
    }

    /// Whether there is a product of it with activations of 8 bits: for int8 and int4.
    package var takesInt8Activations: Bool {
        switch self {
        case .dense: false
        case .quantized(let tensor): tensor.kind.takesInt8Activations
        }
    }

    /// Where its elements lie.
    package var device: Device {
        switch self {
        case .dense(let tensor): tensor.device
        case .quantized(let tensor): tensor.device
        }
    }

    /// The same weight on `device`, a dense one's elements as `type` where one is named: this one
    /// where that is so already, else a copy without a gradient node.
    package func moved(to device: Device, as type: DataType? = nil) -> Weight {
        switch self {
        case .quantized(let tensor): .quantized(tensor.moved(to: device))
        case .dense(let tensor):
            // Narrowing happens before the way up, and f16 is not known there at all.
            .dense((type.map(tensor.stored) ?? tensor).moved(to: device))
        }
    }

    /// Where the gradient collects; a quantised weight has none.
    package var node: GradientNode? {
        switch self {
        case .dense(let tensor): tensor.node
        case .quantized: nil
        }
    }

    /// The dense weight; a quantised one must not be asked for it.
    package var tensor: Tensor {
        guard case .dense(let tensor) = self else {
            preconditionFailure("A quantised weight is no tensor.")
        }
        return tensor
    }

    /// The same in the kernels' words; valid while this value lives.
    var kernelWeight: ck_weight {
        switch self {
        case .dense(let tensor): unsafe tensor.kernelWeight
        case .quantized(let tensor): unsafe tensor.kernelWeight
        }
    }
}

extension Tensor {
    /// A dense weight in the kernels' words; valid while this value lives.
    var kernelWeight: ck_weight {
        unsafe ck_weight(data: bytes, dtype: dataType.kernelType, scales: nil)
    }
}
