import Foundation
import Tensors

/// Bytes of memory that this process may use of what computes.
func availableMemory(of device: Device) -> Int {
    switch device {
    case .cpu: availableMachineMemory()
    case .cuda(let cuda): cuda.availableMemory
    }
}

/// The machine's memory, or what this process's container is given of it, in bytes.
private func availableMachineMemory() -> Int {
    var bytes = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
    for path in limits {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8),
            let limit = Int(text.filter { !$0.isWhitespace }), limit > 0
        else { continue }
        bytes = min(bytes, limit)
    }
    return bytes
}
