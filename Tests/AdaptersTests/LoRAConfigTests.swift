import Adapters
import Formats
import Models
import OracleFixtures
import Testing

@Suite("LoRA config")
struct LoRAConfigTests {
    private static let perLayer = [
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    ]

    @Test("all-linear means every projection of every layer, in order")
    func allLinear() throws {
        let layers = try config("qwen2-tiny").layerCount
        let expected = (0..<layers).flatMap { layer in Self.perLayer.map { "\(layer):\($0)" } }
        #expect(try selected(LoRAConfig(rank: 4, alpha: 8)) == expected)
    }

    @Test(
        "targets match as PEFT matches them",
        arguments: [
            (.names(["q_proj", "mlp.down_proj"]), ["0:q_proj", "0:down_proj", "1:q_proj"]),
            (.names(["model.layers.1.self_attn.v_proj"]), ["1:v_proj"]),
            (.names(["0.mlp.up_proj"]), ["0:up_proj"]),
            (.pattern(#".*\.0\.self_attn\.(q|k)_proj"#), ["0:q_proj", "0:k_proj"]),
            (.pattern(#"model\.layers\.1\..*_proj$"#), perLayer.map { "1:\($0)" }),
        ] as [(ModuleSelection, [String])])
    func targets(target: ModuleSelection, expected: [String]) throws {
        let found = try selected(LoRAConfig(rank: 4, alpha: 8, targetModules: target))
        #expect(Array(found.prefix(expected.count)) == expected)
        let names = Set(expected.map { $0.split(separator: ":")[1] })
        #expect(found.allSatisfy { names.contains($0.split(separator: ":")[1]) })
    }

    @Test("excluded modules are left out")
    func exclusion() throws {
        let lora = LoRAConfig(
            rank: 4, alpha: 8, targetModules: .names(["q_proj", "v_proj"]),
            excludeModules: .pattern(#".*layers\.[12]\..*"#))
        #expect(try selected(lora) == ["0:q_proj", "0:v_proj"])
    }

    @Test("rank and alpha follow the first pattern that matches, and the scale follows them")
    func patterns() throws {
        var lora = LoRAConfig(
            rank: 4, alpha: 8, targetModules: .names(["q_proj", "v_proj"]),
            rankPattern: [
                ModulePattern(#"layers\.0\.self_attn\.q_proj"#, 16), ModulePattern("q_proj", 2),
                ModulePattern("^model.layers.1.self_attn.v_proj", 1),
            ],
            alphaPattern: [ModulePattern("self_attn.v_proj", 32)])
        let modules = try lora.modules(of: config("qwen2-tiny"))
        #expect(modules.prefix(4).map(\.rank) == [16, 4, 2, 1])
        #expect(modules.prefix(4).map(\.scale) == [0.5, 8, 4, 32])
        lora.usesRSLoRA = true
        let stabilised = try lora.modules(of: config("qwen2-tiny"))
        #expect(stabilised.prefix(2).map(\.scale) == [2, 16])
        // A key must match from a dot or the beginning: `proj` is no end of a name's part.
        lora.rankPattern = [ModulePattern("proj", 3)]
        #expect(
            failure { _ = try lora.modules(of: config("qwen2-tiny")) }
                == "rank_pattern: \"proj\" matches none of the adapted modules.")
    }

    @Test(
        "what cannot be is refused by name",
        arguments: [
            (
                LoRAConfig(rank: 4, alpha: 8, targetModules: .names(["q_proj", "query"])),
                "target_modules: \"query\" matches no module; the modules are model.layers.N.X "
                    + "with X one of self_attn.q_proj, self_attn.k_proj, self_attn.v_proj, "
                    + "self_attn.o_proj, mlp.gate_proj, mlp.up_proj, mlp.down_proj."
            ),
            (LoRAConfig(rank: 4, alpha: 8, targetModules: .names(["proj"])), "\"proj\" matches no"),
            (LoRAConfig(rank: 4, alpha: 8, targetModules: .names([])), "[] matches no module"),
            (
                LoRAConfig(rank: 4, alpha: 8, targetModules: .pattern("q_proj")),
                "\"q_proj\" matches no"
            ),
            (
                LoRAConfig(rank: 4, alpha: 8, targetModules: .pattern("(")),
                "target_modules is no regular expression: \"(\"."
            ),
            (
                LoRAConfig(rank: 4, alpha: 8, targetModules: .names(["q_proj", "lm_head"])),
                "mean lm_head, which cannot be adapted"
            ),
            (
                LoRAConfig(rank: 4, alpha: 8, targetModules: .pattern(".*")),
                "mean lm_head, which cannot be adapted"
            ),
            (
                LoRAConfig(rank: 4, alpha: 8, excludeModules: .pattern(".*")),
                "exclude_modules \".*\" leave none of the target_modules \"all-linear\"."
            ),
            (LoRAConfig(rank: 0, alpha: 8), "r is 0; it must be from 1 to 65536."),
            (LoRAConfig(rank: 1, alpha: .nan), "lora_alpha is nan; it must be a number above 0."),
            (LoRAConfig(rank: 1, alpha: 1, dropout: 1), "lora_dropout is 1.0; it must be"),
        ] as [(LoRAConfig, String)])
    func refusal(lora: LoRAConfig, expected: String) throws {
        let model = try config("qwen2-tiny")
        let found = try #require(failure { _ = try lora.modules(of: model) })
        #expect(found.contains(expected), "\(found)")
    }

    @Test("a config is written such that it reads back")
    func roundTrip() throws {
        let lora = LoRAConfig(
            rank: 4, alpha: 8.5, targetModules: .pattern(".*q_proj"),
            excludeModules: .names(["1.self_attn.q_proj"]), usesRSLoRA: true,
            rankPattern: [ModulePattern("b", 2), ModulePattern("a", 3)],
            alphaPattern: [ModulePattern("c", 1.5)], dropout: 0.1, baseModel: "some/model")
        #expect(try LoRAConfig(lora.json, name: "c") == lora)
        let text = LoRAConfig(rank: 8, alpha: 16).json.serialized()
        #expect(text.contains("\"lora_alpha\": 16, "))
        let back = try LoRAConfig(JSON(parsing: Array(text.utf8), name: "c"), name: "c")
        #expect(back.targetModules == .names(Self.perLayer.sorted()))
        #expect(back.excludeModules == nil)
    }

    @Test(
        "an adapter of another kind and options that are not built are refused by name",
        arguments: [
            ("peft_type", "IA3", "peft_type is \"IA3\"; it must be \"LORA\""),
            ("peft_type", nil, "peft_type is missing; it must be \"LORA\""),
            ("use_dora", true, "use_dora is true; it must be absent; this option is not supported"),
            ("bias", "all", "bias is \"all\"; it must be \"none\""),
            ("lora_bias", true, "lora_bias is true"),
            ("modules_to_save", ["lm_head"], "modules_to_save is [\"lm_head\"]"),
            ("layers_to_transform", [1], "layers_to_transform is [1]"),
            ("layer_replication", [[0, 1]], "layer_replication is [[0, 1]]"),
            ("fan_in_fan_out", true, "fan_in_fan_out is true"),
            ("target_parameters", ["x"], "target_parameters is"),
            ("something_new", 3, "something_new is 3; it must be absent"),
            ("init_lora_weights", "pissa", "init_lora_weights is \"pissa\""),
            ("r", 0, "r is 0; it must be a whole number of at least 1"),
            ("r", nil, "r is missing"),
            ("lora_alpha", "x", "lora_alpha is \"x\"; it must be a number"),
            ("target_modules", nil, "target_modules is missing"),
            ("target_modules", [1], "target_modules is [1]"),
            ("rank_pattern", ["q_proj": -1], "rank_pattern: q_proj is -1"),
            ("rank_pattern", [1], "rank_pattern is [1]; it must be an object"),
            ("use_rslora", "yes", "use_rslora is \"yes\"; it must be true or false"),
            ("exclude_modules", "all-linear", "exclude_modules is \"all-linear\""),
        ] as [(String, JSON?, String)])
    func badFile(key: String, value: JSON?, expected: String) throws {
        let path = OracleFixtures.path("adapters/qwen2-tiny--qv-r4/adapter_config.json")
        var fields = try #require(JSON(contentsOfFile: path).object)
        fields[key] = value
        let found = try #require(failure { _ = try LoRAConfig(.object(fields), name: "a.json") })
        #expect(found.hasPrefix("a.json: \(expected)"), "\(found)")
    }
}
