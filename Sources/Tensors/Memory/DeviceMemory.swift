/// The memory of whatever computes.
extension Device {
    /// The most bytes that were in live tensors at once since `resetPeakMemory`; the host's mapped
    /// weights are not among them, a device's are.
    package var peakMemory: Int {
        switch self {
        case .cpu: MemoryPool.shared.ledger.peakBytes
        case .cuda(let cuda): cuda.pool.ledger.peakBytes
        }
    }

    /// Forgets the peak: from now on it counts from what is in use.
    package func resetPeakMemory() {
        switch self {
        case .cpu: MemoryPool.shared.resetPeak()
        case .cuda(let cuda): cuda.pool.resetPeak()
        }
    }
}

extension CUDADevice {
    /// Bytes of the device's memory that this process does not use: a function of the device and of
    /// what the process holds, not of what else runs on it, so that what is made to fit it is the
    /// same each time.
    package var unusedMemory: Int { max(0, properties.memoryBytes - pool.ledger.bytesInUse) }

    /// Bytes of the device's memory that this process has, or could have now.
    package var availableMemory: Int {
        let ledger = pool.ledger
        guard let free = try? pool.deviceMemory().freeBytes else { return properties.memoryBytes }
        return free + ledger.bytesInUse + ledger.bytesKept
    }
}

extension Int {
    /// So many bytes, as in "139.8 GiB", or "0.4 MiB" below one.
    package var asMemorySize: String {
        let (bits, unit) = self < 1 << 30 ? (20, "MiB") : (30, "GiB")
        let tenths = (self * 10 + 1 << (bits - 1)) >> bits
        return "\(tenths / 10).\(tenths % 10) \(unit)"
    }
}
