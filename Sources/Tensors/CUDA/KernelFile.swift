internal import CKernels

/// A file of CUDA kernels, `CKernels/cuda/STEM.cu`, whose text the program carries.
package enum KernelFile: String, CaseIterable, Sendable {
    case adamW = "adamw"
    case attention
    case attentionBackward = "attention_backward"
    case elementwise
    case embedding
    case groupedLinear = "grouped_linear"
    case linear
    case pagedAttention = "paged_attention"
    case pagedDecode = "paged_decode"
    case quantizedFewRows = "quantized_few_rows"
    case quantizedLinear = "quantized_linear"
    case rmsNorm = "rms_norm"
    case rotary
    case sampling
    case swiGLU = "swiglu"
    case tokenLogProbability = "token_log_probability"

    /// The file's name.
    package var name: String { "\(rawValue).cu" }
}

/// The CUDA text that the program carries, or that a test makes up.
package struct KernelSources: Sendable {
    /// Texts of the kernel files by name.
    package let kernels: [String: String]
    /// Texts that kernel files include, by name.
    package let headers: [String: String]

    /// All files that were built in.
    package static let carried = KernelSources()

    private init() {
        var files: [String: String] = [:]
        var source = unsafe ck_cuda_sources()
        while let name = unsafe source.pointee.name, let text = unsafe source.pointee.text {
            files[unsafe String(cString: name)] = unsafe String(cString: text)
            unsafe source += 1
        }
        self.init(files: files)
    }

    /// Kernel files (`.cu`) and headers (any other name).
    package init(files: [String: String]) {
        kernels = files.filter { $0.key.hasSuffix(".cu") }
        headers = files.filter { !$0.key.hasSuffix(".cu") }
    }
}
