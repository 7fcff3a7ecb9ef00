import CDrivers
import EmulatedGPU
import Testing

/// An emulated GPU driven through its tables alone, so that the emulator is tested by itself.
struct BareDevice {
    enum Argument {
        case address(UInt64)
        case long(Int)
        case int(Int32)
        case float(Float)

        var bits: UInt64 {
            switch self {
            case .address(let address): address
            case .long(let value): UInt64(bitPattern: Int64(value))
            case .int(let value): UInt64(UInt32(bitPattern: value))
            case .float(let value): UInt64(value.bitPattern)
            }
        }
    }

    /// A stream of the driver's.
    @safe
    struct Stream {
        let handle: cd_stream
    }

    let gpu = EmulatedGPU()
    /// Where launches go.
    let stream: Stream
    var driver: cd_cuda { gpu.driver }

    /// Initialised, with the context current on this thread.
    init() throws {
        _ = gpu.driver.cuInit(0)
        var context: cd_context?
        _ = unsafe gpu.driver.cuDevicePrimaryCtxRetain(&context, 0)
        _ = unsafe gpu.driver.cuCtxSetCurrent(context)
        stream = try Self.stream(gpu.driver)
    }

    /// Another stream.
    func otherStream() throws -> Stream { try Self.stream(driver) }

    private static func stream(_ driver: cd_cuda) throws -> Stream {
        var stream: cd_stream?
        _ = unsafe driver.cuStreamCreate(&stream, UInt32(CD_STREAM_NON_BLOCKING))
        return unsafe Stream(handle: try #require(stream))
    }

    /// Waits for the stream of launches.
    func synchronize() -> cd_result { unsafe driver.cuStreamSynchronize(stream.handle) }

    // MARK: Memory

    func allocate(byteCount: Int) -> UInt64? {
        var address: UInt64 = 0
        return unsafe driver.cuMemAlloc(&address, byteCount) == 0 ? address : nil
    }

    /// An array on the device with these elements.
    func array<Element>(_ elements: [Element]) -> UInt64 {
        let byteCount = elements.count * MemoryLayout<Element>.stride
        guard let address = allocate(byteCount: byteCount) else { return 0 }
        _ = unsafe elements.withUnsafeBytes { bytes in
            unsafe bytes.baseAddress.map { unsafe driver.cuMemcpyHtoD(address, $0, byteCount) } ?? 0
        }
        return address
    }

    /// An array on the device that nobody wrote to.
    func emptyArray(count: Int) -> UInt64 { allocate(byteCount: 4 * count) ?? 0 }

    /// The elements of an array, after all that was launched.
    func elements<Element: ExpressibleByIntegerLiteral>(_ address: UInt64, count: Int) -> [Element]
    {
        var elements = [Element](repeating: 0, count: count)
        _ = unsafe elements.withUnsafeMutableBytes { bytes in
            unsafe bytes.baseAddress.map { unsafe driver.cuMemcpyDtoH($0, address, bytes.count) }
                ?? 0
        }
        return elements
    }

    // MARK: Launches

    func function(_ kernel: String) -> cd_function? {
        let image = "emulated sm_90a trial.cu"
        var module: cd_module?
        guard unsafe image.withCString({ unsafe driver.cuModuleLoadData(&module, $0) }) == 0,
            let module = unsafe module
        else { return nil }
        var function: cd_function?
        _ = unsafe driver.cuModuleGetFunction(&function, module, kernel)
        return unsafe function
    }

    /// Launches a kernel, and waits for it unless a graph captures it.
    @discardableResult
    func launch(
        _ kernel: String, grid: Int = 1, block: Int = 32, sharedBytes: Int = 0,
        waits: Bool = true, _ arguments: Argument...
    ) -> cd_result {
        guard let function = unsafe function(kernel) else { return -1 }
        var values = arguments.map(\.bits)
        let result = unsafe values.withUnsafeMutableBufferPointer { values in
            var pointers: [UnsafeMutableRawPointer?] = unsafe values.indices.map { index in
                unsafe values.baseAddress.map { unsafe UnsafeMutableRawPointer($0 + index) }
            }
            return unsafe driver.cuLaunchKernel(
                function, UInt32(grid), 1, 1, UInt32(block), 1, 1, UInt32(sharedBytes),
                stream.handle, &pointers, nil)
        }
        return result == 0 && waits ? synchronize() : result
    }
}

/// Numbers that differ, small enough that their sums in f32 are exact.
func smallNumbers(_ count: Int) -> [Float] { (0..<count).map { Float($0 * 37 % 19) * 0.25 - 2 } }

/// The upper half of an f32 that has nothing in the lower one.
func bf16(_ value: Float) -> UInt16 { UInt16(value.bitPattern >> 16) }
