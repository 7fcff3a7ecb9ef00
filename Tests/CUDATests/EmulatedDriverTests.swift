import CDrivers
import EmulatedGPU
import Testing

/// Memory, streams, graphs and errors of the emulated driver.
struct EmulatedDriverTests {
    // MARK: Memory

    @Test("What is not given back is counted")
    func leaks() throws {
        let device = try BareDevice()
        let address = device.emptyArray(count: 10)
        #expect(device.gpu.left == "40 bytes of device memory, 1 streams, 1 contexts")
        #expect(device.driver.cuMemFree(address) == 0)
        #expect(unsafe device.driver.cuStreamDestroy(device.stream.handle) == 0)
        #expect(device.driver.cuDevicePrimaryCtxRelease(0) == 0)
        #expect(device.gpu.left.isEmpty)
    }

    @Test("Memory that is freed twice, and a copy past an array's end, are told")
    func wrongMemory() throws {
        let device = try BareDevice()
        let address = device.emptyArray(count: 10)
        #expect(device.driver.cuMemcpyDtoD(address, address + 20, 21) == 700)
        #expect(device.gpu.wrong.contains("21 bytes that are not all in one allocation"))
        let other = try BareDevice()
        let freed = other.emptyArray(count: 10)
        #expect(other.driver.cuMemFree(freed) == 0)
        #expect(other.driver.cuMemFree(freed) == 1)
        #expect(other.gpu.wrong.contains("freed before"))
    }

    @Test("An allocation fails where it is to, and beyond the device's memory")
    func outOfMemory() throws {
        let device = try BareDevice()
        device.gpu.failAllocation(2)
        #expect(device.allocate(byteCount: 100) != nil)
        #expect(device.allocate(byteCount: 100) == nil)
        #expect(device.allocate(byteCount: 100) != nil)
        device.gpu.setMemory(byteCount: 1000)
        #expect(device.allocate(byteCount: 801) == nil)
        #expect(device.allocate(byteCount: 800) != nil)
        #expect(device.gpu.wrong.isEmpty)
        #expect(device.gpu.allocationCount == 5)
        #expect(device.gpu.byteCount == 1000)
    }

    // MARK: Streams

    @Test("A stream has done nothing before somebody waits for it")
    func lateWork() throws {
        let device = try BareDevice()
        let address = device.array(smallNumbers(8))
        let stream = unsafe device.stream.handle
        #expect(unsafe device.driver.cuMemsetD32Async(address, 0, 8, stream) == 0)
        #expect(device.elements(address, count: 8) == smallNumbers(8))
        #expect(unsafe device.driver.cuStreamSynchronize(stream) == 0)
        #expect(device.elements(address, count: 8) == [Float](repeating: 0, count: 8))
    }

    @Test("A stream that waits for an event sees what was before it, and no more")
    func events() throws {
        let device = try BareDevice()
        let address = device.array([UInt32](repeating: 7, count: 4))
        let copy = device.array([UInt32](repeating: 0, count: 4))
        let (first, second) = unsafe (device.stream.handle, try device.otherStream().handle)
        var made: cd_event?
        _ = unsafe device.driver.cuEventCreate(&made, UInt32(CD_EVENT_DISABLE_TIMING))
        let event = unsafe try #require(made)
        _ = unsafe device.driver.cuMemsetD32Async(address, 1, 4, first)
        _ = unsafe device.driver.cuEventRecord(event, first)
        _ = unsafe device.driver.cuMemsetD32Async(address, 2, 4, first)
        _ = unsafe device.driver.cuStreamWaitEvent(second, event, 0)
        _ = unsafe device.driver.cuMemcpyDtoDAsync(copy, address, 16, second)
        #expect(unsafe device.driver.cuEventQuery(event) == cd_result(CD_ERROR_NOT_READY))
        #expect(unsafe device.driver.cuStreamSynchronize(second) == 0)
        #expect(unsafe device.driver.cuEventQuery(event) == 0)
        #expect(device.elements(copy, count: 4) == [UInt32](repeating: 1, count: 4))
    }

