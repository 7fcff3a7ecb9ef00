import Adapters
import Formats
import Foundation
import Models
import OracleFixtures
import Tensors
import Testing

/// A PEFT folder whose tensors and config a test changes before it is read.
private struct ChangedFolder {
    var tensors: [(name: String, tensor: Tensor)]
    var config: JSONObject

    init(_ name: String = "qwen2-tiny--qv-r4") throws {
        let folder = OracleFixtures.path("adapters/\(name)")
        let file = try SafetensorsFile(path: "\(folder)/\(LoRAAdapter.fileName)")
        tensors = try file.names.map { ($0, try Tensor(mapping: file.entry($0), of: file)) }
        config = try #require(JSON(contentsOfFile: "\(folder)/\(LoRAConfig.fileName)").object)
    }

    /// The sentence with which reading it for a model fails, without the folder's path.
    func failure(for model: String = "qwen2-tiny") throws -> String? {
        try withTemporaryFolder { folder in
            try write(to: folder)
            let model = try AdaptersTests.config(model)
            return AdaptersTests.failure { _ = try LoRAAdapter(directory: folder, for: model) }?
                .replacingOccurrences(of: "\(folder)/", with: "")
        }
    }

    func write(to folder: String) throws {
        try SafetensorsWriter.write(
            tensors.map { SafetensorsSource(name: $0.name, $0.tensor) },
            to: "\(folder)/\(LoRAAdapter.fileName)")
        try AtomicFile.write(
            JSON.object(config).serialized(), to: "\(folder)/\(LoRAConfig.fileName)")
    }
}

@Suite("PEFT folder")
struct LoRAAdapterFolderTests {
    @Test(
        "a value that is not a finite number is neither read nor written",
        arguments: [Float.nan, .infinity])
    func notFinite(value: Float) throws {
        var folder = try ChangedFolder()
        let name = folder.tensors[1].name
        var values = folder.tensors[1].tensor.toArray()
        values[1] = value
        folder.tensors[1].tensor = Tensor(values, shape: folder.tensors[1].tensor.shape)
        let text = try folder.failure()
        #expect(text?.contains("\(LoRAAdapter.fileName): the tensor \"\(name)\"") == true)
        try withTemporaryFolder { folder in
            let model = try config("qwen2-tiny")
            let adapter = try LoRAAdapter(LoRAConfig(rank: 2, alpha: 2), for: model, seed: 1)
            try adapter.save(to: "\(folder)/a")
            adapter.parameters.values.fill(value)
            #expect(throws: AdapterError.self) { try adapter.save(to: "\(folder)/a") }
            let before = try LoRAAdapter(directory: "\(folder)/a", for: model)
            #expect(before.parameters.values.isFinite)
        }
    }

    @Test("is saved and read back with the same bits", arguments: OracleFixtures.models)
    func saving(model: String) throws {
        let model = try config(model)
        try withTemporaryFolder { folder in
            let lora = LoRAConfig(
                rank: 3, alpha: 6, rankPattern: [ModulePattern("q_proj", 5)], baseModel: "base")
            let adapter = try LoRAAdapter(lora, for: model, seed: 3)
            adapter.parameters.values.copy(
                from: (0..<adapter.parameters.count).map { Float($0).squareRoot() * 1e-3 })
            try adapter.save(to: "\(folder)/a/b")
            try adapter.save(to: "\(folder)/a/b")
            let back = try LoRAAdapter(directory: "\(folder)/a/b", for: model)
            #expect(back.parameters.values.hasSameBytes(as: adapter.parameters.values))
            #expect(back.modules == adapter.modules)
            #expect(back.config.baseModel == "base")
            let names = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/a/b")
            #expect(names.sorted() == [LoRAConfig.fileName, LoRAAdapter.fileName])
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/a") == ["b"])
        }
    }

