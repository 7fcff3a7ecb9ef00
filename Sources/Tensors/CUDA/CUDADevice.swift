internal import CDrivers
internal import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// One NVIDIA GPU, with one context and one stream: what is launched here runs in the order of the
/// launches, after the call has returned. What reads results waits.
///
/// Opening throws. A later error of the driver ends the process with one sentence: it is of our own
/// making or the device's end, and after it nothing that the device holds can be trusted.
@safe
package final class CUDADevice: @unchecked Sendable {
    /// What the driver says of a device.
    package struct Properties: Sendable, Equatable {
        package let name: String
        /// 10 * major + minor.
        package let computeCapability: Int
        package let memoryBytes: Int
        package let multiprocessorCount: Int
        /// The most shared memory that a block may have.
        package let sharedMemoryBytes: Int
    }

    /// The lowest compute capability that the kernels are written for: 10 * major + minor.
    package static let lowestCapability = 80

    package let properties: Properties
    /// The device's memory.
    package let pool: CUDAMemoryPool
    let driver: CUDADriver
    let stream: cd_stream
    let kernels: KernelLibrary
    let staging: PinnedStaging
    let products: MatrixProducts
    private let device: cd_device
    /// The kernels launched last, for messages.
    let recentKernels = Mutex(RecentKernels())
    /// Whether launches are being recorded in a graph.
    let isCapturing = Atomic(false)

    /// Opens the best device of this machine.
    ///
    /// - Throws: `CUDAError`, one sentence that says why there is none.
    package static func open(environment: [String: String]) throws(CUDAError) -> CUDADevice {
        let search = try CUDALibrarySearch(environment: environment)
        // Without a driver the other libraries, which are large, are of no use.
        if case .missing(let why) = CUDALibraries.driver(search) { throw CUDAError(why) }
        let found = CUDALibraries.search(search)
        guard let libraries = found.libraries else {
            let missing = CUDALibrary.allCases.compactMap { library -> String? in
                guard case .missing(let why) = found.findings[library] else { return nil }
                return why
            }
            throw CUDAError(missing.first ?? "No CUDA library was found.")
        }
        return try CUDADevice(
            libraries, cacheFolder: KernelCache.standardFolder(environment: environment))
    }

    /// Opens the best device that the libraries know.
    ///
    /// - Parameters:
    ///   - cacheFolder: where compiled kernels are kept; nil to compile at each start.
    ///   - stagingBytes: the size of a piece in which host memory is sent.
    ///   - note: is given sentences on what goes on less well than it could.
    package init(
        _ libraries: CUDALibraries, sources: KernelSources = .carried, cacheFolder: String?,
        stagingBytes: Int = 8 << 20,
        note: @escaping @Sendable (String) -> Void = CUDADevice.writeToStandardError
    ) throws(CUDAError) {
        var driver = CUDADriver(libraries)
        try driver.check(driver.functions.cuInit(0), "cuInit")
        (device, properties) = try Self.best(driver)
        try driver.open(device)
        var stream: cd_stream?
        try driver.check(
            unsafe driver.functions.cuStreamCreate(&stream, UInt32(CD_STREAM_NON_BLOCKING)),
            "cuStreamCreate")
        guard let stream = unsafe stream else {
            throw CUDAError("The driver gave no stream for \(properties.name).")
        }
        let compiler = KernelCompiler(libraries, sources: sources)
        self.driver = driver
        unsafe self.stream = stream
        pool = unsafe CUDAMemoryPool(driver, stream)
        unsafe staging = PinnedStaging(driver, stream, pieceBytes: stagingBytes)
        kernels = KernelLibrary(
            driver, compiler,
            architecture: try compiler.architecture(for: properties.computeCapability),
            cache: KernelCache(folder: cacheFolder), note: note)
        unsafe products = try MatrixProducts(libraries, stream, pool)
    }

    deinit {
        try? driver.enter()
        _ = unsafe driver.functions.cuStreamSynchronize(stream)
        products.close(pool)
        staging.close()
        kernels.close()
        pool.close()
        _ = unsafe driver.functions.cuStreamDestroy(stream)
        _ = driver.functions.cuDevicePrimaryCtxRelease(device)
    }

    /// The device with the highest compute capability, and of those the one with most memory.
    private static func best(
        _ driver: CUDADriver
    ) throws(CUDAError) -> (cd_device, Properties) {
        var count: Int32 = 0
        try driver.check(unsafe driver.functions.cuDeviceGetCount(&count), "cuDeviceGetCount")
        var devices: [(cd_device, Properties)] = []
        for ordinal in 0..<max(0, count) {
            var device: cd_device = 0
            try driver.check(
                unsafe driver.functions.cuDeviceGet(&device, ordinal), "cuDeviceGet")
            devices.append((device, try properties(of: device, driver)))
        }
        let best = devices.max {
            ($0.1.computeCapability, $0.1.memoryBytes) < ($1.1.computeCapability, $1.1.memoryBytes)
        }
        guard let best else { throw CUDAError("The CUDA driver knows no GPU on this machine.") }
        let capability = best.1.computeCapability
        guard capability >= lowestCapability else {
            throw CUDAError(
                "\(best.1.name) has compute capability \(capability / 10).\(capability % 10); "
                    + "8.0 (Ampere) or higher is needed.")
        }
        return best
    }

    private static func properties(
        of device: cd_device, _ driver: CUDADriver
    ) throws(CUDAError) -> Properties {
        var name = [CChar](repeating: 0, count: 256)
        try driver.check(
            unsafe name.withUnsafeMutableBufferPointer { buffer in
                guard let start = buffer.baseAddress else { return 0 }
                return unsafe driver.functions.cuDeviceGetName(start, 255, device)
            }, "cuDeviceGetName")
        var bytes = 0
        try driver.check(
            unsafe driver.functions.cuDeviceTotalMem(&bytes, device), "cuDeviceTotalMem")
        func attribute(_ attribute: Int) throws(CUDAError) -> Int {
            try driver.attribute(attribute, of: device)
        }
        return Properties(
            name: String(decoding: name.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self),
            computeCapability: try attribute(CD_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) * 10
                + attribute(CD_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
            memoryBytes: bytes,
            multiprocessorCount: try attribute(CD_ATTRIBUTE_MULTIPROCESSOR_COUNT),
            sharedMemoryBytes: try attribute(CD_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN))
    }

    /// What kernels are compiled for, as in "sm_90a".
    package var architecture: String { kernels.architecture }
    /// NVRTC's version, as in "13.0".
    package var compilerVersion: String { kernels.compiler.version }
    /// cuBLASLt's version, as in "13.0.2".
    package var productsVersion: String { products.version }

    /// Waits until the device has done all that it was given.
    package func synchronize() { orEnd { () throws(CUDAError) in try trySynchronize() } }

    func trySynchronize() throws(CUDAError) {
        precondition(!isCapturing.load(ordering: .relaxed), "A graph's capture waits for nothing.")
        try driver.enter()
        try checkWait(unsafe driver.functions.cuStreamSynchronize(stream), "cuStreamSynchronize")
    }

    /// Throws what a wait answered: the error of something that was launched before.
    func checkWait(_ result: cd_result, _ call: String) throws(CUDAError) {
        try driver.check(result, call, recentKernels.withLock { $0.description })
    }

    /// Gives what `body` gives, or ends the process with its error.
    func orEnd<Result>(_ body: () throws(CUDAError) -> Result) -> Result {
        do throws(CUDAError) {
            return try body()
        } catch {
            Self.end(error)
        }
    }

    /// Ends the process.
    static func end(_ error: CUDAError) -> Never {
        writeToStandardError("error: the GPU: \(error)")
        exit(1)
    }

    /// Writes a line to stderr.
    package static func writeToStandardError(_ sentence: String) {
        let line = Array("\(sentence)\n".utf8)
        _ = unsafe line.withUnsafeBytes { unsafe write(2, $0.baseAddress, $0.count) }
    }
}

/// The names of the kernels that were launched last: an error is only told by a later call.
struct RecentKernels {
    private var names: [String] = []

    mutating func append(_ name: String) {
        if names.count == 4 { names.removeFirst() }
        names.append(name)
    }

    var description: String {
        names.isEmpty
            ? "" : "(after \(names.joined(separator: ", ")); CUDA_LAUNCH_BLOCKING=1 tells which)"
    }
}
