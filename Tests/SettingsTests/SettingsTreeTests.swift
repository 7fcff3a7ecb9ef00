import Testing

@testable import Settings

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

struct SettingsTreeTests {
    private let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("settings-\(UUID().uuidString)").path

    /// Writes files into a folder of this test and loads the arguments, in which `@/` is the folder.
    private func load(_ files: [String: String], _ arguments: String...) throws -> SettingsTree {
        try FileManager.default.createDirectory(
            atPath: folder + "/sub", withIntermediateDirectories: true)
        for (name, text) in files {
            try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/" + name))
        }
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try SettingsTree.load(
            arguments: arguments.map { $0.replacing("@/", with: folder + "/") }, environment: [:])
    }

    @Test("later files and then arguments stand above earlier files")
    func order() throws {
        let tree = try load(
            ["a.yaml": "data: {x: 1, y: 1, z: 1}", "b.json": #"{"data": {"y": 2, "z": 2}}"#],
            "data.z=3", "@/a.yaml", "@/b.json")
        #expect(tree.root.json == #"{"data":{"x":1,"y":2,"z":3}}"#)
    }

    @Test("every value knows its file and line")
    func positions() throws {
        let tree = try load(["a.yaml": "data:\n  x: 1\n\n  y:\n    - 2\n"], "@/a.yaml")
        let x = try #require(tree.root.node(at: ["data", "x"]))
        let y = try #require(tree.root.node(at: ["data", "y"]))
        #expect(x.origin == .file(folder + "/a.yaml", line: 2))
        #expect(y.origin == .file(folder + "/a.yaml", line: 4))
    }

    @Test("defaults name files relative to their own, below the file's own keys")
    func defaults() throws {
        let files = [
            "sub/a.yaml": "defaults: [../base, _self_]\nx: 2",
            "sub/b.yaml": "defaults: [_self_, ../base.yaml]\nx: 2",
            "base.yaml": "x: 1\ny: 1",
        ]
        #expect(try load(files, "@/sub/a.yaml").root.json == #"{"x":2,"y":1}"#)
        #expect(try load(files, "@/sub/b.yaml").root.json == #"{"x":1,"y":1}"#)
    }

    @Test("defaults place groups below their keys, as Hydra does")
    func groups() throws {
        let files = [
            "a.yaml": """
            defaults:
              - sub: dp
              - sub@roles.actor: ${sub}_actor
              - optional sub: gone
              - override hydra/job_logging: disabled
              - ppo_trainer
              - sub: null
              - _self_
            roles: {actor: {y: 3}}
            """, "sub/dp.yaml": "# @package _global_\nengine: dp",
            "sub/dp_actor.yaml": "defaults: [\"../optim@optim\", _self_]\nx: 1\ny: 2",
            "optim.yaml": "lr: 4",
        ]
        #expect(
            try load(files, "@/a.yaml").root.json
                == #"{"engine":"dp","roles":{"actor":{"optim":{"lr":4},"x":1,"y":3}}}"#)
        #expect(throws: SettingsError.self) {
            try load(["a.yaml": "defaults: [sub: no]"], "@/a.yaml")
        }
    }

    @Test("files that include each other are an error")
    func circle() {
        let files = ["a.yaml": "defaults: [b]", "b.yaml": "defaults: [a]"]
        let error = #expect(throws: SettingsError.self) { try load(files, "@/a.yaml") }
        #expect(error?.description.contains("circle") == true)
    }

    @Test("an included file that is not there is named with the line that asks for it")
    func missingDefault() {
        let error = #expect(throws: SettingsError.self) {
            try load(["a.yaml": "x: 1\ndefaults:\n  - gone"], "@/a.yaml")
        }
        #expect(error?.description.contains("a.yaml line 3") == true)
        #expect(error?.description.contains("'gone'") == true)
    }

    @Test("keys with dots at the top level mean nested keys; deeper ones are names")
    func dottedKeys() throws {
        let tree = try load(
            ["a.yaml": "data.x: 1\ndata.y: 2\nmodel:\n  rank_pattern: {layers.0.q: 8}"], "@/a.yaml")
        #expect(
            tree.root.json
                == #"{"data":{"x":1,"y":2},"model":{"rank_pattern":{"layers.0.q":8}}}"#)
    }

    @Test("anchors and merge keys work")
    func anchors() throws {
        let tree = try load(
            ["a.yaml": "base: &b {x: 1, y: 2}\nmine:\n  <<: *b\n  y: 3"], "@/a.yaml")
        #expect(tree.root.node(at: ["mine"])?.json == #"{"x":1,"y":3}"#)
    }

    @Test("an empty group leaves what an earlier file set; null replaces it")
    func emptyGroup() throws {
        let files = ["a.yaml": "data: {x: 1}", "b.yaml": "data:\n", "c.yaml": "data: null"]
        #expect(try load(files, "@/a.yaml", "@/b.yaml").root.json == #"{"data":{"x":1}}"#)
        #expect(try load(files, "@/a.yaml", "@/c.yaml").root.json == #"{"data":null}"#)
    }

    @Test("a map on the command line changes the names that it holds")
    func mapArgument() throws {
        let files = ["a.yaml": "optim: {lr: 1, betas: [1, 2]}"]
        #expect(
            try load(files, "@/a.yaml", "optim={lr: 2, eps: 3}").root.json
                == #"{"optim":{"lr":2,"betas":[1,2],"eps":3}}"#)
        #expect(try load([:], "++a={x: 1}", "+a.y=2").root.json == #"{"a":{"x":1,"y":2}}"#)
    }

    @Test("a tilde takes a key of a file away, and is an error where there is none")
    func removal() throws {
        let files = ["a.yaml": "data: {x: 1, y: 2}"]
        #expect(try load(files, "@/a.yaml", "~data.x").root.json == #"{"data":{"y":2}}"#)
        #expect(throws: SettingsError.self) { try load(files, "@/a.yaml", "~data.q") }
    }

    @Test(
        "broken files are errors that name the line",
        arguments: [
            ("a: 1\nb: [1\nc: 2", "line 3"), ("a: 1\na: 2", "'a' twice"), ("- 1", "not a map"),
            ("a: 1\nb: *c", "line 2"), ("a: 1\n\tb: 2", "line 2"),
        ])
    func brokenFiles(text: String, part: String) {
        let error = #expect(throws: SettingsError.self) { try load(["a.yaml": text], "@/a.yaml") }
        #expect(error?.description.contains("a.yaml") == true)
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
    }

    @Test("a file that is missing is named")
    func missingFile() {
        let error = #expect(throws: SettingsError.self) { try load([:], "@/gone.yaml") }
        #expect(error?.description.contains("gone.yaml") == true)
    }

    @Test("empty files are empty configurations")
    func emptyFiles() throws {
        #expect(
            try load(["a.yaml": "", "b.yaml": "# nothing\n"], "@/a.yaml", "@/b.yaml").root.isEmpty)
    }

    @Test("aliases that multiply without end are refused")
    func aliasBomb() {
        let text =
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + zip("bcdefg", "abcdef").map { new, old in
                "\(new): &\(new) [" + Array(repeating: "*\(old)", count: 10).joined(separator: ",")
                    + "]\n"
            }.joined()
        #expect(throws: SettingsError.self) { try load(["a.yaml": text], "@/a.yaml") }
    }
}
