/// An argument of a kernel. Sizes are `long` there.
package enum KernelArgument {
    /// A pointer to the first element.
    case tensor(Tensor)
    /// A pointer, null where there is no tensor.
    case optional(Tensor?)
    /// A pointer to 32-bit integers.
    case indices(TokenIndices)
    /// A pointer as a number; 0 is null.
    case address(UInt64)
    case long(Int)
    case int(Int32)
    case float(Float)

    /// The argument's bits, in the lower half where it has 32.
    func bits(on device: CUDADevice) -> UInt64 {
        switch self {
        case .tensor(let tensor): tensor.deviceAddress
        case .optional(let tensor): tensor?.deviceAddress ?? 0
        case .indices(let indices): indices.deviceAddress(on: device)
        case .address(let address): address
        case .long(let value): UInt64(bitPattern: Int64(value))
        case .int(let value): UInt64(UInt32(bitPattern: value))
        case .float(let value): UInt64(value.bitPattern)
        }
    }
}

extension KernelArgument: CustomStringConvertible {
    /// The argument in a message: a tensor's shape and type, a number's value.
    package var description: String {
        switch self {
        case .tensor(let tensor): "\(tensor.shape) \(tensor.dataType)"
        case .optional(let tensor): tensor.map { "\($0.shape) \($0.dataType)" } ?? "null"
        case .indices(let indices): "[\(indices.count)] int"
        case .address(let address): "0x\(String(address, radix: 16))"
        case .long(let value): "\(value)"
        case .int(let value): "\(value)"
        case .float(let value): "\(value)"
        }
    }
}
