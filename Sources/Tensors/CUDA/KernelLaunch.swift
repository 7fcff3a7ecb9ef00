internal import CDrivers
internal import Synchronization

extension CUDADevice {
    /// The blocks of a launch, by dimension.
    package typealias Grid = (Int, Int, Int)

    /// Launches a kernel, which runs after all that was launched before it. Nothing is launched
    /// where the grid is empty.
    ///
    /// - Parameters:
    ///   - kernel: the function's name in `file`.
    ///   - block: threads of a block, a multiple of 32 up to 1024.
    ///   - sharedBytes: the block's dynamic shared memory.
    package func launch(
        _ kernel: String, of file: KernelFile, grid: Grid, block: Int, sharedBytes: Int = 0,
        _ arguments: KernelArgument...
    ) {
        launch(
            kernel, of: file, grid: grid, block: block, sharedBytes: sharedBytes, arguments)
    }

    /// The same with the arguments as a list.
    func launch(
        _ kernel: String, of file: KernelFile, grid: Grid, block: Int, sharedBytes: Int = 0,
        _ arguments: [KernelArgument]
    ) {
        orEnd { () throws(CUDAError) in
            try tryLaunch(
                kernel, of: file.name, grid: grid, block: block, sharedBytes: sharedBytes,
                arguments)
        }
    }

    /// Compiles all kernel files that the disk does not have, several at a time, so that no later
    /// launch waits for the compiler.
    ///
    /// - Throws: `CUDAError` with the compiler's words.
    package func prepareKernels() throws(CUDAError) {
        try kernels.prepare(KernelFile.allCases.map(\.name))
    }

    func tryLaunch(
        _ kernel: String, of file: String, grid: Grid, block: Int, sharedBytes: Int,
        _ arguments: [KernelArgument]
    ) throws(CUDAError) {
        precondition(block > 0 && block <= 1024 && block % 32 == 0, "\(block) threads a block.")
        precondition(
            grid.1 <= 65535 && grid.2 <= 65535, "\(kernel): a grid of \(grid.1) x \(grid.2) rows.")
        guard grid.0 > 0, grid.1 > 0, grid.2 > 0 else { return }
        try driver.enter()
        let function = unsafe try kernels.function(
            kernel, of: file, sharedBytes: sharedBytes, releasing: pool)
        var bits = arguments.map { $0.bits(on: self) }
        let result = unsafe bits.withUnsafeMutableBytes { bits in
            var parameters: [UnsafeMutableRawPointer?] = unsafe arguments.indices.map { index in
                unsafe bits.baseAddress.map { unsafe $0 + 8 * index }
            }
            return unsafe parameters.withUnsafeMutableBufferPointer { parameters in
                unsafe driver.functions.cuLaunchKernel(
                    function, UInt32(grid.0), UInt32(grid.1), UInt32(grid.2), UInt32(block), 1, 1,
                    UInt32(sharedBytes), stream, parameters.baseAddress, nil)
            }
        }
        recentKernels.withLock { $0.append(kernel) }
        try driver.check(
            result, "The kernel \(kernel) of \(file)",
            "(\(grid.0) x \(grid.1) x \(grid.2) blocks of \(block) threads with \(sharedBytes) "
                + "bytes; \(arguments.map(\.description).joined(separator: ", ")))")
    }
}
