import CDrivers
import EmulatedGPU
import Testing

/// What the emulator gives for kernels whose results are known, and what it finds in wrong ones.
struct EmulatedKernelTests {
    @Test(
        "A sum over a block is the sum, in every order of its threads",
        arguments: [EmulatedGPU.Order.forward, .backward, .shuffled(seed: 3)], [32, 256, 1024])
    func blockSum(order: EmulatedGPU.Order, block: Int) throws {
        let device = try BareDevice()
        device.gpu.setOrder(order)
        let x = smallNumbers(3 * 777)
        let (from, to) = (device.array(x), device.emptyArray(count: 3))
        let launched = device.launch(
            "trial_block_sum", grid: 3, block: block, .address(from), .address(to), .long(777))
        #expect(launched == 0)
        let expected = (0..<3).map { x[($0 * 777)..<(($0 + 1) * 777)].reduce(0, +) }
        #expect(device.elements(to, count: 3) == expected)
        #expect(device.gpu.wrong.isEmpty)
    }

    @Test("A tensor-core product of tiles from shared memory is the product")
    func product() throws {
        let device = try BareDevice()
        device.gpu.compareOrders()
        let (a, b) = (smallNumbers(16 * 16), smallNumbers(16 * 8 + 5).suffix(16 * 8).map { -$0 })
        let d = device.emptyArray(count: 16 * 8)
        let launched = device.launch(
            "trial_product", sharedBytes: 2 * (16 * 16 + 16 * 8),
            .address(device.array(a.map(bf16))), .address(device.array(b.map(bf16))), .address(d))
        #expect(launched == 0)
        let expected = (0..<16).flatMap { row in
            (0..<8).map { column in
                (0..<16).reduce(Float(0)) { $0 + a[row * 16 + $1] * b[$1 * 8 + column] }
            }
        }
        #expect(device.elements(d, count: 16 * 8) == expected)
        #expect(device.gpu.wrong.isEmpty)
    }

    // Lane l's address is row l % 8 of matrix l / 8; its elements are 8 l to 8 l + 7.
    @Test(
        "Loaded matrices have rows by fours of lanes, columns by pairs", arguments: [false, true])
    func loadMatrices(transposed: Bool) throws {
        let device = try BareDevice()
        let words = device.emptyArray(count: 128)
        device.launch(
            "trial_load_matrices", sharedBytes: 512, .address(words), .int(transposed ? 1 : 0))
        let found: [UInt32] = device.elements(words, count: 128)
        for lane in 0..<32 {
            for matrix in 0..<4 {
                let (first, second) = (lane / 4, lane % 4 * 2)
                let low = transposed ? second * 8 + first : first * 8 + second
                let high = transposed ? (second + 1) * 8 + first : low + 1
                let expected = UInt32(matrix * 64 + low) | UInt32(matrix * 64 + high) << 16
                #expect(found[lane * 4 + matrix] == expected)
            }
        }
    }

