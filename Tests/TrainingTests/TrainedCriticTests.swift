import Formats
import Models
import OracleFixtures
import Tensors
import Testing

@testable import Training

/// Changes what a fresh critic on the same base could not have by chance.
private func moved(_ critic: TrainedCritic) throws -> TrainedCritic {
    CriticExample.stir(critic)
    return critic
}

@Suite("The critic")
struct TrainedCriticTests {
    /// A prompt and a response out of each of the reference's sequences, and the values of the
    /// places that predict the response.
    private func reference(
        _ model: String, adapter: String? = nil
    ) throws -> (samples: [PolicySample], values: [Float]) {
        let oracle = try CriticOracle(model, adapter: adapter)
        let samples = oracle.sequences.map {
            PolicySample(prompt: Array($0[..<3]), response: Array($0[3...]))
        }
        return (samples, oracle.values.flatMap { $0[2..<$0.count - 1] })
    }

    @Test(
        "a checkpoint's own head gives transformers' values, under an adapter and without",
        arguments: OracleFixtures.models)
    func storedHead(model: String) throws {
        let (samples, expected) = try reference(model)
        try withTemporaryFolder { folder in
            try CriticOracle(model).write(to: folder)
            for rank in [0, 4] {
                let critic = try CriticExample.critic(
                    model, "critic.model.path=\(folder)", "critic.model.lora_rank=\(rank)")
                #expect(critic.summary.contains("stored value head"))
                let found = try criticValues(of: samples, critic, .samples(3))
                #expect(found.map(\.count) == samples.map(\.response.count))
                let difference = largestDifference(Array(found.joined()), expected)
                #expect(difference <= 1e-5, "rank \(rank)")
            }
        }
    }

    @Test("an adapter and head that PEFT saved give PEFT's values")
    func storedAdapter() throws {
        let (samples, expected) = try reference("qwen2-tiny", adapter: "qv-r2")
        let folder = OracleFixtures.path("critics/qwen2-tiny--qv-r2")
        let critic = try CriticExample.critic(
            "qwen2-tiny", "critic.model.lora_adapter_path=\(folder)", "critic.model.lora_rank=2")
        let found = try criticValues(of: samples, critic, .samples(3))
        #expect(largestDifference(Array(found.joined()), expected) <= 1e-5)
    }

