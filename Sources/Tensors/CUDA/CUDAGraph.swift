internal import CDrivers
internal import Synchronization

/// Device memory that graphs share which are never launched at the same time: what one of them
/// wrote is lost when another is launched.
package final class CUDAGraphMemory: @unchecked Sendable {
    fileprivate let pool: CUDAMemoryPool

    package init(of device: CUDADevice) { pool = device.pool }

    deinit { pool.disown(ObjectIdentifier(self)) }
}

/// A sequence of launches and copies on a device that can be launched again as one, which costs the
/// host no more than a single launch.
///
/// Launching it again reads and writes the same addresses. So all tensors that it reads and that
/// were there before must live as long as the graph does, and are to be overwritten in place; what
/// it makes lies in its memory, and holds what the latest launch wrote.
@safe
package final class CUDAGraph: @unchecked Sendable {
    private let device: CUDADevice
    private let executable: cd_graph_exec
    /// Kept, since the launches use it.
    private let memory: CUDAGraphMemory

    /// Records what `body` launches, which does not run yet. Nothing in it may wait for the device
    /// or read a tensor from the host, and no other thread may use the device meanwhile. Run the
    /// same once without a graph before: then all kernels are loaded.
    package static func capture<Result>(
        on device: CUDADevice, memory: CUDAGraphMemory? = nil, _ body: () throws -> Result
    ) rethrows -> (graph: CUDAGraph, result: Result) {
        let memory = memory ?? CUDAGraphMemory(of: device)
        device.orEnd { () throws(CUDAError) in try device.beginCapture(in: memory) }
        let result: Result
        do {
            result = try body()
        } catch {
            let graph = unsafe device.orEnd { () throws(CUDAError) in unsafe try device.endCapture()
            }
            _ = unsafe device.driver.functions.cuGraphDestroy(graph)
            throw error
        }
        let graph = device.orEnd { () throws(CUDAError) in
            unsafe try CUDAGraph(device, device.endCapture(), memory)
        }
        return (graph, result)
    }

    private init(
        _ device: CUDADevice, _ graph: cd_graph, _ memory: CUDAGraphMemory
    ) throws(CUDAError) {
        var executable: cd_graph_exec?
        let result = unsafe device.driver.functions.cuGraphInstantiateWithFlags(
            &executable, graph, 0)
        _ = unsafe device.driver.functions.cuGraphDestroy(graph)
        try device.driver.check(result, "cuGraphInstantiateWithFlags")
        guard let executable = unsafe executable else {
            throw CUDAError("cuGraphInstantiateWithFlags gave nothing.")
        }
        self.device = device
        unsafe self.executable = executable
        self.memory = memory
    }

    /// Launches all of it, after all that was launched before.
    package func launch() {
        device.orEnd { () throws(CUDAError) in
            try device.driver.enter()
            device.recentKernels.withLock { $0.append("a graph") }
            try device.driver.check(
                unsafe device.driver.functions.cuGraphLaunch(executable, device.stream),
                "cuGraphLaunch")
        }
    }

    deinit {
        try? device.driver.enter()
        // It may be running; its memory goes to others, whose launches come after it.
        _ = unsafe device.driver.functions.cuStreamSynchronize(device.stream)
        _ = unsafe device.driver.functions.cuGraphExecDestroy(executable)
    }
}

extension CUDADevice {
    fileprivate func beginCapture(in memory: CUDAGraphMemory) throws(CUDAError) {
        try driver.enter()
        pool.beginCapture(for: ObjectIdentifier(memory))
        try driver.check(
            unsafe driver.functions.cuStreamBeginCapture(stream, Int32(CD_CAPTURE_RELAXED)),
            "cuStreamBeginCapture")
        isCapturing.store(true, ordering: .relaxed)
    }

    fileprivate func endCapture() throws(CUDAError) -> cd_graph {
        var graph: cd_graph?
        isCapturing.store(false, ordering: .relaxed)
        pool.endCapture()
        try driver.check(
            unsafe driver.functions.cuStreamEndCapture(stream, &graph), "cuStreamEndCapture",
            recentKernels.withLock { $0.description })
        guard let graph = unsafe graph else {
            throw CUDAError("cuStreamEndCapture gave no graph.")
        }
        return unsafe graph
    }
}
