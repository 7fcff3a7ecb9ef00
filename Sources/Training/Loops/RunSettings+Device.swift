import Formats
package import Models
package import Tensors

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension RunSettings {
    /// Opens the device that the run is to compute on.
    ///
    /// - Throws: where it is to be a GPU and none works.
    func openDevice(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(TrainingError) -> ChosenDevice {
        do throws(CUDAError) {
            return try device.open(environment: environment)
        } catch {
            throw TrainingError("trainer.device is cuda, but no GPU can be used: \(error)")
        }
    }
}

extension ChosenDevice {
    /// What the run holds of a GPU's memory, and for what; nil on the host.
    var memoryInUse: String? {
        guard case .cuda(let cuda) = device else { return nil }
        return "\(cuda.pool.ledger.description) of \(cuda.availableMemory.asMemorySize)"
    }
}

extension Decoder {
    /// Where this model computes, and what becomes of its weights there.
    package func computing(on device: ChosenDevice) -> String {
        guard !self.device.isHost else { return device.description }
        let rounded = isRoundedFromFloat16 ? "; the checkpoint's f16 weights are rounded to it" : ""
        let type = activationType.safetensorsType.rawValue.lowercased()
        return "\(device.description), computing in \(type)\(rounded)"
    }
}
