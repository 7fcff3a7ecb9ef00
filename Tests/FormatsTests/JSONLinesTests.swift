import Testing

@testable import Formats

private func rows(_ path: String) throws(FormatError) -> [JSONLine] {
    try JSONLinesReader(path: path).rest()
}

private func text(_ path: String) throws -> String {
    try String(decoding: [UInt8](contentsOfFile: path), as: UTF8.self)
}

@Suite struct JSONLinesTests {
    @Test func `rows are read with their line numbers, blank lines are skipped`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("a.jsonl", "{\"a\": 1}\n\n  \r\n[2]\r\n\"last\"")
        #expect(
            try rows(path) == [
                JSONLine(number: 1, value: ["a": 1]), JSONLine(number: 4, value: [2]),
                JSONLine(number: 5, value: "last"),
            ])
        #expect(try rows(folder.file("empty.jsonl", "")) == [])
    }

    @Test func `rows longer than what is read at once are whole`() throws {
        let folder = try TemporaryFolder()
        let long = (0..<5).map { String(repeating: "\($0)", count: 50_000 + $0) }
        let path = try folder.file("a.jsonl", long.map { "\"\($0)\"\n" }.joined())
        #expect(try rows(path).map(\.value.string) == long)
    }

    @Test func `a broken line is named with file, line and column`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("a.jsonl", "{\"a\": 1}\n\n{\"a\": }\n")
        #expect(
            failure { () throws(FormatError) in _ = try rows(path) }
                == "\(path): line 3, column 7: expected a value, found '}'")
        let missing = "\(folder.path)/missing"
        #expect(
            failure { () throws(FormatError) in _ = try rows(missing) }
                == "cannot read \(missing): No such file or directory")
    }

    @Test func `every appended row is in the file at once, and reopening goes on`() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/metrics.jsonl"
        var writer = try JSONLinesWriter(appendingTo: path)
        try writer.append(["step": 1, "loss": 0.5])
        #expect(try text(path) == "{\"step\": 1, \"loss\": 0.5}\n")
        try writer.append(["step": 2, "loss": .number(.nan)])
        var second = try JSONLinesWriter(appendingTo: path)
        try second.append(["step": 3])
        #expect(
            try text(path)
                == "{\"step\": 1, \"loss\": 0.5}\n{\"step\": 2, \"loss\": null}\n{\"step\": 3}\n")
    }

    @Test(arguments: [
        ("{\"a\": 1}\n{\"a\": 2", "{\"a\": 1}\n[]\n"),
        ("{\"a\": 1}\n{\"a\": 2}", "{\"a\": 1}\n{\"a\": 2}\n[]\n"),
        ("{\"a\"", "[]\n"),
        ("", "[]\n"),
        ("1\n" + "\"" + String(repeating: "x", count: 200_000), "1\n[]\n"),
    ])
    func `a row that a crash cut off does not spoil later ones`(
        before: String, after: String
    ) throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("metrics.jsonl", before)
        var writer = try JSONLinesWriter(appendingTo: path)
        try writer.append([])
        #expect(try text(path) == after)
    }
}
