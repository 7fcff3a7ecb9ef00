internal import CDrivers

/// Calls of the driver, with its errors as sentences.
@safe
struct CUDADriver: @unchecked Sendable {
    // The driver may be called by any thread.
    let functions: cd_cuda
    /// The context that calls are of, once there is one.
    private(set) var context: cd_context?

    init(_ libraries: CUDALibraries) { functions = libraries.driver }

    /// Makes a device's context the one that calls are of.
    mutating func open(_ device: cd_device) throws(CUDAError) {
        try check(
            unsafe functions.cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain")
        try enter()
    }

    /// Makes the context the calling thread's: threads come and go.
    func enter() throws(CUDAError) {
        try check(unsafe functions.cuCtxSetCurrent(context), "cuCtxSetCurrent")
    }

    /// Throws what a call answered, unless that was success.
    ///
    /// - Parameters:
    ///   - call: the function's name.
    ///   - work: what it was to do, as in "for 12 bytes".
    func check(
        _ result: cd_result, _ call: String, _ work: @autoclosure () -> String = ""
    ) throws(CUDAError) {
        guard result != CD_SUCCESS else { return }
        let work = work()
        throw CUDAError(
            "\(call)\(work.isEmpty ? "" : " \(work)") failed: \(describe(result)).",
            isOutOfMemory: result == CD_ERROR_OUT_OF_MEMORY)
    }

    /// CUDA's own name and words, as in "CUDA_ERROR_INVALID_VALUE (invalid argument)".
    func describe(_ result: cd_result) -> String {
        var (name, text): (UnsafePointer<CChar>?, UnsafePointer<CChar>?) = (nil, nil)
        guard unsafe functions.cuGetErrorName(result, &name) == CD_SUCCESS,
            unsafe functions.cuGetErrorString(result, &text) == CD_SUCCESS,
            let name = unsafe name, let text = unsafe text
        else { return "error \(result)" }
        return unsafe "\(String(cString: name)) (\(String(cString: text)))"
    }

    /// A device's attribute.
    func attribute(_ attribute: Int, of device: cd_device) throws(CUDAError) -> Int {
        var value: Int32 = 0
        try check(
            unsafe functions.cuDeviceGetAttribute(&value, Int32(attribute), device),
            "cuDeviceGetAttribute", "of attribute \(attribute)")
        return Int(value)
    }
}
