import ArgumentParser
import Settings
import Training

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Show a configuration, or explain its keys.",
        discussion: """
            Prints every setting in force as YAML, and where it was set. Nothing is trained, and \
            keys that must be given may be missing.

              lorikeet config examples/arithmetic.yaml actor_rollout_ref.rollout.n=4
              lorikeet config --explain lora_rank
              lorikeet config --explain algorithm
              lorikeet config --sft --explain data.max_length
            """)

    @Argument(
        parsing: .allUnrecognized, help: "FILE.yaml, key=value, +new.key=value or ~key.")
    var settings: [String] = []

    @Option(help: "Say what a key does, its type, default and value; or list a group's keys.")
    var explain: String?

    @Flag(help: "The keys of `lorikeet sft` rather than those of `lorikeet train`.")
    var sft = false

    @Flag(help: "Print the page Documentation/Configuration.md.")
    var reference = false

    func run() throws {
        if reference {
            print(try configurationReference(), terminator: "")
            return
        }
        let known = try KnownSettings(sft ? .sft : .train, arguments: settings)
        if let explain {
            print(try known.explanation(of: explain))
            if let problem = known.problem { note("problem   \(problem)") }
            return
        }
        if let problem = known.problem { throw problem }
        print(known.resolved.yaml(withOrigins: true), terminator: "")
        for key in known.missing { note("needed    \(key.key): \(key.help)") }
        for notice in known.notices { note("note      \(notice)") }
    }
}
