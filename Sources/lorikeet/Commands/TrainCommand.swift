import ArgumentParser
import Formats
import Tensors
import Training

struct TrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Train a model by reinforcement learning.",
        discussion: """
            Settings are verl's: YAML files, and key=value to override them.

              lorikeet train examples/arithmetic.yaml
              lorikeet train actor_rollout_ref.model.path=DIR data.train_files=train.jsonl \\
                  data.val_files=test.jsonl algorithm.adv_estimator=grpo \\
                  actor_rollout_ref.model.lora_rank=32 actor_rollout_ref.rollout.n=5

            Ctrl-C ends the run after the present micro-batch, saves the adapter and exits with \
            status 130; the same command goes on from there, unless trainer.resume_mode is disable.
            """)

    @Argument(
        parsing: .allUnrecognized, help: "FILE.yaml, key=value, +new.key=value or ~key.")
    var settings: [String] = []

    func run() async throws {
        let settings = try TrainSettings.load(arguments: settings)
        Interruption.listen()
        let outcome = try await ReinforcementRun.carryOut(settings)
        report(outcome, unit: "step")
        if let checkpoint = outcome.checkpoint {
            note("try it     " + trial(settings, outcome, checkpoint).text)
        }
        guard outcome.wasInterrupted else { return }
        if settings.trainer.run.resume == .never {
            note("go on with the same command and trainer.resume_mode=auto")
        }
        throw ExitCode(Interruption.exitStatus)
    }

    /// The command line that asks the trained model something.
    private func trial(
        _ settings: TrainSettings, _ outcome: RunOutcome, _ checkpoint: SavedCheckpoint
    ) -> ShellLine {
        var line = ShellLine.ofThisProgram()
        line.append("generate", "--model")
        if settings.model.lora.isOn {
            line.append(settings.model.path, "--adapter", checkpoint.modelFolder)
        } else {
            line.append(checkpoint.modelFolder)
        }
        if let kind = settings.model.quantization.kind {
            line.append("--quantization", kind.rawValue)
        }
        if case .messages = outcome.example { line.append("--chat") }
        if let question = outcome.example?.question {
            line.append("--prompt", question)
        } else if let file = settings.data.validationFiles.first ?? settings.data.trainFiles.first {
            line.append("--limit", "5", "--input", file)
        }
        return line
    }
}

extension Prompt {
    /// What is asked, where it is a single text that fits on a line.
    fileprivate var question: String? {
        let question: String?
        switch self {
        case .text(let text): question = text
        case .messages(let messages):
            let isOne = messages.count == 1 && messages[0]["role"]?.string == "user"
            question = isOne ? messages[0]["content"]?.string : nil
        }
        guard let question, question.utf8.count <= 200, !question.contains("\n") else { return nil }
        return question
    }
}

struct SFTCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sft", abstract: "Train a model on given responses.",
        discussion: """
            Settings are those of verl's SFT trainer: YAML files, and key=value to override them.

              lorikeet sft model.path=DIR model.lora_rank=32 data.train_files=train.jsonl \\
                  optim.lr=1e-4 trainer.total_epochs=2

            With model.lora_rank=0 the whole model is trained. Ctrl-C ends the run after the \
            present micro-batch, saves and exits with status 130; the same command goes on from \
            there.
            """)

    @Argument(
        parsing: .allUnrecognized, help: "FILE.yaml, key=value, +new.key=value or ~key.")
    var settings: [String] = []

    func run() async throws {
        let settings = try SFTSettings.load(arguments: settings)
        Interruption.listen()
        let outcome = try SupervisedRun.carryOut(settings)
        report(outcome, unit: "update")
        if outcome.wasInterrupted { throw ExitCode(Interruption.exitStatus) }
    }
}

/// The last lines of a run.
private func report(_ outcome: RunOutcome, unit: String) {
    let what = outcome.wasInterrupted ? "stopped after" : "finished"
    let change = outcome.validationChange.map { ", \($0)" } ?? ""
    note("")
    note("\(what) \(unit) \(outcome.steps) in \(outcome.seconds.asDuration)\(change)")
    if let checkpoint = outcome.checkpoint { note("saved in   \(checkpoint.modelFolder)") }
}
