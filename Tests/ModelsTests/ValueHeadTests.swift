import Formats
import Models
import OracleFixtures
import Tensors
import Testing

/// The folder of a tiny critic whose config has some keys changed, or whose head is another.
private func withCritic(
    _ model: String, _ changes: [String: JSON] = [:], head: [SafetensorsSource]? = nil,
    _ body: (String) throws -> Void
) throws {
    try withTemporaryFolder { folder in
        try CriticOracle(model).write(to: folder, head: head)
        var fields = try #require(JSON(contentsOfFile: "\(folder)/config.json").object)
        for (key, value) in changes { fields[key] = value }
        try AtomicFile.write(JSON.object(fields).serialized(), to: "\(folder)/config.json")
        try body(folder)
    }
}

private func head(in folder: String) throws -> ValueHead? {
    try ValueHead(checkpoint: folder, config: Decoder(bodyOf: folder).config)
}

/// The sentence that reading the head of a folder fails with.
private func refusal(of folder: String) -> String {
    do {
        _ = try head(in: folder)
        return ""
    } catch { return "\(error)" }
}

@Suite("Value head")
struct ValueHeadTests {
    @Test("gives the values of transformers", arguments: OracleFixtures.models)
    func values(model: String) throws {
        try withCritic(model) { folder in
            let oracle = try CriticOracle(model)
            let decoder = try Decoder(bodyOf: folder)
            let found = try #require(try head(in: folder)).values(
                decoder.hidden(DecoderInput(packing: oracle.sequences)), nil)
            #expect(found.shape == [oracle.sequences.joined().count, 1])
            let difference = largestDifference(found.toArray(), Array(oracle.values.joined()))
            #expect(difference <= 1e-5)
        }
    }

    @Test("the body of a language model is read without its head", arguments: OracleFixtures.models)
    func languageModel(model: String) throws {
        let folder = OracleFixtures.path("models/\(model)")
        let (whole, body) = try (Decoder(directory: folder), Decoder(bodyOf: folder))
        #expect(!body.config.hasLanguageHead && whole.config.hasLanguageHead)
        #expect(body.config == whole.config.body)
        let names = whole.weights.named.map(\.name).filter { $0 != "lm_head.weight" }
        #expect(body.weights.named.map(\.name) == names)
        #expect(try head(in: folder) == nil)
    }

    @Test("a critic's checkpoint is refused where tokens are wanted")
    func noLanguageModel() throws {
        try withCritic("qwen2-tiny") { folder in
            #expect {
                _ = try Decoder(directory: folder)
            } throws: {
                "\($0)".contains("'Qwen2ForTokenClassification' is not supported")
            }
        }
    }

    @Test("a reward model's head has no bias, which is then 0")
    func rewardModel() throws {
        let weight = Tensor((0..<64).map { Float($0) }, shape: [1, 64]).converted(to: .bfloat16)
        let architecture: JSON = ["Qwen2ForSequenceClassification"]
        try withCritic(
            "qwen2-tiny", ["architectures": architecture],
            head: [SafetensorsSource(name: "score.weight", weight)]
        ) { folder in
            let head = try #require(try head(in: folder))
            #expect(head.weight.toArray() == (0..<64).map { Float($0) })
            #expect(head.bias.toArray() == [0])
        }
    }

    @Test("a head of several values or of another width is refused by its shapes")
    func wrongShape() throws {
        for shape in [[2, 64], [1, 32], [64]] {
            let weight = SafetensorsSource(name: "score.weight", Tensor(zeros: shape))
            try withCritic("qwen2-tiny", head: [weight]) { folder in
                let sentence = refusal(of: folder)
                #expect(sentence.hasPrefix("\(folder)/model.safetensors: the tensor"))
                #expect(sentence.contains("has the shape \(shape)"), "\(sentence)")
                #expect(sentence.hasSuffix("gives one value, [1, 64]."), "\(sentence)")
            }
        }
    }

    @Test("a tensor that is no part of body or head is named")
    func strangeTensor() throws {
        let strange = SafetensorsSource(name: "v_head.summary.weight", Tensor(zeros: [1, 64]))
        try withCritic("qwen2-tiny", head: [strange]) { folder in
            #expect(
                refusal(of: folder).contains("\"v_head.summary.weight\", which a Qwen2ForToken"))
        }
    }

    @Test("a fresh head is drawn from the seed, and its bias is 0")
    func fresh() throws {
        let config = try Decoder(bodyOf: OracleFixtures.path("models/llama3-tiny")).config
        let heads = [1, 1, 2].map { ValueHead(fresh: config, seed: $0).weight.toArray() }
        #expect(heads[0] == heads[1] && heads[0] != heads[2])
        let variance = heads[0].reduce(0) { $0 + $1 * $1 } / Float(heads[0].count)
        #expect(abs(variance.squareRoot() - config.initializerRange) < 0.01)
        #expect(ValueHead(fresh: config, seed: 1).bias.toArray() == [0])
    }

    @Test(
        "body and head are saved as a token classifier that reads back",
        arguments: OracleFixtures.models)
    func saving(model: String) throws {
        let source = OracleFixtures.path("models/\(model)")
        let body = try Decoder(bodyOf: source)
        let head = ValueHead(fresh: body.config, seed: 5)
        try withTemporaryFolder { folder in
            try body.save(head, to: "\(folder)/critic", from: source)
            let config = try JSON(contentsOfFile: "\(folder)/critic/config.json")
            let family = try #require(body.config.architecture.firstRange(of: "For"))
            let name = body.config.architecture[..<family.lowerBound]
            #expect(config["architectures"] == [.string("\(name)ForTokenClassification")])
            #expect(config["id2label"] == ["0": "LABEL_0"])
            let back = try Decoder(bodyOf: "\(folder)/critic")
            #expect(back.weights.named.map(\.name) == body.weights.named.map(\.name))
            #expect(
                zip(back.weights.named, body.weights.named).allSatisfy {
                    $0.weight.tensor.hasSameBytes(as: $1.weight.tensor)
                })
            let backHead = try #require(
                try ValueHead(checkpoint: "\(folder)/critic", config: back.config))
            #expect(backHead.weight.hasSameBytes(as: head.weight))
            #expect(fileExists("\(folder)/critic/tokenizer.json"))
        }
    }
}
