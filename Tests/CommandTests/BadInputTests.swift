import Formats
import Foundation
import OracleFixtures
import Testing

/// A copy of the tiny model in a folder of its own, to be damaged.
private struct ModelCopy {
    let path: String

    init(_ folder: String) throws {
        path = "\(folder)/model"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        for name in try FileManager.default.contentsOfDirectory(atPath: tinyModel()) {
            try AtomicFile.write(
                [UInt8](contentsOfFile: "\(tinyModel())/\(name)"), to: "\(path)/\(name)")
        }
    }

    /// Replaces the content of a file by what `change` makes of it.
    func edit(_ name: String, _ change: (inout [UInt8]) -> Void) throws {
        var bytes = try [UInt8](contentsOfFile: "\(path)/\(name)")
        change(&bytes)
        try AtomicFile.write(bytes, to: "\(path)/\(name)")
    }

    /// Replaces a text in a file, which must hold it.
    func replace(_ name: String, _ old: String, _ new: String) throws {
        try edit(name) { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(text.contains(old), "\(name) has no \(old)")
            bytes = Array(text.replacing(old, with: new).utf8)
        }
    }

    /// Replaces the header of the weights' file.
    func setHeader(_ header: String, statedLength: UInt64? = nil) throws {
        try edit("model.safetensors") { bytes in
            let length = statedLength ?? UInt64(header.utf8.count)
            let data = bytes.suffix(4096)
            bytes = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) }
            bytes += Array(header.utf8) + data
        }
    }
}

