internal import CDrivers
internal import Synchronization

/// Products of matrices by cuBLASLt: how each kind of product is computed is asked once.
///
/// The same product on the same device has the same bits each time: it has one algorithm, no sum is
/// made by atomic additions, and a workspace belongs to one stream.
@safe
final class MatrixProducts: @unchecked Sendable {
    /// All that the choice of an algorithm depends on. Sizes are row-major: `d [M, N]`.
    struct Kind: Hashable {
        let M: Int
        let N: Int
        let K: Int
        let isATransposed: Bool
        let isBTransposed: Bool
        let inputType: DataType
        let outputType: DataType
        var hasBias: Bool
        /// Elements from a row of d to the next.
        let resultStride: Int
        /// Bytes that the addresses of a, b and d are multiples of, and that of the bias, if any.
        let alignments: [UInt32]
    }

    @safe
    private struct Plan: @unchecked Sendable {
        let matmul: cd_matmul
        /// Of the first and the second operand and the result, as cuBLASLt has them.
        let layouts: [cd_layout]
        let algorithm: cd_algorithm
        /// Whether the product adds the bias.
        let addsBias: Bool
    }

    /// Device memory that algorithms may use.
    private static let workspaceBytes = 32 << 20
    /// Plans kept; packed batches have ever new numbers of rows.
    static let mostPlans = 4096

    private let functions: cd_cublaslt
    private let stream: cd_stream
    private let handle: cd_products
    private let workspace: UInt64
    private let plans = Mutex<[Kind: Plan]>([:])

    /// The context is entered.
    init(
        _ libraries: CUDALibraries, _ stream: cd_stream, _ pool: CUDAMemoryPool
    ) throws(CUDAError) {
        functions = libraries.products
        unsafe self.stream = stream
        var handle: cd_products?
        let result = unsafe functions.cublasLtCreate(&handle)
        guard result == 0, let handle = unsafe handle else {
            throw CUDAError("cublasLtCreate failed: \(Self.name(of: result, functions)).")
        }
        unsafe self.handle = handle
        workspace = try pool.tryAllocate(byteCount: Self.workspaceBytes, for: .workspace)
    }

    /// cuBLASLt's version, as in "13.0.2".
    var version: String {
        let version = functions.cublasLtGetVersion()
        return "\(version / 10000).\(version / 100 % 100).\(version % 100)"
    }

    /// `d = scale * op(a) op(b) + addend * d (+ bias)`; the context is entered.
    ///
    /// - Returns: whether the bias is in it; it is not where cuBLASLt has no algorithm that adds
    ///   one, as may be for odd sizes.
    func multiply(
        _ kind: Kind, a: UInt64, b: UInt64, d: UInt64, bias: UInt64?, scale: Float, addend: Float
    ) throws(CUDAError) -> Bool {
        try plans.withLock { (plans) throws(CUDAError) in
            let plan: Plan
            if let known = plans[kind] {
                plan = known
            } else {
                plan = try newPlan(kind)
                if plans.count >= Self.mostPlans {
                    for old in plans.values { destroy(old) }
                    plans.removeAll()
                }
                plans[kind] = plan
            }
            if let bias, plan.addsBias {
                unsafe try set(plan.matmul, CD_MATMUL_BIAS_POINTER, bias, kind)
            }
            // Row-major d = a b is column-major d' = b' a', and a matrix that is row-major here is
            // its transpose there: so b comes first.
            var (alpha, beta) = (scale, addend)
            var algorithm = plan.algorithm
            let result = unsafe functions.cublasLtMatmul(
                handle, plan.matmul, &alpha, b, plan.layouts[0], a, plan.layouts[1], &beta, d,
                plan.layouts[2], d, plan.layouts[2], &algorithm, workspace,
                Self.workspaceBytes, stream)
            try check(result, "cublasLtMatmul", kind)
            return plan.addsBias
        }
    }

