import CKernels

/// How the elements of a quantised weight are stored: whole levels times a scale that 64
/// neighbours of a row share.
package enum Quantization: String, CaseIterable, Sendable {
    /// 8 bits: -127...127 times the scale.
    case int8
    /// 4 bits: -8...7 times the scale.
    case int4
    /// 4 bits: one of the 16 levels of QLoRA's NormalFloat (arXiv 2305.14314) times the scale.
    case nf4

    /// Elements along a row that share a scale.
    package static let groupSize = CK_GROUP

    /// Whether there is a product with activations of 8 bits: where the levels are whole numbers.
    package var takesInt8Activations: Bool { self != .nf4 }

    /// The same in the kernels' words.
    var kernelType: ck_dtype {
        switch self {
        case .int8: CK_INT8
        case .int4: CK_INT4
        case .nf4: CK_NF4
        }
    }
}
