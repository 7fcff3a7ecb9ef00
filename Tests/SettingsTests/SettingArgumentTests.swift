import Testing

@testable import Settings

struct SettingArgumentTests {
    private func value(_ text: String) throws -> SettingNode {
        let argument = try SettingArgument("a.b=" + text)
        #expect(argument.path == ["a", "b"])
        return try #require(argument.value)
    }

    @Test(
        "bare values have the types that Hydra gives them",
        arguments: [
            ("16", .integer(16)), ("-1", .integer(-1)), ("3e-5", .double(3e-5)),
            ("1e-6", .double(1e-6)), (".5", .double(0.5)), ("True", .bool(true)),
            ("false", .bool(false)), ("null", .null), ("'null'", .string("null")),
            ("\"16\"", .string("16")), ("", .string("")), ("all-linear", .string("all-linear")),
            ("/data/a=b/x.jsonl", .string("/data/a=b/x.jsonl")),
            ("hdfs://host:80/x", .string("hdfs://host:80/x")),
            ("lambda x: x+1", .string("lambda x: x+1")), ("1_000", .integer(1000)),
            ("1.2.3", .string("1.2.3")), ("-", .string("-")), ("e", .string("e")),
            ("1e999", .double(.infinity)), ("0x10", .string("0x10")),
            ("0.", .double(0)), ("\"a b\"", .string("a b")), ("a b", .string("a b")),
            (#"'["x"]'"#, .string(#"["x"]"#)), ("${a,b}", .string("${a,b}")),
            ("99999999999999999999", .double(1e20)), ("'it\\'s'", .string("it's")),
        ] as [(String, SettingScalar)])
    func bareValues(text: String, expected: SettingScalar) throws {
        #expect(try value(text).scalar == expected)
    }

    @Test("lists and maps nest, with and without quotes and spaces")
    func nested() throws {
        #expect(
            try value("[a, 'b,c', 3, {x: [1,2], 'y z': ${q.r}}]").json
                == #"["a","b,c",3,{"x":[1,2],"y z":"${q.r}"}]"#)
        #expect(try value("[]").json == "[]")
        #expect(try value("{}").json == "{}")
        #expect(try value("['/a b/x', '/c']").json == #"["/a b/x","/c"]"#)
        #expect(try value(#"["console","wandb"]"#).json == #"["console","wandb"]"#)
        #expect(try value(" [a:b, http://x/y] ").json == #"["a:b","http://x/y"]"#)
    }

    @Test(
        "a broken value is an error that quotes the argument",
        arguments: [
            "[a", "[a,,b]", "{a}", "{a:1", "'abc", "[a]b", "{a:1,a:2}", "[a,", "a,b", "1,2",
        ])
    func brokenValues(text: String) {
        let error = #expect(throws: SettingsError.self) { try value(text) }
        #expect(error?.description.contains("'a.b=\(text)'") == true)
    }

    @Test("brackets that nest without end are an error and not a crash")
    func deepNesting() {
        #expect(throws: SettingsError.self) { try value(String(repeating: "[", count: 100_000)) }
    }

    @Test("plus signs set, a tilde takes away")
    func prefixes() throws {
        #expect(try SettingArgument("+a.b=1").value?.scalar == 1)
        #expect(try SettingArgument("++a.b=1").value?.scalar == 1)
        #expect(try SettingArgument("~a.b").value == nil)
        #expect(throws: SettingsError.self) { try SettingArgument("~a.b=1") }
    }

    @Test(
        "what is neither a key nor a file is an error", arguments: ["abc", "=1", "a..b=1", "a b=1"])
    func notAKey(text: String) {
        #expect(throws: SettingsError.self) { try SettingArgument(text) }
    }

    @Test(
        "Hydra's options are told that files are named as they are",
        arguments: ["--config-name=ppo_trainer.yaml", "--config-path=/c", "-cn", "--cfg"])
    func hydraOptions(text: String) {
        #expect(!SettingArgument.isFile(text))
        let error = #expect(throws: SettingsError.self) { try SettingArgument(text) }
        #expect(error?.description.contains("Hydra") == true)
    }

    @Test("another option is named as one that does not exist")
    func otherOptions() {
        let error = #expect(throws: SettingsError.self) { try SettingArgument("--seed=3") }
        #expect(error?.description.contains("'--seed'") == true)
    }

    @Test("a file is told from an override by its name")
    func files() {
        #expect(SettingArgument.isFile("run.yaml"))
        #expect(SettingArgument.isFile("./lr=1/run.json"))
        #expect(!SettingArgument.isFile("data.custom_cls.path=run.yaml"))
        #expect(!SettingArgument.isFile("abc"))
    }
}
