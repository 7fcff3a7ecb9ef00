import Foundation
import Settings
import Testing

@testable import Training

@Suite("Looking at a configuration")
struct KnownSettingsTests {
    private func known(
        _ trainer: KnownSettings.Trainer = .train, _ arguments: String...
    ) throws -> KnownSettings {
        try KnownSettings(trainer, arguments: arguments, environment: [:])
    }

    @Test("without any setting it is whole but for what must be given")
    func draft() throws {
        let train = try known()
        #expect(train.problem == nil)
        #expect(train.missing.map(\.key) == ["actor_rollout_ref.model.path", "data.train_files"])
        let sft = try known(.sft)
        #expect(sft.missing.map(\.key) == ["model.path", "data.train_files"])
        #expect(sft.resolved.yaml.contains("path: \"???\""))
    }

    @Test("what was set says where, defaults say nothing")
    func origins() throws {
        let yaml = try known(.train, "data.seed=7").resolved.yaml(withOrigins: true)
        #expect(yaml.contains("  seed: 7  # command line\n"))
        #expect(yaml.contains("  train_batch_size: 1024\n"))
    }

    @Test("a key is explained with its type, default, value and origin")
    func key() throws {
        let text = try known(.train, "actor_rollout_ref.model.lora_rank=8").explanation(
            of: "actor_rollout_ref.model.lora_rank")
        #expect(text.contains("Rank of the LoRA adapter"))
        #expect(text.contains("type     an integer between 0 and 4096, or null"))
        #expect(text.contains("default  0"))
        #expect(text.contains("value    8  (argument 'actor_rollout_ref.model.lora_rank=8')"))
    }

    @Test("the end of a key, the end of a group, and a group are enough")
    func shortNames() throws {
        let train = try known()
        #expect(try train.explanation(of: "lora_alpha").contains("critic.model.lora_alpha\n"))
        #expect(try train.explanation(of: "actor.optim").contains("weight_decay: 0.01"))
        let group = try train.explanation(of: "algorithm")
        #expect(group.hasPrefix("algorithm\n"))
        #expect(group.contains("  adv_estimator: gae\n"))
    }

    @Test("a key without effect gives its reason, wherever in its group it lies")
    func withoutEffect() throws {
        let train = try known()
        for key in ["use_shm", "layered_summon", "load_format", "nnodes", "optimizer_offload"] {
            #expect(try train.explanation(of: key).contains("without effect"), "\(key)")
        }
        #expect(
            try train.explanation(of: "actor_rollout_ref.actor.profiler.tool").contains(
                "metrics.jsonl"))
        #expect(try train.explanation(of: "target_parameters").contains("Only null is possible"))
    }

    @Test("the warm-up is counted in steps of a run, or in updates of fine-tuning")
    func warmup() throws {
        #expect(try known().explanation(of: "actor.optim.lr_warmup_steps").contains("Steps of the"))
        #expect(try known(.sft).explanation(of: "optim.lr_warmup_steps").contains("Updates over"))
    }

    @Test("an unknown key is an error with the nearest one")
    func unknown() throws {
        let train = try known()
        let error = #expect(throws: SettingsError.self) {
            try train.explanation(of: "data.trian_batch_size")
        }
        #expect(error?.description.contains("'data.train_batch_size'") == true)
    }

    @Test("a mistake elsewhere is told, and every key is still explained")
    func mistake() throws {
        let train = try known(.train, "trainer.total_epochs=none")
        #expect(train.problem?.description.contains("'trainer.total_epochs'") == true)
        #expect(try train.explanation(of: "algorithm.gamma").contains("default  1.0"))
    }

    @Test("Documentation/Configuration.md is what the declarations say")
    func reference() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Documentation/Configuration.md")
        let page = try String(contentsOf: file, encoding: .utf8)
        let isCurrent = try page == configurationReference()
        #expect(
            isCurrent,
            "make it again: swift run lorikeet config --reference > Documentation/Configuration.md")
    }
}