    /// Frees all; nothing of it may be running.
    func close(_ pool: CUDAMemoryPool) {
        plans.withLock { plans in
            for plan in plans.values { destroy(plan) }
            plans.removeAll()
        }
        _ = unsafe functions.cublasLtDestroy(handle)
        pool.release(workspace)
    }

    private func newPlan(_ kind: Kind) throws(CUDAError) -> Plan {
        if let plan = try plan(kind) { return plan }
        var plain = kind
        plain.hasBias = false
        guard kind.hasBias, let plan = try plan(plain) else {
            throw failure("no algorithm", kind)
        }
        return plan
    }

    /// Nil where cuBLASLt has no algorithm.
    private func plan(_ kind: Kind) throws(CUDAError) -> Plan? {
        var matmul: cd_matmul?
        try check(
            unsafe functions.cublasLtMatmulDescCreate(
                &matmul, Int32(CD_COMPUTE_F32), Int32(CD_TYPE_F32)),
            "cublasLtMatmulDescCreate", kind)
        guard let matmul = unsafe matmul else { throw failure("no description", kind) }
        let none = Int32(CD_OPERATION_NONE)
        let transpose = Int32(CD_OPERATION_TRANSPOSE)
        unsafe try set(
            matmul, CD_MATMUL_TRANSPOSE_A, kind.isBTransposed ? transpose : none, kind)
        unsafe try set(
            matmul, CD_MATMUL_TRANSPOSE_B, kind.isATransposed ? transpose : none, kind)
        if kind.hasBias {
            unsafe try set(matmul, CD_MATMUL_EPILOGUE, Int32(CD_EPILOGUE_BIAS), kind)
            unsafe try set(matmul, CD_MATMUL_BIAS_DATA_TYPE, kind.outputType.cudaType, kind)
            // No address yet: its alignment is what the choice of an algorithm depends on.
            unsafe try set(
                matmul, CD_MATMUL_BIAS_POINTER, UInt64(kind.alignments.last ?? 1), kind)
        }
        let (M, N, K) = (kind.M, kind.N, kind.K)
        let layouts = unsafe [
            try layout(
                kind.inputType, kind.isBTransposed ? K : N, kind.isBTransposed ? N : K, kind),
            try layout(
                kind.inputType, kind.isATransposed ? M : K, kind.isATransposed ? K : M, kind),
            try layout(kind.outputType, N, M, stride: kind.resultStride, kind),
        ]
        let algorithm = unsafe try algorithm(matmul, layouts, kind)
        let plan = unsafe Plan(
            matmul: matmul, layouts: layouts, algorithm: algorithm ?? cd_algorithm(),
            addsBias: kind.hasBias)
        guard algorithm != nil else {
            destroy(plan)
            return nil
        }
        return plan
    }

    /// What cuBLASLt's heuristic puts first.
    private func algorithm(
        _ matmul: cd_matmul, _ layouts: [cd_layout], _ kind: Kind
    ) throws(CUDAError) -> cd_algorithm? {
        var preference: cd_preference?
        try check(
            unsafe functions.cublasLtMatmulPreferenceCreate(&preference),
            "cublasLtMatmulPreferenceCreate", kind)
        guard let preference = unsafe preference else { throw failure("no preference", kind) }
        defer { _ = unsafe functions.cublasLtMatmulPreferenceDestroy(preference) }
        func prefer<Value>(_ attribute: Int, _ value: Value) throws(CUDAError) {
            let result = unsafe withUnsafeBytes(of: value) { bytes in
                guard let start = bytes.baseAddress else { return Int32(0) }
                return unsafe functions.cublasLtMatmulPreferenceSetAttribute(
                    preference, Int32(attribute), start, bytes.count)
            }
            try check(result, "cublasLtMatmulPreferenceSetAttribute", kind)
        }
        try prefer(CD_PREFERENCE_MAX_WORKSPACE_BYTES, Self.workspaceBytes)
        try prefer(CD_PREFERENCE_REDUCTION_SCHEME_MASK, UInt32(CD_REDUCTION_COMPUTE_TYPE))
        let (a, b, d) = (kind.alignments[0], kind.alignments[1], kind.alignments[2])
        for (index, alignment) in [b, a, d, d].enumerated() {
            try prefer(CD_PREFERENCE_MIN_ALIGNMENT_A + index, alignment)
        }
        var best = cd_heuristic()
        var found: Int32 = 0
        let result = unsafe functions.cublasLtMatmulAlgoGetHeuristic(
            handle, matmul, layouts[0], layouts[1], layouts[2], layouts[2], preference, 1, &best,
            &found)
        if result == CD_PRODUCTS_NOT_SUPPORTED { return nil }
        try check(result, "cublasLtMatmulAlgoGetHeuristic", kind)
        return found > 0 && best.state == 0 ? best.algorithm : nil
    }

