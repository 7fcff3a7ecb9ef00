import Testing

@testable import Settings

struct SettingsReaderTests {
    private func reader(_ arguments: String..., environment: [String: String] = [:]) throws
        -> SettingsReader
    {
        SettingsReader(try SettingsTree.load(arguments: arguments, environment: environment))
    }

    private func message(_ body: () throws -> Void) -> String {
        #expect(throws: SettingsError.self) { try body() }?.description ?? ""
    }

    @Test("a read gives the value or its default, and declares the key")
    func reads() throws {
        let reader = try reader("data.x=5", "data.name=007", "data.lr=1", "data.files=a.jsonl")
        #expect(try reader.int("data.x", default: 1, "X.") == 5)
        #expect(try reader.int("data.y", default: 2, "Y.") == 2)
        #expect(try reader.string("data.name", default: "", "Name.") == "007")
        #expect(try reader.double("data.lr", default: 0, "LR.") == 1)
        #expect(try reader.paths("data.files", "Files.") == ["a.jsonl"])
        #expect(try reader.optionalInt("data.none", "None.") == nil)
        try reader.finish()
        let declaration = try #require(reader.declarations.first)
        #expect(declaration.key == "data.x")
        #expect(declaration.type == "an integer")
        #expect(declaration.defaultValue?.scalar == 1)
        #expect(declaration.value?.scalar == 5)
        #expect(declaration.origin == .argument("data.x=5"))
        #expect(reader.declarations[1].origin == .byDefault)
    }

    @Test("null gives optional reads nil and is an error elsewhere")
    func null() throws {
        let reader = try reader("a=null", "b=null", "c=null")
        #expect(try reader.optionalInt("a", default: 3, "A.") == nil)
        #expect(try reader.strings("b", default: ["x"], "B.") == ["x"])
        let text = message { _ = try reader.int("c", default: 1, "C.") }
        #expect(text == "'c' is null (argument 'c=null'), but must be an integer.")
    }

