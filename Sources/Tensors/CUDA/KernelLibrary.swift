internal import CDrivers
internal import Dispatch
internal import Synchronization

/// The kernels of one device: files are compiled, or read from the cache, and loaded when a kernel
/// of theirs is first asked for.
@safe
final class KernelLibrary: @unchecked Sendable {
    @safe
    private struct Module: @unchecked Sendable {
        let handle: cd_module
    }

    @safe
    private struct Function: @unchecked Sendable {
        let handle: cd_function
        /// The dynamic shared memory that a launch may ask for without another word: more than
        /// 48 KiB together with what the kernel has itself, which is not known here, must be allowed.
        var sharedBytes = 0
    }

    @safe
    private struct State: @unchecked Sendable {
        var modules: [String: Module] = [:]
        /// By file and name.
        var functions: [String: [String: Function]] = [:]
    }

    /// What is compiled for, as in "sm_90a".
    let architecture: String
    let compiler: KernelCompiler
    private let driver: CUDADriver
    private let cache: KernelCache
    private let note: @Sendable (String) -> Void
    private let state = Mutex(State())

    init(
        _ driver: CUDADriver, _ compiler: KernelCompiler, architecture: String,
        cache: KernelCache, note: @escaping @Sendable (String) -> Void
    ) {
        self.driver = driver
        self.compiler = compiler
        self.architecture = architecture
        self.cache = cache
        self.note = note
    }

    /// A kernel that may be launched with so much dynamic shared memory; the context is entered.
    ///
    /// - Parameter pool: gives its unused memory back where the code finds no room.
    func function(
        _ name: String, of file: String, sharedBytes: Int, releasing pool: CUDAMemoryPool
    ) throws(CUDAError) -> cd_function {
        unsafe try state.withLock { (state) throws(CUDAError) in
            if let known = state.functions[file]?[name], sharedBytes <= known.sharedBytes {
                return unsafe known.handle
            }
            var function =
                if let known = state.functions[file]?[name] {
                    known
                } else {
                    unsafe Function(
                        handle: try find(
                            name, of: file, in: try module(file, &state, releasing: pool)))
                }
            if sharedBytes > function.sharedBytes {
                try driver.check(
                    unsafe driver.functions.cuFuncSetAttribute(
                        function.handle, Int32(CD_FUNCTION_MAX_DYNAMIC_SHARED_SIZE_BYTES),
                        Int32(sharedBytes)),
                    "cuFuncSetAttribute",
                    "(\(sharedBytes) bytes of shared memory for \(name) of \(file))")
                function.sharedBytes = sharedBytes
            }
            state.functions[file, default: [:]][name] = function
            return unsafe function.handle
        }
    }

    /// Compiles all files that the disk does not have, several at a time, so that no later launch
    /// waits for the compiler.
    ///
    /// - Throws: the first `CUDAError` by file.
    func prepare(_ files: [String]) throws(CUDAError) {
        let failures = Mutex<[String: CUDAError]>([:])
        DispatchQueue.concurrentPerform(iterations: files.count) { index in
            do throws(CUDAError) {
                _ = try code(files[index])
            } catch {
                failures.withLock { $0[files[index]] = error }
            }
        }
        let first = failures.withLock { $0.min { $0.key < $1.key }?.value }
        if let first { throw first }
    }

    /// Unloads all; nothing of it may be running.
    func close() {
        state.withLock { state in
            for module in state.modules.values {
                _ = unsafe driver.functions.cuModuleUnload(module.handle)
            }
            state = State()
        }
    }

    private func code(_ file: String) throws(CUDAError) -> [UInt8] {
        let stem = file.split(separator: ".").first.map(String.init) ?? file
        return try cache.code(
            "\(stem)-\(architecture)", of: compiler.description(of: file, for: architecture),
            note: noteOnce
        ) { () throws(CUDAError) in
            try compiler.compile(file, for: architecture)
        }
    }

    /// One sentence is enough on a folder that cannot be written.
    private func noteOnce(_ sentence: String) {
        let isFirst = noted.exchange(true, ordering: .relaxed) == false
        if isFirst { note(sentence) }
    }
    private let noted = Atomic(false)

    private func module(
        _ file: String, _ state: inout State, releasing pool: CUDAMemoryPool
    ) throws(CUDAError) -> Module {
        if let module = state.modules[file] { return module }
        let code = try code(file)
        var handle: cd_module?
        func load() -> cd_result {
            unsafe code.withUnsafeBytes { code in
                guard let image = code.baseAddress else { return 0 }
                return unsafe driver.functions.cuModuleLoadData(&handle, image)
            }
        }
        var result = load()
        if result == CD_ERROR_OUT_OF_MEMORY {
            pool.releaseUnused()
            result = load()
        }
        try driver.check(result, "cuModuleLoadData", "of \(file) for \(architecture)")
        guard let handle = unsafe handle else {
            throw CUDAError("cuModuleLoadData gave nothing for \(file).")
        }
        let module = unsafe Module(handle: handle)
        state.modules[file] = module
        return module
    }

    private func find(
        _ name: String, of file: String, in module: Module
    ) throws(CUDAError) -> cd_function {
        var function: cd_function?
        try driver.check(
            unsafe driver.functions.cuModuleGetFunction(&function, module.handle, name),
            "cuModuleGetFunction", "of \(name) in \(file)")
        guard let function = unsafe function else {
            throw CUDAError("cuModuleGetFunction gave nothing for \(name) of \(file).")
        }
        return unsafe function
    }
}