    @Test("on the actor's path it has the actor's mapped weights, not copies")
    func sharing() throws {
        let path = OracleFixtures.path("models/qwen2-tiny")
        let actor = try Decoder(directory: path)
        func critic(_ overrides: String...) throws -> TrainedCritic {
            try TrainedCritic(
                CriticExample.settings("qwen2-tiny", overrides), actor: actor, seed: 1)
        }
        let shared = try [critic(), critic("critic.model.path=\(path)/../qwen2-tiny/")]
        for critic in shared {
            #expect(critic.summary.contains("on the actor's weights, fresh value head"))
            #expect(
                zip(critic.decoder.weights.named, actor.weights.named).allSatisfy {
                    $0.weight.tensor.storage === $1.weight.tensor.storage
                })
        }
    }

    @Test("adapter and head begin with other numbers than the actor's of the same seed")
    func seeds() throws {
        let path = OracleFixtures.path("models/qwen2-tiny")
        let settings = try CriticExample.settings("qwen2-tiny", [])
        let actor = try TrainedModel(directory: path, lora: settings.lora, seed: 1)
        let critics = try [1, 1, 2].map {
            try CriticExample.critic("qwen2-tiny", seed: $0).parameters.values.toArray()
        }
        #expect(critics[0] == critics[1] && critics[0] != critics[2])
        #expect(critics[0][..<64] != actor.policy.parameters.values.toArray()[..<64])
        let head = try CriticExample.critic("qwen2-tiny").head
        #expect(head.weight.toArray().contains { $0 != 0 } && head.bias.toArray() == [0])
    }

    @Test(
        "what is saved is read back with the same bits and gives the same values",
        arguments: [("4", "lora_adapter"), ("0", "huggingface")])
    func saving(rank: String, folderName: String) throws {
        let critic = try moved(
            CriticExample.critic("llama3-tiny", "critic.model.lora_rank=\(rank)"))
        #expect(critic.folderName == folderName)
        let samples = try CriticExample.samples(critic)
        try withTemporaryFolder { folder in
            try critic.save(to: "\(folder)/a")
            let other = try CriticExample.critic(
                "llama3-tiny", "critic.model.lora_rank=\(rank)", seed: 9)
            #expect(!other.parameters.values.hasSameBytes(as: critic.parameters.values))
            try other.restore(from: "\(folder)/a")
            #expect(other.parameters.values.hasSameBytes(as: critic.parameters.values))
            let key = rank == "0" ? "path" : "lora_adapter_path"
            let started = try CriticExample.critic(
                "llama3-tiny", "critic.model.lora_rank=\(rank)", "critic.model.\(key)=\(folder)/a")
            #expect(started.summary.contains("stored value head"))
            for same in [other, started] {
                #expect(
                    try criticValues(of: samples, same, .samples(64))
                        == criticValues(of: samples, critic, .samples(64)))
            }
        }
    }

    @Test("a folder that is none of this critic's is refused in one sentence")
    func wrongFolders() throws {
        let critic = try CriticExample.critic("qwen2-tiny")
        let whole = try CriticExample.critic("qwen2-tiny", "critic.model.lora_rank=0")
        func refusal(_ critic: TrainedCritic, _ folder: String) -> String {
            do {
                try critic.restore(from: folder)
                return ""
            } catch { return "\(error)" }
        }
        try withTemporaryFolder { folder in
            try CriticExample.critic("qwen2-tiny", "critic.model.lora_rank=2")
                .save(to: "\(folder)/rank2")
            #expect(
                refusal(critic, "\(folder)/rank2")
                    == "\(folder)/rank2 holds a critic's adapter of other modules, ranks or alphas "
                    + "than this run's.")
            let actor = OracleFixtures.path("adapters/qwen2-tiny--all-linear-r8")
            #expect(refusal(critic, actor).contains("task_type is \"CAUSAL_LM\""))
            #expect(
                refusal(critic, "\(folder)/none").contains("\(folder)/none/adapter_config.json"))
            let plain = OracleFixtures.path("models/qwen2-tiny")
            #expect(
                refusal(whole, plain)
                    == "\(plain) holds no critic: it lacks the tensor \"score.weight\".")
            try CriticExample.critic("qwen3-tiny", "critic.model.lora_rank=0")
                .save(to: "\(folder)/other")
            #expect(
                refusal(whole, "\(folder)/other")
                    == "\(folder)/other holds a critic of another shape than this run's.")
        }
    }

    @Test("a critic to which the actor's token ids mean something else is refused")
    func reading() throws {
        let own = try CriticExample.critic(
            "qwen2-tiny", "critic.model.path=\(OracleFixtures.path("models/llama3-tiny"))")
        try own.checkReads(Tokenizer(directory: OracleFixtures.path("models/qwen2-tiny")))
        let student = ArithmeticExampleTests.examples + "/arithmetic/student"
        let error = #expect(throws: TrainingError.self) {
            try own.checkReads(Tokenizer(directory: student))
        }
        #expect(error?.description.hasPrefix("critic.model.path: the token ") == true)
        try CriticExample.critic("qwen2-tiny").checkReads(Tokenizer(directory: student))
    }

    @Test("an adapter of another rank than the critic's is refused by the critic's keys")
    func otherRank() throws {
        try withTemporaryFolder { folder in
            try CriticExample.critic("qwen2-tiny").save(to: "\(folder)/a")
            let error = #expect(throws: TrainingError.self) {
                try CriticExample.critic(
                    "qwen2-tiny", "critic.model.lora_rank=2",
                    "critic.model.lora_adapter_path=\(folder)/a")
            }
            #expect(error?.description.contains("set critic.model.lora_rank=4") == true)
        }
    }

    @Test("a critic that cannot read the actor's tokens is refused by key and numbers")
    func fitting() throws {
        let critic = try CriticExample.critic("qwen2-tiny")
        let path = OracleFixtures.path("models/llama3-tiny/config.json")
        var fields = try #require(JSON(contentsOfFile: path).object)
        fields["vocab_size"] = 600
        let actor = try DecoderConfig(.object(fields), name: path)
        func refusal(_ actor: DecoderConfig, _ length: Int) -> String {
            do {
                try critic.checkFits(actor: actor, longestSequence: length)
                return ""
            } catch { return "\(error)" }
        }
        #expect(refusal(critic.decoder.config, 512) == "")
        #expect(refusal(critic.decoder.config, 513).contains("positions for 512 tokens"))
        let sentence = refusal(actor, 9)
        #expect(sentence.hasPrefix("critic.model.path: "))
        #expect(sentence.contains("knows 512 token ids, but the actor writes 600"))
    }
}
