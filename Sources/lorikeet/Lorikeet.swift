import ArgumentParser

/// The program: one subcommand a file in `Commands`.
@main
struct Lorikeet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lorikeet",
        abstract: "Reinforcement-learning post-training of language models with LoRA.",
        version: "0.1.0",
        subcommands: [
            TrainCommand.self, SFTCommand.self, ConfigCommand.self, InitCommand.self,
            GenerateCommand.self,
            ScoreCommand.self, TokenizeCommand.self, MergeCommand.self, DoctorCommand.self,
            SelfTestCommand.self,
        ])
}
