import ArgumentParser
import Formats
import Models
import Tensors

struct InitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make a fresh random checkpoint in Hugging Face layout.")

    @Option(help: "A config.json that states the model's shape.")
    var config: String

    @Option(help: "A folder whose tokenizer files are copied.")
    var tokenizer: String

    @Option(help: "The folder to write.")
    var output: String

    @Option(help: "Seed of the weights.")
    var seed: UInt64 = 0

    @Option(help: "How weights are stored: float32, float16 or bfloat16.")
    var dtype: DataType = .float32

    func run() throws {
        let shape = try DecoderConfig(JSON(contentsOfFile: config), name: config)
        try Tokenizer(directory: tokenizer).checkFits(vocabularySize: shape.vocabularySize)
        if fileExists(output) {
            throw CommandError("\(output) exists already; name a folder that does not.")
        }
        try RandomWeights.writeCheckpoint(
            configPath: config, tokenizerDirectory: tokenizer, seed: seed, type: dtype,
            to: output)
        let count = DecoderWeights.names(shape).reduce(0) { $0 + $1.shape.reduce(1, *) }
        note("wrote \(output): \(shape.architecture) with \(count) parameters")
    }
}

extension DataType: ExpressibleByArgument {
    public init?(argument: String) {
        guard let type = DataType.allCases.first(where: { "\($0)" == argument }) else { return nil }
        self = type
    }

    public static var allValueStrings: [String] { allCases.map { "\($0)" } }
}