    @Test("a folder of PEFT's is written again with the same tensors")
    func rewriting() throws {
        let source = OracleFixtures.path("adapters/llama3-tiny--rslora-r16")
        let adapter = try LoRAAdapter(directory: source, for: config("llama3-tiny"))
        try withTemporaryFolder { folder in
            try adapter.save(to: "\(folder)/a")
            let (before, after) = try (
                SafetensorsFile(path: "\(source)/\(LoRAAdapter.fileName)"),
                SafetensorsFile(path: "\(folder)/a/\(LoRAAdapter.fileName)")
            )
            #expect(Set(before.names) == Set(after.names))
            for name in before.names {
                let (old, new) = try (before.entry(name), after.entry(name))
                #expect(old.shape == new.shape)
                #expect(
                    after.file.hasSameBytes(
                        in: new.byteRange, as: before.file, in: old.byteRange))
            }
        }
    }

    @Test("tensors stored in 16 bits are widened", arguments: [DataType.float16, .bfloat16])
    func narrowTypes(type: DataType) throws {
        var changed = try ChangedFolder()
        let narrow = changed.tensors.map { ($0.name, $0.tensor.converted(to: type)) }
        changed.tensors = narrow
        try withTemporaryFolder { folder in
            try changed.write(to: folder)
            let adapter = try LoRAAdapter(directory: folder, for: config("qwen2-tiny"))
            for (name, tensor) in narrow {
                let found = try #require(adapter.parameters.parameter(named: name))
                #expect(found.toArray() == tensor.toArray())
            }
        }
    }

    private static let first = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"

    @Test("a missing tensor is named")
    func missing() throws {
        var changed = try ChangedFolder()
        changed.tensors.removeAll { $0.name == Self.first }
        #expect(
            try changed.failure()
                == "adapter_model.safetensors: the tensor \"\(Self.first)\" is missing.")
    }

    @Test(
        "a tensor that has no place is named with the reason",
        arguments: [
            (
                "base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight",
                "has no place in this model with the target_modules of adapter_config.json"
            ),
            (
                "base_model.model.model.layers.0.mlp.up_proj.lora_B.weight",
                "has no place in this model with the target_modules of adapter_config.json"
            ),
            (
                "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector",
                "belongs to DoRA, which is not supported"
            ),
            (
                "base_model.model.model.layers.0.self_attn.q_proj.lora_B.bias",
                "is a trained bias, which is not supported"
            ),
            (
                "base_model.model.lm_head.weight",
                "is no low-rank part of a projection, and nothing else is supported"
            ),
        ])
    func strange(name: String, reason: String) throws {
        var changed = try ChangedFolder()
        changed.tensors.append((name, Tensor(zeros: [4])))
        #expect(
            try changed.failure() == "adapter_model.safetensors: the tensor \"\(name)\" \(reason).")
    }

    @Test("a rank that the tensors contradict is an error with both shapes")
    func wrongRank() throws {
        var changed = try ChangedFolder()
        changed.config["r"] = 8
        #expect(
            try changed.failure()
                == "adapter_model.safetensors: the tensor \"\(Self.first)\" has the shape [4, 64], "
                + "but the model and adapter_config.json imply [8, 64]; the adapter was made for "
                + "another model.")
    }

    @Test("an adapter for another model is refused", arguments: ["llama3-tiny", "qwen3-tiny"])
    func otherModel(model: String) throws {
        let found = try #require(try ChangedFolder().failure(for: model))
        #expect(found.hasPrefix("adapter_model.safetensors: the tensor \"base_model."), "\(found)")
    }

    @Test("a config that is impossible for the model is named with its file")
    func badConfig() throws {
        var changed = try ChangedFolder()
        changed.config["target_modules"] = ["c_attn"]
        let found = try #require(try changed.failure())
        #expect(
            found.hasPrefix("adapter_config.json: target_modules: \"c_attn\" matches no module"))
    }

    @Test("missing files are named")
    func missingFiles() throws {
        let model = try config("qwen2-tiny")
        try withTemporaryFolder { folder in
            func message() -> String? {
                failure { _ = try LoRAAdapter(directory: folder, for: model) }
            }
            #expect(
                message() == "cannot read \(folder)/adapter_config.json: No such file or directory")
            try ChangedFolder().write(to: folder)
            try FileManager.default.removeItem(atPath: "\(folder)/\(LoRAAdapter.fileName)")
            #expect(
                message()
                    == "cannot read \(folder)/adapter_model.safetensors: No such file or directory")
            try AtomicFile.write("x", to: "\(folder)/adapter_model.bin")
            #expect(message()?.hasPrefix("\(folder)/adapter_model.bin is not read") == true)
        }
    }

    @Test("a full disk leaves the previous adapter")
    func fullDisk() async {
        await #expect(processExitsWith: .success) {
            let model = try config("qwen2-tiny")
            let adapter = try LoRAAdapter(LoRAConfig(rank: 4, alpha: 8), for: model, seed: 1)
            try withTemporaryFolder { folder in
                try adapter.save(to: "\(folder)/a")
                let before = adapter.parameters.values.toArray()
                adapter.parameters.values.fill(1)
                limitFileSize(to: 5000)
                let found = failure { try adapter.save(to: "\(folder)/a") }
                #expect(found?.hasSuffix("adapter_model.safetensors: File too large") == true)
                let back = try LoRAAdapter(directory: "\(folder)/a", for: model)
                #expect(back.parameters.values.toArray() == before)
                #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a"])
            }
        }
    }
}

/// From here on this process cannot write a file longer than some bytes: a full disk that needs no
/// rights.
private func limitFileSize(to bytes: UInt) {
    _ = signal(SIGXFSZ, SIG_IGN)
    var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t(bytes))
    #if canImport(Glibc)
        let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
    #else
        let resource = RLIMIT_FSIZE
    #endif
    precondition(unsafe setrlimit(resource, &limit) == 0)
}
