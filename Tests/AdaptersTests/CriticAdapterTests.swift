import Adapters
import Formats
import Models
import OracleFixtures
import Tensors
import Testing

@Suite("A critic's adapter")
struct CriticAdapterTests {
    private static let lora = LoRAConfig(
        rank: 3, alpha: 6, targetModules: .names(["q_proj", "v_proj"]), task: .tokenClassification)

    private func adapter(_ model: DecoderConfig) throws -> LoRAAdapter {
        let adapter = try LoRAAdapter(Self.lora, for: model, seed: 3)
        adapter.parameters.values.copy(
            from: (0..<adapter.parameters.count).map { Float($0).squareRoot() * 1e-3 })
        return adapter
    }

    @Test("holds its head after the low-rank parts", arguments: OracleFixtures.models)
    func head(model: String) throws {
        let model = try config(model)
        let adapter = try adapter(model)
        let names = adapter.parameters.slots.map(\.name)
        #expect(
            names.suffix(2) == ["base_model.model.score.weight", "base_model.model.score.bias"])
        let head = try #require(adapter.valueHead)
        #expect(head.weight.shape == [1, model.hiddenSize] && head.bias.shape == [1])
        head.bias.fill(7)
        #expect(adapter.parameters.values.toArray().last == 7)
        let plain = try LoRAAdapter(LoRAConfig(rank: 3, alpha: 6), for: model, seed: 3)
        #expect(plain.valueHead == nil)
    }

    @Test("is saved in PEFT's words for token classification, and read back with the same bits")
    func saving() throws {
        let model = try config("qwen3-tiny")
        let adapter = try adapter(model)
        try withTemporaryFolder { folder in
            try adapter.save(to: "\(folder)/a")
            let written = try JSON(contentsOfFile: "\(folder)/a/\(LoRAConfig.fileName)")
            #expect(written["task_type"] == "TOKEN_CLS")
            #expect(written["modules_to_save"] == ["classifier", "score"])
            let back = try LoRAAdapter(
                directory: "\(folder)/a", for: model, task: .tokenClassification)
            #expect(back.config == adapter.config)
            #expect(back.parameters.values.hasSameBytes(as: adapter.parameters.values))
        }
    }

    @Test("stands for no language model's, nor one for it")
    func tasks() throws {
        let model = try config("qwen2-tiny")
        let plain = OracleFixtures.path("adapters/qwen2-tiny--qv-r4")
        let found = failure {
            _ = try LoRAAdapter(directory: plain, for: model, task: .tokenClassification)
        }
        #expect(
            found
                == "\(plain)/adapter_config.json: task_type is \"CAUSAL_LM\", the adapter of a model "
                + "that gives tokens, but \"TOKEN_CLS\" is wanted, the adapter of a critic.")
        try withTemporaryFolder { folder in
            try adapter(model).save(to: "\(folder)/a")
            let found = failure { _ = try LoRAAdapter(directory: "\(folder)/a", for: model) }
            #expect(found?.contains("task_type is \"TOKEN_CLS\", the adapter of a critic") == true)
        }
    }

    @Test("without a head is refused by the tensor's name")
    func missingHead() throws {
        let model = try config("qwen2-tiny")
        try withTemporaryFolder { folder in
            try adapter(model).save(to: folder)
            let path = "\(folder)/\(LoRAAdapter.fileName)"
            let file = try SafetensorsFile(path: path)
            let kept = file.names.filter { !$0.hasSuffix("score.bias") }
            let sources = try kept.map { SafetensorsSource(copying: try file.entry($0), of: file) }
            try SafetensorsWriter.write(sources, to: path)
            let found = failure {
                _ = try LoRAAdapter(directory: folder, for: model, task: .tokenClassification)
            }
            #expect(
                found == "\(path): the tensor \"base_model.model.score.bias\" is missing.")
        }
    }

    @Test("may save nothing else whole")
    func otherModules() throws {
        var fields = try #require(Self.lora.json.object)
        fields["modules_to_save"] = ["score", "embed_tokens"]
        let found = failure { _ = try LoRAConfig(.object(fields), name: "c") }
        #expect(found?.hasPrefix("c: modules_to_save is [\"score\", \"embed_tokens\"]") == true)
    }
}