    @Test("Pinned memory that is freed before its copy is told")
    func pinnedMemory() throws {
        let device = try BareDevice()
        let address = device.emptyArray(count: 4)
        let stream = unsafe device.stream.handle
        var pinned: UnsafeMutableRawPointer?
        _ = unsafe device.driver.cuMemHostAlloc(&pinned, 16, 0)
        let memory = unsafe try #require(pinned)
        _ = unsafe device.driver.cuMemcpyHtoDAsync(address, memory, 16, stream)
        #expect(unsafe device.driver.cuMemFreeHost(memory) == 0)
        #expect(unsafe device.driver.cuStreamSynchronize(stream) == 700)
        #expect(device.gpu.wrong == "pinned memory was freed before it was copied")
    }

    // MARK: Graphs

    @Test("A graph does again what was captured, with the memory's contents of then")
    func graphs() throws {
        let device = try BareDevice()
        let (from, to) = (device.array(smallNumbers(32)), device.emptyArray(count: 32))
        let stream = unsafe device.stream.handle
        #expect(
            unsafe device.driver.cuStreamBeginCapture(stream, Int32(CD_CAPTURE_RELAXED)) == 0)
        device.launch(
            "trial_scale", waits: false, .address(from), .address(to), .long(32), .float(2), .int(1)
        )
        var (graph, exec): (cd_graph?, cd_graph_exec?)
        #expect(unsafe device.driver.cuStreamEndCapture(stream, &graph) == 0)
        let captured = unsafe try #require(graph)
        #expect(unsafe device.driver.cuGraphInstantiateWithFlags(&exec, captured, 0) == 0)
        #expect(unsafe device.driver.cuGraphDestroy(captured) == 0)
        #expect(device.gpu.launches.isEmpty)
        let launched = unsafe try #require(exec)
        _ = unsafe device.driver.cuMemsetD32Async(from, Float(5).bitPattern, 32, stream)
        #expect(unsafe device.driver.cuGraphLaunch(launched, stream) == 0)
        #expect(unsafe device.driver.cuStreamSynchronize(stream) == 0)
        #expect(device.elements(to, count: 32) == [Float](repeating: 11, count: 32))
        #expect(device.gpu.launches.map(\.isOfGraph) == [true])
        #expect(unsafe device.driver.cuGraphExecDestroy(launched) == 0)
        #expect(device.gpu.wrong.isEmpty)
    }

    // MARK: Errors

    @Test("A launch fails where it is to, and all calls after it")
    func failingLaunch() throws {
        let device = try BareDevice()
        let y = device.emptyArray(count: 4)
        device.gpu.failLaunch(2, error: 719)
        #expect(device.launch("trial_write", .address(y), .int(0)) == 0)
        #expect(device.launch("trial_write", .address(y), .int(0)) == 719)
        #expect(device.driver.cuMemFree(y) == 719)
        #expect(device.gpu.wrong.isEmpty)
    }

    @Test("A thread without the context is told so")
    func missingContext() throws {
        let device = try BareDevice()
        #expect(device.driver.cuCtxSetCurrent(nil) == 0)
        #expect(device.allocate(byteCount: 4) == nil)
        #expect(device.gpu.wrong.contains("no current context"))
    }

    @Test("A closed machine's context is not the next one's")
    func closedMachine() throws {
        for _ in 0..<40 {
            let device = try BareDevice()
            #expect(device.allocate(byteCount: 4) != nil)
            #expect(device.driver.cuCtxSetCurrent(nil) == 0)
        }
    }

    @Test("Code of another architecture, and what is no code, are refused")
    func foreignCode() throws {
        let device = try BareDevice()
        var module: cd_module?
        device.gpu.setCapability(75)
        #expect(unsafe device.driver.cuModuleLoadData(&module, "emulated sm_80 trial.cu") == 209)
        device.gpu.setCapability(86)
        #expect(unsafe device.driver.cuModuleLoadData(&module, "emulated sm_80 trial.cu") == 0)
        #expect(unsafe device.driver.cuModuleLoadData(&module, "emulated sm_90a trial.cu") == 209)
        #expect(unsafe device.driver.cuModuleLoadData(&module, "something else") == 200)
    }

    @Test("A kernel that the emulator has not is told by its name")
    func unknownKernel() throws {
        let device = try BareDevice()
        #expect(device.launch("trial_nothing") == -1)
        #expect(device.gpu.wrong.contains("knows no kernel trial_nothing of trial.cu"))
    }
}
