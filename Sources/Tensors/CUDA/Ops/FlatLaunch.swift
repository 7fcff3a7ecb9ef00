extension CUDADevice {
    /// Launches a kernel that goes through `count` elements, a pack of `width` a thread, whatever
    /// its grid; its first argument is the count. Nothing is launched for no elements.
    func launchFlat(
        _ kernel: String, of file: KernelFile, count: Int, width: Int,
        _ arguments: KernelArgument...
    ) {
        let threads = 256
        let blocks = (count + width * threads - 1) / (width * threads)
        orEnd { () throws(CUDAError) in
            try tryLaunch(
                kernel, of: file.name, grid: (blocks, 1, 1), block: threads, sharedBytes: 0,
                [.long(count)] + arguments)
        }
    }

    /// How many elements a thread reads at once of tensors of these types side by side.
    static func packWidth(_ types: DataType...) -> Int {
        16 / (types.map(\.size).max() ?? 4)
    }
}
