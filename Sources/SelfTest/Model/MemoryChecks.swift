import Adapters
import Models
import Tensors
import Training

extension Bench {
    /// What is left behind after many steps, and what publishing an adapter takes.
    var memoryChecks: [Check] {
        guarded("memory") {
            let model = try TestModel.headNorms()
            return types.flatMap { type in
                [
                    named("memory", model, type, "\(sizes.steps) steps") {
                        try self.leak(model, type)
                    },
                    named("memory", model, type, "publishing") {
                        try self.publishing(model, type)
                    },
                ]
            }
        }
    }

    private func leak(_ model: TestModel, _ type: DataType) throws -> [Measurement] {
        // What a process makes once is made before the count begins.
        try steps(model, type, 1...2)
        let before = try MemoryUse(device)
        var inSteps: [(MemoryUse, MemoryUse)] = []
        try withExtendedLifetime(ArithmeticTask(model, on: device, as: type, sizes)) { task in
            for step in 1...3 { try run(task, step) }
            let early = try MemoryUse(device)
            for step in 4..<4 + sizes.steps { try run(task, step) }
            inSteps.append((early, try MemoryUse(device)))
        }
        inSteps.append((before, try MemoryUse(device)))
        return zip(["during the steps", "after the run"], inSteps).flatMap { name, uses in
            [
                Measurement(
                    "bytes in use \(name)",
                    error: Double(abs(uses.1.bytesInUse - uses.0.bytesInUse)), bound: 0,
                    detail: "from \(uses.0.bytesInUse) to \(uses.1.bytesInUse)"),
                Measurement(
                    "bytes of the device \(name)",
                    error: Double(max(0, uses.0.bytesAtHand - uses.1.bytesAtHand)), bound: 0,
                    detail: "from \(uses.0.bytesAtHand) free ones to \(uses.1.bytesAtHand)"),
            ]
        }
    }

    private func steps(_ model: TestModel, _ type: DataType, _ range: ClosedRange<Int>) throws {
        let task = try ArithmeticTask(model, on: device, as: type, sizes)
        for step in range { try run(task, step) }
    }

    private func run(_ task: ArithmeticTask, _ step: Int) throws {
        _ = try task.gradient(task.samples(step: step))
        try task.update()
    }

    /// From the end of an update until the engine's products see it: the new version, and the copy in
    /// the products' type, which the first product after an update renews.
    private func publishing(_ model: TestModel, _ type: DataType) throws -> [Measurement] {
        let task = try ArithmeticTask(model, on: device, as: type, sizes)
        let A = task.adapter.parameters.parameter(0).detached
        let x = Tensor(
            [Float](repeating: 0.5, count: A.columns), shape: [1, A.columns], on: device
        )
        .converted(to: device.isHost ? .float32 : type)
        let weight = Tensor(
            [Float](repeating: 0.5, count: A.columns), shape: [1, A.columns], on: device
        )
        .converted(to: device.isHost ? .float32 : type)
        let B = Tensor([Float](repeating: 0.5, count: A.rows), shape: [1, A.rows], on: device)
        func product() {
            _ = linear(x, weight, lowRank: LowRank(A: A, B: B, scale: 1), nil).toArray()
        }
        var (best, allocated) = (Double.infinity, 0)
        for step in 1...3 {
            try run(task, step)
            product()
            task.adapter.parameters.values.scale(by: 1.5)
            device.synchronize()
            let before = try MemoryUse(device)
            let start = ContinuousClock.now
            try task.publish()
            let after = try MemoryUse(device)
            product()
            best = min(best, (ContinuousClock.now - start).seconds)
            allocated = max(allocated, after.bytesInUse - before.bytesInUse)
        }
        return [
            Measurement("bytes of weights copied", error: Double(allocated), bound: 0),
            Measurement("seconds", error: best, bound: sizes.publishingSeconds),
        ]
    }
}

/// What tensors take of a device.
private struct MemoryUse {
    let bytesInUse: Int
    /// What is free, and what the pool keeps for the next tensor.
    let bytesAtHand: Int

    init(_ device: Device) throws {
        switch device {
        case .cpu:
            bytesInUse = MemoryPool.shared.ledger.bytesInUse
            bytesAtHand = 0
        case .cuda(let cuda):
            cuda.synchronize()
            let ledger = cuda.pool.ledger
            bytesInUse = ledger.bytesInUse
            bytesAtHand = try cuda.pool.deviceMemory().freeBytes + ledger.bytesKept + bytesInUse
        }
    }
}

extension Device {
    /// Waits until all that was asked for is done.
    fileprivate func synchronize() {
        if case .cuda(let cuda) = self { cuda.synchronize() }
    }
}