    @Test(
        "wrong types and values out of range are one sentence with key, value, place and what is right"
    )
    func wrongValues() throws {
        let reader = try reader(
            "a=x", "b=0", "c='5'", "d=2.5", "e=yes", "f=k4", "g=[1,x]", "h={a: 1}")
        #expect(
            message { _ = try reader.int("a", default: 1, in: .atLeast(1), "A.") }
                == "'a' is 'x' (argument 'a=x'), but must be an integer of at least 1 and below 2^31."
        )
        #expect(
            message { _ = try reader.double("b", default: 1, in: .above(0, upTo: 1), "B.") }
                == "'b' is 0 (argument 'b=0'), but must be a number above 0.0 and at most 1.0.")
        #expect(message { _ = try reader.int("c", default: 1, "C.") }.contains("'5'"))
        #expect(message { _ = try reader.int("d", default: 1, "D.") }.contains("an integer"))
        #expect(message { _ = try reader.bool("e", default: true, "E.") }.contains("true or false"))
        #expect(
            message { _ = try reader.choice("f", default: "k1", of: ["k1", "k2"], "F.") }
                .contains("one of k1, k2"))
        #expect(message { _ = try reader.doubles("g", default: [], "G.") }.contains("[1, x]"))
        #expect(message { _ = try reader.string("h", default: "", "H.") }.contains("a text"))
    }

    @Test("limits hold at their ends")
    func limits() {
        #expect(SettingLimits.atLeast(1).contains(1) && !SettingLimits.atLeast(1).contains(0))
        #expect(SettingLimits.atLeast(1).or(-1).contains(-1))
        #expect(!SettingLimits.atLeast(1).contains(1 << 31))
        #expect(SettingLimits<Int>.any.contains(.max) && SettingLimits.atLeast(1.0).contains(1e300))
        #expect(!SettingLimits.above(0.0).contains(0) && SettingLimits.above(0.0).contains(1e-300))
        #expect(
            SettingLimits.between(0.0, 1).contains(1)
                && !SettingLimits.between(0.0, 1).contains(1.1))
        #expect(!SettingLimits<Double>.any.contains(.nan))
    }

    @Test("an unknown key names the nearest known one")
    func unknownKeys() throws {
        let reader = try reader("model.lora_rnk=8", "lr=1", "actor.otim.lr=1", "zzz.qqq=1")
        _ = try reader.int("model.lora_rank", default: 0, "Rank.")
        _ = try reader.double("actor.optim.lr", default: 0, "LR.")
        let lines = message { try reader.finish() }
            .split(separator: "\n").map(String.init)
        #expect(
            lines.first == "unknown key 'model.lora_rnk' (argument 'model.lora_rnk=8');"
                + " did you mean 'model.lora_rank'?")
        #expect(lines[1].hasSuffix("did you mean 'actor.optim.lr'?"))
        #expect(lines[2].hasSuffix("did you mean 'actor.optim.lr'?"))
        #expect(lines[3].hasSuffix("no known key is like it."))
    }

    @Test("a needed key that is missing points at the given key that looks like it")
    func missing() throws {
        let reader = try reader("model.pth=/m", "reward.path=x")
        let text = message { _ = try reader.requiredPath("model.path", "Folder of the model.") }
        #expect(
            text == "'model.path' is needed (Folder of the model): was 'model.pth' meant to be it?")
    }

    @Test("a value in the place of a group is an error")
    func scalarAsGroup() throws {
        let text = message { _ = try reader("data=5").int("data.x", default: 1, "X.") }
        #expect(text.contains("'data' is 5") && text.contains("group"))
    }

    @Test("a whole group may be a reference to another one, or null")
    func groupReference() throws {
        let reader = try reader(
            "a={x: 1, y: {z: 2}}", "b=${a}", "c=null", "d=${oc.select:gone,null}")
        #expect(try reader.int("b.x", default: 0, "X.") == 1)
        #expect(try reader.int("b.y.z", default: 0, "Z.") == 2)
        #expect(try reader.int("b.y.w", default: 5, "W.") == 5)
        #expect(try reader.int("c.x", default: 6, "X.") == 6)
        #expect(try reader.int("d.x", default: 7, "X.") == 7)
        try reader.finish()
    }

    @Test("references are followed, in texts too, and count as use")
    func references() throws {
        let reader = try reader(
            "vars.root=/data", "a=${vars.root}/x/${n}.jsonl", "n=3", "b=${n}", "c=[${n},4]",
            "d=${oc.env:MISSING,7}", "e=${oc.env:USER_NAME}", "f=${oc.select:gone,true}",
            "g=${known}", environment: ["USER_NAME": "ada"])
        #expect(try reader.path("a", default: "", "A.") == "/data/x/3.jsonl")
        #expect(try reader.int("b", default: 0, "B.") == 3)
        #expect(try reader.doubles("c", default: [], "C.") == [3, 4])
        #expect(try reader.int("d", default: 0, "D.") == 7)
        #expect(try reader.string("e", default: "", "E.") == "ada")
        #expect(try reader.bool("f", default: false, "F.") == true)
        #expect(try reader.int("known", default: 9, "Known.") == 9)
        #expect(try reader.int("g", default: 0, "G.") == 9)
        try reader.finish()
    }

    @Test("references with leading dots start from the value's own place")
    func relativeReferences() throws {
        let reader = try reader(
            "a.b.x=1", "a.b.y=${.x}", "a.z=2", "a.b.w=${..z}", "m={p: 3, q: ${.p}}")
        #expect(try reader.int("a.b.y", default: 0, "Y.") == 1)
        #expect(try reader.int("a.b.w", default: 0, "W.") == 2)
        #expect(try reader.integerMap("m", "M.") == ["p": 3, "q": 3])
    }

    @Test("references in a circle, to nothing, or of another kind are errors")
    func brokenReferences() throws {
        let reader = try reader(
            "a=${b}", "b=x${a}", "c=${gone}", "d=${now:%Y}", "e=${a", "f=${oc.env:NO}")
        #expect(message { _ = try reader.string("a", default: "", "A.") }.contains("circle"))
        #expect(message { _ = try reader.string("c", default: "", "C.") }.contains("'gone'"))
        #expect(message { _ = try reader.string("d", default: "", "D.") }.contains("now:%Y"))
        #expect(message { _ = try reader.string("e", default: "", "E.") }.contains("without its"))
        #expect(message { _ = try reader.string("f", default: "", "F.") }.contains("'NO'"))
    }

    @Test("paths replace the home folder and variables")
    func paths() throws {
        let reader = try reader(
            "a=~/x", "b=$DATA/x", "c=${DATA}/x", "d=$NONE/x", "e=a~b",
            environment: ["HOME": "/home/ada", "DATA": "/data"])
        #expect(try reader.path("a", default: "", "A.") == "/home/ada/x")
        #expect(try reader.path("b", default: "", "B.") == "/data/x")
        #expect(try reader.path("c", default: "", "C.") == "/data/x")
        #expect(try reader.path("d", default: "", "D.") == "$NONE/x")
        #expect(try reader.path("e", default: "", "E.") == "a~b")
    }

    @Test("keys without meaning are noted only when given, those of a group one by one")
    func ignored() throws {
        let reader = try reader("fsdp.offload=true", "fsdp.plan.x=1", "fsdp.read=2", "engine=fsdp")
        _ = try reader.int("fsdp.read", default: 0, "R.")
        reader.ignored("fsdp", because: "there is one copy of the weights")
        reader.ignored("other", because: "it is not needed")
        reader.ignoredChoice("engine", because: "there is one engine")
        try reader.finish()
        #expect(reader.unused.map(\.key) == ["fsdp.offload", "fsdp.plan.x", "engine"])
        #expect(reader.unused[0].reason == "there is one copy of the weights")
        #expect(reader.resolved.json == #"{"fsdp":{"read":2}}"#)
    }

    @Test("the classes that Hydra's files name are noted and not taken for settings")
    func targets() throws {
        let reader = try reader("data._target_=verl.Data", "data.x=1")
        _ = try reader.int("data.x", default: 0, "X.")
        try reader.finish()
        #expect(reader.unused.map(\.key) == ["data._target_"])
    }

    @Test("a draft may lack what must be given; ??? and an empty list count as lacking")
    func draft() throws {
        let tree = try SettingsTree.load(arguments: ["b=???", "c=[]"], environment: [:])
        let draft = SettingsReader(tree, isDraft: true)
        #expect(try draft.requiredPath("a", "A.") == "")
        #expect(try draft.requiredString("b", "B.") == "")
        #expect(try draft.requiredPaths("c", "C.") == [])
        #expect(draft.resolved.node(at: ["a"])?.isMissingMark == true)
        for key in ["a", "b", "c"] {
            let strict = SettingsReader(tree)
            #expect(message { _ = try strict.requiredPaths(key, "A.") }.contains("is needed"))
        }
    }

    @Test("an empty value means not set where no text can stand")
    func emptyValues() throws {
        let reader = try reader("a=", "b=", "c=", "d=")
        #expect(try reader.optionalPath("a", "A.") == nil)
        #expect(try reader.optionalInt("b", default: 3, "B.") == nil)
        #expect(try reader.optionalString("c", "C.") == "")
        #expect(message { _ = try reader.int("d", default: 1, "D.") }.contains("'d' is ''"))
    }

    @Test("a backslash keeps a dollar sign from being replaced, in the resolved tree as well")
    func escapes() throws {
        let environment = ["HOME": "/home/ada"]
        let arguments = [#"a=\$HOME/x"#, #"b=\${n}"#, "c=$HOME/x"]
        let first = SettingsReader(
            try SettingsTree.load(arguments: arguments, environment: environment))
        func check(_ reader: SettingsReader) throws {
            #expect(try reader.path("a", default: "", "A.") == "$HOME/x")
            #expect(try reader.string("b", default: "", "B.") == "${n}")
            #expect(try reader.path("c", default: "", "C.") == "/home/ada/x")
        }
        try check(first)
        try check(SettingsReader(SettingsTree(root: first.resolved, environment: environment)))
    }

    @Test("keys that are not possible yet accept only the values that are")
    func unsupported() throws {
        let reader = try reader("a=false", "b={}", "c=4", "d={x: 1}")
        try reader.unsupported("a", allowed: [false], because: "no tools")
        try reader.unsupported("b", allowed: [nil], because: "no overrides")
        let text = message {
            try reader.unsupported("c", allowed: [1, nil], because: "one process")
        }
        #expect(text == "'c' is 4 (argument 'c=4'), but must be 1 or null: one process.")
        #expect(
            message { try reader.unsupported("d", allowed: [nil], because: "no") }.contains(
                "{x: 1}"))
    }

    @Test("scopes share one record")
    func scopes() throws {
        let reader = try reader("a.b.c=1")
        #expect(try reader.scope("a").scope("b").int("c", default: 0, "C.") == 1)
        try reader.finish()
        #expect(reader.declarations.map(\.key) == ["a.b.c"])
    }

    @Test("maps of numbers keep names with dots")
    func maps() throws {
        let reader = try reader("p={q_proj: 8, 'layers.0.v': 4}", "r.layers.1.k=2", "s={a: x}")
        #expect(try reader.integerMap("p", "P.") == ["q_proj": 8, "layers.0.v": 4])
        #expect(try reader.integerMap("r", "R.") == ["layers.1.k": 2])
        #expect(message { _ = try reader.integerMap("s", "S.") }.contains("'s.a'"))
    }

    @Test("a default that follows another key is not written, a given value is")
    func derived() throws {
        func read(_ arguments: String...) throws -> SettingsReader {
            let reader = SettingsReader(
                try SettingsTree.load(arguments: arguments, environment: [:]))
            let first = try reader.int("a", default: 1, "The first.")
            _ = try reader.derived("as a").int("b", default: first, "The second.")
            return reader
        }
        #expect(try read("a=3").resolved.json == #"{"a":3}"#)
        #expect(try read("a=3", "b=3").resolved.json == #"{"a":3,"b":3}"#)
        let second = try #require(try read("a=3").declarations.last)
        #expect(second.derivation == "as a" && !second.differsFromDefault)
        #expect(try read("b=2").declarations.last?.differsFromDefault == true)
    }

    @Test("the resolved configuration reads back to the same values")
    func resolved() throws {
        let reader = try reader(
            "a.text='3'", "a.lr=3e-5", "a.list=[x,'y: z']", "a.path=/p/q", "a.quote=\"a\\\"b\\\\\"")
        _ = try reader.string("a.text", default: "", "T.")
        _ = try reader.double("a.lr", default: 0, "LR.")
        _ = try reader.strings("a.list", default: [], "L.")
        _ = try reader.path("a.path", default: "", "P.")
        _ = try reader.string("a.quote", default: "", "Q.")
        _ = try reader.optionalInt("a.none", "N.")
        _ = try reader.string("a.empty", default: "", "E.")
        #expect(
            reader.resolved.yaml == """
                a:
                  text: "3"
                  lr: 3.0e-05
                  list: [x, "y: z"]
                  path: /p/q
                  quote: "a\\"b\\\\"
                  none: null
                  empty: ""

                """)
        #expect(reader.resolved.yaml(withOrigins: true).contains("  lr: 3.0e-05  # command line\n"))
        #expect(reader.resolved.yaml(withOrigins: true).contains("  none: null\n"))
        #expect(
            reader.resolved.json
                == #"{"a":{"text":"3","lr":3e-05,"list":["x","y: z"],"path":"/p/q","quote":"a\"b\\","none":null,"empty":""}}"#
        )
    }

    @Test("an impossible combination names every key with its value and place")
    func conflict() throws {
        let reader = try reader("a=3")
        _ = try reader.int("a", default: 0, "A.")
        _ = try reader.int("b", default: 2, "B.")
        #expect(
            reader.conflict(["a", "b"], "the first must be a multiple of the second").description
                == "'a' is 3 (argument 'a=3') and 'b' is 2 (the default): the first must be a"
                + " multiple of the second.")
    }
}
