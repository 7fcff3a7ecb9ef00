import CKernels

/// The worker threads of the CPU kernels.
package enum Threads {
    /// How many threads take part in an op.
    package static var count: Int { Int(ck_threads()) }

    /// Sets how many threads take part; 0 means one for each core. Call it while no op runs.
    package static func setCount(_ count: Int) {
        ck_set_threads(Int32(clamping: count))
    }
}
