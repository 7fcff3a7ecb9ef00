package import CDrivers
internal import CUDAEmulator

/// A GPU that the CPU plays, for tests: the tables of functions, what its user did wrong, and
/// failures on purpose. CUDAEmulator.h and the sources beside it say what is watched.
@safe
package final class EmulatedGPU: @unchecked Sendable {
    // The emulator's functions lock.
    private let machine: OpaquePointer
    package let driver: cd_cuda
    package let compiler: cd_nvrtc
    package let products: cd_cublaslt

    /// The order in which the threads between two barriers, and the blocks of a launch, run.
    package enum Order: Sendable {
        case forward
        case backward
        case shuffled(seed: UInt64)
    }

    /// One launch, as the driver was asked for it.
    package struct Launch: Sendable, Equatable {
        package let kernel: String
        package let grid: [Int]
        package let block: [Int]
        package let sharedBytes: Int
        /// The arguments' bits; a narrower one is in the low ones.
        package let arguments: [UInt64]
        /// Whether a graph brought it.
        package let isOfGraph: Bool
    }

    /// A machine with one device of capability 9.0 and 4 GiB, and CUDA 13.0.
    package init() {
        guard let machine = unsafe emulator_open() else {
            preconditionFailure("Sixteen emulated machines are open, and none closes.")
        }
        unsafe self.machine = machine
        let driver = UnsafeMutablePointer<cd_cuda>.allocate(capacity: 1)
        let compiler = UnsafeMutablePointer<cd_nvrtc>.allocate(capacity: 1)
        let products = UnsafeMutablePointer<cd_cublaslt>.allocate(capacity: 1)
        unsafe emulator_tables(machine, driver, compiler, products)
        unsafe self.driver = driver.pointee
        unsafe self.compiler = compiler.pointee
        unsafe self.products = products.pointee
        unsafe driver.deallocate()
        unsafe compiler.deallocate()
        unsafe products.deallocate()
    }

    deinit { unsafe emulator_close(machine) }

    // MARK: What it is

    /// The device's compute capability, 10 * major + minor.
    package func setCapability(_ capability: Int) {
        unsafe emulator_set_capability(
            machine, Int32(capability / 10), Int32(capability % 10))
    }

    /// The newest CUDA that the driver serves, 1000 * major + 10 * minor.
    package func setDriverVersion(_ version: Int) {
        unsafe emulator_set_driver_version(machine, Int32(version))
    }

    package func setDeviceCount(_ count: Int) {
        unsafe emulator_set_device_count(machine, Int32(count))
    }

    /// The device's memory in bytes; allocations beyond it fail.
    package func setMemory(byteCount: Int) { unsafe emulator_set_memory(machine, byteCount) }

    // MARK: How it runs

    package func setOrder(_ order: Order) {
        switch order {
        case .forward: unsafe emulator_set_order(machine, emulator_forward, 0)
        case .backward: unsafe emulator_set_order(machine, emulator_backward, 0)
        case .shuffled(let seed): unsafe emulator_set_order(machine, emulator_shuffled, seed)
        }
    }

    /// Runs each launch in several orders and fails where the results differ in a bit: a race.
    package func compareOrders(_ compares: Bool = true) {
        unsafe emulator_compare_orders(machine, compares)
    }

    /// Runs work when it is given to a stream, instead of when somebody waits for it.
    package func runAtOnce(_ atOnce: Bool = true) { unsafe emulator_run_at_once(machine, atOnce) }

    // MARK: Failures on purpose

    /// Lets the n-th allocation from now fail; 1 is the next.
    package func failAllocation(_ n: Int) { unsafe emulator_fail_allocation(machine, Int32(n)) }

    /// Lets the n-th launch from now, and all calls after it, give an error of the driver's.
    package func failLaunch(_ n: Int, error: Int) {
        unsafe emulator_fail_launch(machine, Int32(n), cd_result(error))
    }

    /// Lets the n-th product from now give a status of cuBLASLt's.
    package func failProduct(_ n: Int, status: Int) {
        unsafe emulator_fail_product(machine, Int32(n), Int32(status))
    }

    // MARK: What came of it

    /// What the machine's user did wrong first; empty where nothing.
    package var wrong: String { unsafe String(cString: emulator_wrong(machine)) }

    /// What was not given back; empty where nothing is left.
    package var left: String { unsafe String(cString: emulator_left(machine)) }

    /// Bytes of device memory that are allocated.
    package var byteCount: Int { unsafe emulator_bytes(machine) }
    package var peakByteCount: Int { unsafe emulator_peak_bytes(machine) }
    /// Allocations of device memory so far.
    package var allocationCount: Int { unsafe emulator_allocations(machine) }
    /// Bytes copied to the device so far.
    package var uploadedByteCount: Int { unsafe emulator_bytes_up(machine) }
    /// Bytes copied from the device so far.
    package var downloadedByteCount: Int { unsafe emulator_bytes_down(machine) }
    /// Copies to the device so far.
    package var uploadCount: Int { unsafe emulator_copies_up(machine) }
    /// Copies from the device so far.
    package var downloadCount: Int { unsafe emulator_copies_down(machine) }
    package var productCount: Int { unsafe emulator_products(machine) }
    package var compilationCount: Int { unsafe emulator_compilations(machine) }
    package var graphLaunchCount: Int { unsafe emulator_graph_launches(machine) }

    /// All launches in the order of the calls.
    package var launches: [Launch] {
        (0..<(unsafe emulator_launches(machine))).map { index in
            let launch = unsafe emulator_launch_at(machine, index)
            let bytes = unsafe UnsafeRawBufferPointer(
                start: launch.arguments, count: 8 * launch.argument_count)
            return unsafe Launch(
                kernel: String(cString: launch.kernel),
                grid: [Int(launch.grid.0), Int(launch.grid.1), Int(launch.grid.2)],
                block: [Int(launch.block.0), Int(launch.block.1), Int(launch.block.2)],
                sharedBytes: Int(launch.shared_bytes),
                arguments: (0..<launch.argument_count).map {
                    unsafe bytes.load(fromByteOffset: 8 * $0, as: UInt64.self)
                },
                isOfGraph: launch.of_graph)
        }
    }

    /// Forgets the launches and starts the counts anew.
    package func resetCounts() { unsafe emulator_reset_counts(machine) }

    /// The kernels of a file that the emulator can run; nil where it does not know the file.
    ///
    /// - Parameter stem: the file's name without ".cu".
    package static func kernels(of stem: String) -> String? {
        unsafe emulator_kernels_of(stem).map { unsafe String(cString: $0) }
    }
}
