internal import CDrivers

/// CUDA C++ to machine code by NVRTC; what the kernels include travels with the program.
package struct KernelCompiler: @unchecked Sendable {
    // NVRTC may be called by any thread.
    private let functions: cd_nvrtc
    private let sources: KernelSources
    /// NVRTC's version, as in "13.0".
    package let version: String

    /// The compiler that was found, for these sources.
    package init(_ libraries: CUDALibraries, sources: KernelSources = .carried) {
        functions = libraries.compiler
        self.sources = sources
        var (major, minor): (Int32, Int32) = (0, 0)
        _ = unsafe functions.nvrtcVersion(&major, &minor)
        version = "\(major).\(minor)"
    }

    /// The architecture to compile for, as in "sm_90a".
    ///
    /// - Parameter capability: the device's compute capability, 10 * major + minor.
    /// - Throws: `CUDAError` when this NVRTC is too old for the device.
    package func architecture(for capability: Int) throws(CUDAError) -> String {
        var count: Int32 = 0
        try check(unsafe functions.nvrtcGetNumSupportedArchs(&count), "nvrtcGetNumSupportedArchs")
        var supported = [Int32](repeating: 0, count: Int(count))
        try check(
            unsafe supported.withUnsafeMutableBufferPointer { buffer in
                guard let start = buffer.baseAddress else { return 0 }
                return unsafe functions.nvrtcGetSupportedArchs(start)
            }, "nvrtcGetSupportedArchs")
        // Code runs on devices of its own major version with the same or a higher minor one.
        let best = supported.map(Int.init).last { $0 <= capability && $0 / 10 == capability / 10 }
        guard let best else {
            throw CUDAError(
                "NVRTC \(version) cannot compile for a GPU of compute capability "
                    + "\(capability / 10).\(capability % 10); a newer one can "
                    + "(pip install nvidia-cuda-nvrtc).")
        }
        // Hopper's own instructions are in sm_90a only.
        return best == 90 && capability == 90 ? "sm_90a" : "sm_\(best)"
    }

    /// What the compiler is told.
    private static func options(_ architecture: String) -> [String] {
        ["--gpu-architecture=\(architecture)", "--std=c++17", "-default-device"]
    }

    /// Everything that the code of a file depends on, in one text.
    func description(of file: String, for architecture: String) -> String {
        let headers = sources.headers.sorted { $0.key < $1.key }.map { "\($0.key)\n\($0.value)" }
        return
            ([version] + Self.options(architecture) + headers + [sources.kernels[file] ?? ""])
            .joined(separator: "\n")
    }

    /// The machine code (cubin) of a kernel file.
    ///
    /// - Throws: `CUDAError` with the compiler's own words.
    package func compile(_ file: String, for architecture: String) throws(CUDAError) -> [UInt8] {
        try compile(file, for: architecture, remarks: []).code
    }

    /// The machine code of a kernel file, and the compiler's words.
    ///
    /// - Parameter remarks: options that let the compiler say more and change nothing else.
    /// - Throws: `CUDAError` with those words where the file does not compile.
    package func compile(
        _ file: String, for architecture: String, remarks: [String]
    ) throws(CUDAError) -> (code: [UInt8], words: String) {
        guard let source = sources.kernels[file] else {
            throw CUDAError("The program carries no kernel file \(file).")
        }
        var program = unsafe try create(file, source)
        defer { unsafe destroy(&program) }
        let options = Self.options(architecture) + remarks
        let count = options.count
        let result = unsafe withCStrings(options) { options in
            unsafe functions.nvrtcCompileProgram(program, Int32(count), options)
        }
        let log = unsafe try text(
            program, functions.nvrtcGetProgramLogSize, functions.nvrtcGetProgramLog, "Log")
        let words = String(decoding: log.prefix { $0 != 0 }, as: UTF8.self)
        guard result == 0 else {
            throw CUDAError(
                "\(file) does not compile for \(architecture) with NVRTC \(version) "
                    + "(\(name(of: result))): \(words)")
        }
        let code = unsafe try text(
            program, functions.nvrtcGetCUBINSize, functions.nvrtcGetCUBIN, "CUBIN")
        return (code, words)
    }

    private func create(_ file: String, _ source: String) throws(CUDAError) -> OpaquePointer {
        let headers = sources.headers.sorted { $0.key < $1.key }
        let count = Int32(headers.count)
        var program: OpaquePointer?
        let result = unsafe withCStrings(headers.map(\.value)) { texts in
            unsafe withCStrings(headers.map(\.key)) { names in
                unsafe functions.nvrtcCreateProgram(
                    &program, source, file, count, texts, names)
            }
        }
        try check(result, "nvrtcCreateProgram")
        guard let program = unsafe program else {
            throw CUDAError("nvrtcCreateProgram gave nothing for \(file).")
        }
        return unsafe program
    }

    private func destroy(_ program: inout OpaquePointer) {
        var handle: OpaquePointer? = unsafe program
        _ = unsafe functions.nvrtcDestroyProgram(&handle)
    }

    /// One of the results of a compilation.
    private func text(
        _ program: OpaquePointer, _ size: (OpaquePointer, UnsafeMutablePointer<Int>) -> Int32,
        _ get: (OpaquePointer, UnsafeMutablePointer<CChar>) -> Int32, _ name: String
    ) throws(CUDAError) -> [UInt8] {
        var byteCount = 0
        try check(unsafe size(program, &byteCount), "nvrtcGet\(name)Size")
        var bytes = [UInt8](repeating: 0, count: byteCount)
        let result = unsafe bytes.withUnsafeMutableBytes { buffer in
            guard let start = unsafe buffer.bindMemory(to: CChar.self).baseAddress else {
                return Int32(0)
            }
            return unsafe get(program, start)
        }
        try check(result, "nvrtcGet\(name)")
        return bytes
    }

    private func check(_ result: Int32, _ call: String) throws(CUDAError) {
        guard result == 0 else {
            throw CUDAError("\(call) of NVRTC \(version) failed: \(name(of: result)).")
        }
    }

    private func name(of result: Int32) -> String {
        unsafe functions.nvrtcGetErrorString(result).map { unsafe String(cString: $0) }
            ?? "error \(result)"
    }
}
