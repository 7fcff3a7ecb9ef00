import Adapters
import ArgumentParser
import Formats
import Foundation
import Models
import Tensors
import Training

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what this machine has, and whether a model is supported.")

    @Option(help: "A model's folder to look at.")
    var model: String?

    @Option(help: "How the model's weights are quantised when it is opened.")
    var quantization: Quantization?

    @Option(help: "Where the model is opened; auto is a GPU where one works, else the CPU.")
    var device: DeviceChoice = .auto

    @Option(help: "Threads that compute; 0 for one a core.")
    var threads: Int = 0

    func validate() throws {
        guard threads >= 0, threads <= 4096 else {
            throw ValidationError("--threads is \(threads); it must be from 0 to 4096.")
        }
        if quantization != nil, model == nil {
            throw ValidationError("--quantization is of a model; name its folder with --model.")
        }
        if device != .auto, model == nil {
            throw ValidationError(
                "--device is where a model is opened; name its folder with --model.")
        }
    }

    func run() throws {
        Threads.setCount(threads)
        describeMachine()
        guard let model else { return }
        let chosen = try device.opened()
        try Device.$current.withValue(chosen.device) { try describe(model, on: chosen) }
    }

    private func describeMachine() {
        let process = ProcessInfo.processInfo
        line("cores", "\(process.activeProcessorCount), \(Threads.count) threads in use")
        line("instructions", Processor.instructionSet)
        line("memory", gibibytes(Int(clamping: process.physicalMemory)))
        line("read bandwidth", "\(giga(Processor.measuredReadBandwidth())) GB/s, all threads")
        line("peak of a core", "\(giga(Processor.measuredPeak())) GFLOP/s, f32")
        for rows in [1, 16, 512] {
            let speed = Processor.measuredLinear(
                rows: rows, shape: [4864, 896], type: .bfloat16)
            line("\(rows) x bf16 weight", "\(giga(speed)) GFLOP/s, all threads")
        }
        let cube = Processor.measuredLinear(rows: 1024, shape: [1024, 1024], type: .float32)
        line("1024 cubed in f32", "\(giga(cube)) GFLOP/s, all threads")
        describeGPU()
    }

    private func describe(_ directory: String, on chosen: ChosenDevice) throws {
        print("")
        let start = ContinuousClock.now
        let decoder = try Decoder(
            directory: directory,
            quantization: quantization.map(BaseQuantization.init(ofCommand:)))
        // What goes to a GPU is under way still.
        if case .cuda(let cuda) = chosen.device { cuda.synchronize() }
        let seconds = (ContinuousClock.now - start).seconds
        let config = decoder.config
        let weights = decoder.weights.named.map(\.weight)
        let bytes = weights.reduce(0) { $0 + $1.byteCount }
        line("model", "\(directory): supported")
        line("architecture", config.architecture)
        line(
            "shape",
            "\(config.layerCount) layers, hidden \(config.hiddenSize), heads "
                + "\(config.heads.queryHeads)/\(config.heads.keyValueHeads), vocabulary "
                + "\(config.vocabularySize)")
        line("parameters", "\(weights.reduce(0) { $0 + $1.count })")
        let types = [decoder.weights.layers[0][.query].weight, decoder.weights.embedding]
            .map(\.typeName)
        let others = types[0] == types[1] ? "" : ", embedding and head \(types[1])"
        line("weights", "\(gibibytes(bytes)) of \(types[0])\(others)")
        line("opened in", "\(seconds.formatted(digits: 3)) s")
        line("computes on", decoder.computing(on: chosen))
        let tokenizer = try Tokenizer(directory: directory)
        try tokenizer.checkFits(vocabularySize: config.vocabularySize)
        line("tokenizer", "\(tokenizer.vocabularySize) ids")
        line("chat template", tokenizer.chatTemplate == nil ? "none" : "yes")
    }

    func line(_ name: String, _ value: String) {
        print(name.padding(toLength: 20, withPad: " ", startingAt: 0) + value)
    }

    func giga(_ value: Double) -> String { (value / 1e9).formatted(digits: 1) }

    func gibibytes(_ bytes: Int) -> String {
        "\((Double(bytes) / Double(1 << 30)).formatted(digits: 2)) GiB"
    }
}