    private func layout(
        _ type: DataType, _ rows: Int, _ columns: Int, stride: Int? = nil, _ kind: Kind
    ) throws(CUDAError) -> cd_layout {
        var layout: cd_layout?
        try check(
            unsafe functions.cublasLtMatrixLayoutCreate(
                &layout, type.cudaType, UInt64(rows), UInt64(columns), Int64(stride ?? rows)),
            "cublasLtMatrixLayoutCreate", kind)
        guard let layout = unsafe layout else { throw failure("no layout", kind) }
        return unsafe layout
    }

    private func set<Value>(
        _ matmul: cd_matmul, _ attribute: Int, _ value: Value, _ kind: Kind
    ) throws(CUDAError) {
        let result = unsafe withUnsafeBytes(of: value) { bytes in
            guard let start = bytes.baseAddress else { return Int32(0) }
            return unsafe functions.cublasLtMatmulDescSetAttribute(
                matmul, Int32(attribute), start, bytes.count)
        }
        try check(result, "cublasLtMatmulDescSetAttribute", kind)
    }

    private func destroy(_ plan: Plan) {
        _ = unsafe functions.cublasLtMatmulDescDestroy(plan.matmul)
        for index in unsafe plan.layouts.indices {
            _ = unsafe functions.cublasLtMatrixLayoutDestroy(plan.layouts[index])
        }
    }

    private func check(_ result: Int32, _ call: String, _ kind: Kind) throws(CUDAError) {
        guard result == 0 else {
            throw CUDAError(
                "\(call) for \(kind.description) failed: "
                    + "\(Self.name(of: result, functions)).")
        }
    }

    private func failure(_ what: String, _ kind: Kind) -> CUDAError {
        CUDAError("cuBLASLt gave \(what) for \(kind.description).")
    }

    private static func name(of status: Int32, _ functions: cd_cublaslt) -> String {
        unsafe functions.cublasLtGetStatusString(status).map { unsafe String(cString: $0) }
            ?? "status \(status)"
    }
}

extension MatrixProducts.Kind {
    /// As in "[12, 896] = [12, 64] [896, 64]ᵀ (bfloat16 to float32, bias)".
    var description: String {
        let a = isATransposed ? "[\(K), \(M)]ᵀ" : "[\(M), \(K)]"
        let b = isBTransposed ? "[\(N), \(K)]ᵀ" : "[\(K), \(N)]"
        return "[\(M), \(N)] = \(a) \(b) (\(inputType) to \(outputType)\(hasBias ? ", bias" : ""))"
    }
}

extension DataType {
    /// cudaDataType of a type that devices compute with.
    fileprivate var cudaType: Int32 {
        switch self {
        case .float32: Int32(CD_TYPE_F32)
        case .bfloat16: Int32(CD_TYPE_BF16)
        case .float16: preconditionFailure("f16 becomes bf16 on its way to a device.")
        }
    }
}
