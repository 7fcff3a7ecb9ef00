import Adapters
import ArgumentParser
import Formats
import Foundation
import Models
import Tensors
import Training

/// The options of every command that runs a model.
struct ModelOptions: ParsableArguments {
    @Option(help: "The model's folder, in Hugging Face layout.")
    var model: String

    @Option(help: "A LoRA adapter's folder, in PEFT layout.")
    var adapter: String?

    @Option(help: "How the weights are quantised when the model is opened.")
    var quantization: Quantization?

    @Option(help: "Where the model computes; auto is a GPU where one works, else the CPU.")
    var device: DeviceChoice = .auto

    @Option(help: "Threads that compute; 0 for one a core.")
    var threads: Int = 0

    func validate() throws {
        guard threads >= 0, threads <= 4096 else {
            throw ValidationError("--threads is \(threads); it must be from 0 to 4096.")
        }
    }

    /// Calls `body`, in which the model is loaded and computes on the device that is asked for.
    func onDevice<Result>(_ body: () throws -> Result) throws -> Result {
        let chosen = try device.opened()
        if !chosen.device.isHost { note("device    \(chosen.description)") }
        return try Device.$current.withValue(chosen.device) { try body() }
    }

    /// The model, and the adapter if one was named.
    func load() throws -> (decoder: Decoder, adapter: LoRAAdapter?) {
        Threads.setCount(threads)
        let decoder = try Decoder(
            directory: model, quantization: quantization.map(BaseQuantization.init(ofCommand:)))
        let lora = try adapter.map { try LoRAAdapter(directory: $0, for: decoder.config) }
        return (decoder, lora)
    }
}

extension BaseQuantization {
    /// The quantisation that a command's option names, kept in the folder of all programs.
    init(ofCommand kind: Quantization) {
        let environment = ProcessInfo.processInfo.environment
        self = BaseQuantization(
            kind, cacheFolder: userCacheFolder(environment: environment)
        ).reported()
    }
}

extension DeviceChoice {
    /// The device that a command's option asks for.
    func opened() throws(CommandError) -> ChosenDevice {
        do throws(CUDAError) {
            return try open(environment: ProcessInfo.processInfo.environment)
        } catch {
            throw CommandError("--device is cuda, but no GPU can be used: \(error)")
        }
    }
}

extension DeviceChoice: ExpressibleByArgument {}
extension Quantization: ExpressibleByArgument {}
extension ActivationPrecision: ExpressibleByArgument {}
