import CKernels

/// How the elements of a tensor are stored. On the host activations and gradients are always
/// `float32`, and frozen weights keep the type that their checkpoint has; on a device both are
/// `float32` or `bfloat16`.
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

    /// How the type is called at the end of a CUDA kernel's name.
    var kernelSuffix: String {
        switch self {
        case .float32: "f32"
        case .bfloat16: "bf16"
        case .float16: preconditionFailure("No f16 lies on a device.")
        }
    }
}
