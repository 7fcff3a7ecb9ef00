import ArgumentParser
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
            status 130; the same command goes on from there.
            """)

    @Argument(
        parsing: .allUnrecognized, help: "FILE.yaml, key=value, +new.key=value or ~key.")
    var settings: [String] = []

    func run() async throws {
        let settings = try TrainSettings.load(arguments: settings)
        Interruption.listen()
        let outcome = try await ReinforcementRun(settings).run()
        report(outcome, unit: "step")
        if let example = settings.data.validationFiles.first ?? settings.data.trainFiles.first,
            let checkpoint = outcome.checkpoint
        {
            let model =
                settings.model.lora.isOn
                ? "\(settings.model.path) --adapter \(checkpoint.modelFolder)"
                : checkpoint.modelFolder
            note(
                "try it     lorikeet generate --model \(model) --input \(example) --chat --limit 5")
        }
        if outcome.wasInterrupted { throw ExitCode(Interruption.exitStatus) }
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
        let outcome = try SupervisedRun(settings).run()
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
