import Adapters
import ArgumentParser
import Formats
import Models

struct MergeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract: "Add an adapter to its model's weights and write a whole checkpoint.")

    @Option(help: "The model's folder.")
    var model: String

    @Option(help: "The adapter's folder.")
    var adapter: String

    @Option(help: "The folder to write.")
    var output: String

    func run() throws {
        if fileExists(output) {
            throw CommandError("\(output) exists already; name a folder that does not.")
        }
        let decoder = try Decoder(directory: model)
        let lora = try LoRAAdapter(directory: adapter, for: decoder.config)
        try lora.merge(base: model, to: output)
        note("wrote \(output): \(model) with \(adapter) merged into it")
    }
}
