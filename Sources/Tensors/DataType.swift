import CKernels

/// How the elements of a tensor are stored. Activations and gradients are always `float32`;
/// frozen weights keep the type that their checkpoint has.
package enum DataType: Sendable, Equatable, CaseIterable {
    case float32
    case float16
    case bfloat16

    /// Bytes of one element.
    package var size: Int { self == .float32 ? 4 : 2 }

    /// The same type in the kernels' words.
    var kernelType: ck_dtype {
        switch self {
        case .float32: CK_F32
        case .float16: CK_F16
        case .bfloat16: CK_BF16
        }
    }
}