    @Test("A missing barrier is found")
    func missingBarrier() throws {
        let device = try BareDevice()
        let y = device.emptyArray(count: 64)
        let launched = device.launch(
            "trial_missing_barrier", block: 64, sharedBytes: 256, .address(y))
        #expect(launched == 719)
        #expect(
            device.gpu.wrong
                == "kernel trial_missing_barrier, block (0, 0, 0): thread 1 writes byte 4 of 256 "
                + "of shared memory, which thread 0 read, and no barrier is between")
    }

    @Test("A race that the compiler does not report shows in another order of the threads")
    func unwatchedRace() throws {
        let device = try BareDevice()
        device.gpu.compareOrders()
        let y = device.emptyArray(count: 64)
        #expect(
            device.launch("trial_race_unwatched", block: 64, sharedBytes: 256, .address(y)) == 719)
        #expect(device.gpu.wrong.hasPrefix("kernel trial_race_unwatched has a race"))
    }

    @Test("Two blocks that write one number are found")
    func racingBlocks() throws {
        let device = try BareDevice()
        let y = device.emptyArray(count: 1)
        #expect(device.launch("trial_same_place", grid: 1, .address(y)) == 0)
        #expect(device.launch("trial_same_place", grid: 2, .address(y)) == 719)
        #expect(device.gpu.wrong.contains("which another block wrote"))
    }

    @Test("A copy that is not waited for is found")
    func missingWait() throws {
        let device = try BareDevice()
        let x = device.array(smallNumbers(128))
        let y = device.emptyArray(count: 32)
        #expect(
            device.launch("trial_missing_wait", sharedBytes: 512, .address(x), .address(y)) == 719)
        #expect(device.gpu.wrong.contains("to which an asynchronous copy is under way"))
    }

    @Test("An access less aligned than its type is found")
    func misalignment() throws {
        let device = try BareDevice()
        let (x, y) = (device.array(smallNumbers(8)), device.emptyArray(count: 32))
        #expect(device.launch("trial_read_four", .address(x), .address(y), .int(4)) == 0)
        #expect(device.launch("trial_read_four", .address(x), .address(y), .int(1)) == 719)
        #expect(device.gpu.wrong.contains("'const float4' that is no multiple of 16 (by 4)"))
    }

    @Test("An index past a fixed array's end is found")
    func index() throws {
        let device = try BareDevice()
        let y = device.array(smallNumbers(32))
        #expect(device.launch("trial_index", .address(y), .int(3)) == 0)
        #expect(device.launch("trial_index", .address(y), .int(4)) == 719)
        #expect(device.gpu.wrong.contains("uses the index 4, past its array's end"))
    }

    @Test("A barrier that some threads miss is told, and does not hang")
    func partedBarrier() throws {
        let device = try BareDevice()
        let y = device.emptyArray(count: 64)
        #expect(device.launch("trial_parted_barrier", block: 64, .address(y)) == 719)
        #expect(
            device.gpu.wrong
                == "kernel trial_parted_barrier, block (0, 0, 0): __syncthreads was reached by 32 "
                + "of 64 threads: thread 32 has returned")
        #expect(device.allocate(byteCount: 4) == nil, "An error of a kernel stays.")
    }

    @Test("A warp function that some lanes miss is told, and does not hang")
    func partedWarp() throws {
        let device = try BareDevice()
        let y = device.emptyArray(count: 32)
        #expect(device.launch("trial_parted_warp", .address(y)) == 719)
        #expect(device.gpu.wrong.contains("16 of the 32 lanes of warp 0"))
    }

    @Test("A number past an array's end is found, before its begin too", arguments: [5, -1])
    func overrun(index: Int) throws {
        let device = try BareDevice()
        let y = device.emptyArray(count: 5)
        #expect(device.launch("trial_write", .address(y), .int(Int32(index))) == 719)
        #expect(
            device.gpu.wrong.contains("writes 4 bytes at byte \(4 * index) of 20 of an allocation"))
        let other = try BareDevice()
        let z = other.emptyArray(count: 5)
        #expect(other.launch("trial_write_unwatched", .address(z), .int(Int32(index))) == 719)
        #expect(other.gpu.wrong.contains("an allocation of 20 bytes was written"))
    }

    @Test("A number that is read past an array's end is found")
    func overread() throws {
        let device = try BareDevice()
        let (x, y) = (device.array(smallNumbers(5)), device.emptyArray(count: 32))
        #expect(device.launch("trial_read", .address(x), .address(y), .int(4)) == 0)
        #expect(device.launch("trial_read", .address(x), .address(y), .int(5)) == 719)
        #expect(device.gpu.wrong.contains("reads 4 bytes at byte 20 of 20 of an allocation"))
    }

    @Test(
        "A number past the shared memory of the launch is found",
        arguments: ["trial_write_shared", "trial_write_shared_unwatched"])
    func sharedOverrun(kernel: String) throws {
        let device = try BareDevice()
        #expect(device.launch(kernel, sharedBytes: 20, .int(4)) == 0)
        #expect(device.launch(kernel, sharedBytes: 20, .int(5)) == 719)
        #expect(device.gpu.wrong.contains("shared memory"))
    }

    @Test("Shared memory that nobody wrote is no number")
    func uninitializedSharedMemory() throws {
        let device = try BareDevice()
        let y = device.emptyArray(count: 32)
        device.launch("trial_read_shared", sharedBytes: 128, .address(y))
        let found: [Float] = device.elements(y, count: 32)
        #expect(found.allSatisfy { $0.isNaN })
    }

    @Test("Arguments of every kind arrive, and are remembered")
    func arguments() throws {
        let device = try BareDevice()
        let x = smallNumbers(40)
        let (from, to) = (device.array(x), device.emptyArray(count: 40))
        device.launch(
            "trial_scale", grid: 2, .address(from), .address(to), .long(40), .float(1.5), .int(-3))
        #expect(device.elements(to, count: 40) == x.map { 1.5 * $0 - 3 })
        let launch = device.gpu.launches.last
        #expect(launch?.kernel == "trial_scale")
        #expect(launch?.grid == [2, 1, 1])
        #expect(launch?.block == [32, 1, 1])
        #expect(
            launch?.arguments
                == [from, to, 40, UInt64(Float(1.5).bitPattern), UInt64(UInt32(bitPattern: -3))])
    }

    @Test("A pointer to what was freed is told")
    func danglingPointer() throws {
        let device = try BareDevice()
        let y = device.emptyArray(count: 40)
        _ = device.driver.cuMemFree(y)
        #expect(device.launch("trial_write", .address(y), .int(0)) == 700)
        #expect(device.gpu.wrong.contains("pointer to no allocation"))
    }

    @Test("More shared memory than a function may have is refused")
    func tooMuchSharedMemory() throws {
        let device = try BareDevice()
        #expect(device.launch("trial_write_shared", sharedBytes: 64 << 10, .int(0)) == 1)
        let function = unsafe device.function("trial_write_shared")
        if let function = unsafe function {
            let attribute = Int32(CD_FUNCTION_MAX_DYNAMIC_SHARED_SIZE_BYTES)
            #expect(unsafe device.driver.cuFuncSetAttribute(function, attribute, 64 << 10) == 0)
        }
        #expect(device.launch("trial_write_shared", sharedBytes: 64 << 10, .int(0)) == 0)
    }
}