/// Bad input must give a status other than 0, nothing on standard output, and one line on standard
/// error that says what is wrong.
@Suite("Bad input")
struct BadInputTests {
    private func refuse(
        _ arguments: [String], _ words: String..., writing rows: Int = 0,
        location: SourceLocation = #_sourceLocation
    ) throws {
        let result = try Program.run(arguments)
        #expect(result.status != 0 && result.status < 128, sourceLocation: location)
        #expect(result.outputLines.count == rows, sourceLocation: location)
        #expect(result.errorLines.count == 1, "\(result.error)", sourceLocation: location)
        #expect(result.error.hasPrefix("Error: "), "\(result.error)", sourceLocation: location)
        for word in words {
            #expect(
                result.error.contains(word), "\(word) is not in: \(result.error)",
                sourceLocation: location)
        }
    }

    private func generate(_ model: String) -> [String] {
        ["generate", "--model", model, "--prompt", "hello", "--max-new-tokens", "2"]
    }

    @Test("a checkpoint that is missing or cut off")
    func checkpoint() throws {
        try withTemporaryFolder { folder in
            try refuse(generate("\(folder)/nowhere"), "\(folder)/nowhere")
            try refuse(
                TinyRun(folder).train("actor_rollout_ref.model.path=\(folder)/nowhere"),
                "\(folder)/nowhere")
            let copy = try ModelCopy(folder)
            try copy.edit("model.safetensors") { $0.removeLast($0.count / 2) }
            try refuse(generate(copy.path), "model.safetensors")
            try copy.edit("model.safetensors") { $0.removeLast($0.count - 5) }
            try refuse(generate(copy.path), "model.safetensors")
            try copy.edit("model.safetensors") { $0 = [] }
            try refuse(generate(copy.path), "model.safetensors")
            try FileManager.default.removeItem(atPath: "\(copy.path)/model.safetensors")
            try refuse(generate(copy.path), "model.safetensors")
            try FileManager.default.removeItem(atPath: "\(copy.path)/config.json")
            try refuse(generate(copy.path), "config.json")
        }
    }

    @Test("a header that states a length or places that cannot be")
    func header() throws {
        func entry(_ name: String, _ begin: Int, _ end: Int) -> String {
            #""\#(name)":{"dtype":"F32","shape":[\#((end - begin) / 4)],"#
                + #""data_offsets":[\#(begin),\#(end)]}"#
        }
        try withTemporaryFolder { folder in
            let copy = try ModelCopy(folder)
            try copy.setHeader("{}", statedLength: 1 << 60)
            try refuse(generate(copy.path), "model.safetensors")
            try copy.setHeader("{}", statedLength: .max)
            try refuse(generate(copy.path), "model.safetensors")
            try copy.setHeader("{\(entry("a", 0, 64)),\(entry("b", 32, 96))}")
            try refuse(generate(copy.path), "model.safetensors", "\"b\"")
            try copy.setHeader("{\(entry("a", 0, 1 << 40))}")
            try refuse(generate(copy.path), "model.safetensors", "\"a\"")
            try copy.setHeader("{\"a\":")
            try refuse(generate(copy.path), "model.safetensors")
        }
    }

    @Test("a config that contradicts the tensors")
    func config() throws {
        for (old, new, word) in [
            ("\"intermediate_size\": 160", "\"intermediate_size\": 176", "mlp"),
            ("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4", "model.layers.3."),
            ("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2", "model.layers.2."),
            ("\"vocab_size\": 512", "\"vocab_size\": 600", "embed_tokens"),
            ("\"num_attention_heads\": 4", "\"num_attention_heads\": \"four\"", "num_attention"),
        ] {
            try withTemporaryFolder { folder in
                let copy = try ModelCopy(folder)
                try copy.replace("config.json", "\"layer_types\"", "\"other_types\"")
                try copy.replace("config.json", old, new)
                try refuse(generate(copy.path), word)
            }
        }
    }

    @Test("a tokenizer with ids beyond the vocabulary")
    func tokenizer() throws {
        try withTemporaryFolder { folder in
            let copy = try ModelCopy(folder)
            try copy.replace("config.json", "\"vocab_size\": 512", "\"vocab_size\": 256")
            try refuse(
                [
                    "init", "--config", "\(copy.path)/config.json", "--tokenizer", tinyModel(),
                    "--output", "\(folder)/new",
                ], "256")
            #expect(!fileExists("\(folder)/new"))
        }
        try withTemporaryFolder { folder in
            let copy = try ModelCopy(folder)
            try copy.replace(
                "tokenizer.json", "\"added_tokens\": [",
                "\"added_tokens\": [{\"id\": 9999, \"content\": \"<far>\", \"special\": true},")
            try refuse(generate(copy.path), "9999")
            try refuse(
                TinyRun(folder).train("actor_rollout_ref.model.path=\(copy.path)"), "9999")
        }
    }

    @Test("an adapter for another model")
    func adapter() throws {
        let adapter = OracleFixtures.path("adapters/llama3-tiny--all-linear-r8")
        try refuse(generate(tinyModel()) + ["--adapter", adapter], adapter)
        try refuse(generate(tinyModel()) + ["--adapter", "/nowhere"], "/nowhere")
        try withTemporaryFolder { folder in
            let file = "\(folder)/data.jsonl"
            let command = ["generate", "--model", tinyModel(), "--input", file]
            try AtomicFile.write(#"{"prompt": "a", "adapter": "/nowhere"}"#, to: file)
            try refuse(command, "/nowhere")
            try AtomicFile.write(#"{"prompt": "a", "adapter": 1}"#, to: file)
            try refuse(command, "line 1", "adapter")
        }
        try withTemporaryFolder { folder in
            try refuse(
                [
                    "merge", "--model", tinyModel(), "--adapter", adapter, "--output",
                    "\(folder)/merged",
                ], adapter)
            #expect(!fileExists("\(folder)/merged"))
            try refuse(
                TinyRun(folder).train(
                    "actor_rollout_ref.model.lora_adapter_path=\(adapter)",
                    "actor_rollout_ref.model.lora_rank=8"), adapter)
        }
    }

    @Test("a data file that is missing, empty, or broken in a line that is named")
    func data() throws {
        try withTemporaryFolder { folder in
            let run = try TinyRun(folder)
            let file = "\(folder)/data.jsonl"
            let commands = [
                run.train("data.train_files=\(file)"), run.fineTune("data.train_files=\(file)"),
                ["generate", "--model", tinyModel(), "--input", file],
                ["score", "--model", tinyModel(), "--input", file],
                ["tokenize", "--model", tinyModel(), "--input", file],
            ]
            for command in commands { try refuse(command, file) }
            try AtomicFile.write("", to: file)
            for command in commands { try refuse(command, file, "no rows") }
            try AtomicFile.write("\n\n", to: file)
            for command in commands { try refuse(command, file, "no rows") }
            let good = #"{"prompt": "a", "answer": "b", "response": "c", "text": "d"}"#
            try AtomicFile.write("\(good)\n\(good)\n{\"prompt\": \"a\n", to: file)
            for command in commands { try refuse(command, file, "line 3") }
            try AtomicFile.write("\(good)\n[1]\n", to: file)
            for command in commands { try refuse(command, file, "line 2") }
            try AtomicFile.write("\(good)\n{\"other\": 1}\n", to: file)
            for command in commands {
                // Texts are converted row by row, so that the first one is out already.
                try refuse(command, file, "line 2", writing: command[0] == "tokenize" ? 1 : 0)
            }
        }
    }

    @Test("a prompt that is longer than the model or the settings allow")
    func length() throws {
        try withTemporaryFolder { folder in
            let file = "\(folder)/data.jsonl"
            let ids = (0..<513).map { String(3 + $0 % 400) }.joined(separator: ",")
            try AtomicFile.write(
                "{\"prompt_ids\":[\(ids)],\"input_ids\":[\(ids)]}\n", to: file)
            try refuse(["generate", "--model", tinyModel(), "--input", file], "512")
            try refuse(["score", "--model", tinyModel(), "--input", file], "line 1", "512")
            let run = try TinyRun(folder)
            try refuse(
                run.train("data.max_prompt_length=5"), "train.jsonl line 1",
                "data.max_prompt_length")
            try refuse(run.train("data.max_prompt_length=600"), "data.max_prompt_length", "512")
            try refuse(run.fineTune("data.max_length=4"), "sft.jsonl line 1", "data.max_length")
            try refuse(run.fineTune("data.max_length=600"), "data.max_length", "512")
        }
    }

    @Test("token ids that the model does not have")
    func tokens() throws {
        try withTemporaryFolder { folder in
            let file = "\(folder)/data.jsonl"
            for id in ["512", "-1", "2.5", "\"x\"", "99999999999"] {
                try AtomicFile.write(
                    "{\"prompt_ids\":[5,\(id)],\"input_ids\":[5,\(id)]}\n", to: file)
                try refuse(["generate", "--model", tinyModel(), "--input", file])
                try refuse(["score", "--model", tinyModel(), "--input", file], "line 1")
            }
        }
    }

    @Test("a setting that does not exist, is of the wrong type, or contradicts another")
    func settings() throws {
        try withTemporaryFolder { folder in
            let run = try TinyRun(folder)
            try refuse(
                run.train("actor_rollout_ref.rollout.temperatur=1"),
                "actor_rollout_ref.rollout.temperatur", "actor_rollout_ref.rollout.temperature")
            try refuse(run.fineTune("optim.lrr=1"), "optim.lrr", "optim.lr")
            try refuse(
                run.train("actor_rollout_ref.rollout.n=many"), "actor_rollout_ref.rollout.n",
                "many")
            try refuse(run.train("trainer.val_before_train=7"), "trainer.val_before_train")
            try refuse(
                run.train(
                    "data.train_batch_size=3", "actor_rollout_ref.actor.ppo_mini_batch_size=2"),
                "data.train_batch_size", "ppo_mini_batch_size")
            try refuse(
                run.train("actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=3"),
                "ppo_micro_batch_size_per_gpu")
            try refuse(run.train("data.train_batch_size=7"), "data.train_batch_size", "6")
            try refuse(run.fineTune("data.train_batch_size=7"), "data.train_batch_size", "6")
            try refuse(["train", "\(folder)/nowhere.yaml"], "nowhere.yaml")
            try refuse(run.train("reward.function=auto"), "train.jsonl line 1", "data_source")
            #expect(!fileExists("\(folder)/run/metrics.jsonl"))
        }
    }

    @Test(
        "an option with a value that cannot be",
        arguments: [
            ["generate", "--prompt", "a", "--temperature", "-1"],
            ["generate", "--prompt", "a", "--temperature", "nan"],
            ["generate", "--prompt", "a", "--top-p", "0"],
            ["generate", "--prompt", "a", "--top-p", "2"],
            ["generate", "--prompt", "a", "--max-new-tokens", "0"],
            ["generate", "--prompt", "a", "--max-new-tokens", "many"], ["generate"],
            ["generate", "--prompt", "a", "--threads", "-1"],
            ["score", "--input", "in.jsonl", "--temperature", "0"],
        ])
    func options(arguments: [String]) throws {
        let result = try Program.run(arguments + ["--model", tinyModel()])
        #expect(result.status != 0 && result.status < 128)
        #expect(result.output == "")
        // The usage may follow.
        #expect(result.error.hasPrefix("Error: "), "\(result.error)")
    }
}
