import Foundation
import Testing

@testable import Formats

/// A file with a header as text and some bytes of data.
private func bytes(_ header: String, data: Int = 0, length: UInt64? = nil) -> [UInt8] {
    let length = length ?? UInt64(header.utf8.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8)
        + [UInt8](repeating: 1, count: data)
}

private func message(_ folder: TemporaryFolder, _ content: [UInt8]) throws -> String? {
    let path = try folder.file("a.safetensors", content)
    return failure { () throws(FormatError) in _ = try SafetensorsFile(path: path) }?
        .replacing("\(folder.path)/", with: "")
}

@Suite struct SafetensorsFileTests {
    @Test func `a file of the reference implementation is read`() throws {
        let root = try #require(Bundle.module.resourceURL)
        let path = root.appending(path: "Fixtures/reference.safetensors").path(
            percentEncoded: false)
        let file = try SafetensorsFile(path: path)
        #expect(file.metadata == ["format": "pt", "note": "é"])
        #expect(
            Set(file.names) == ["weight", "half", "brain", "long", "flags", "scalar", "empty"])
        let weight = try file.entry("weight")
        #expect(weight.shape == [2, 3])
        #expect(weight.dtype == .f32)
        #expect(weight.isAligned)
        let values = file.file.copy(of: weight.byteRange)
        #expect(Array(values[20..<24]) == [0, 0, 0xA0, 0x3F])
        #expect(try file.entry("half").dtype == .f16)
        #expect(try file.withBytes(of: file.entry("brain")) { $0.byteCount } == 6)
        #expect(try file.file.copy(of: file.entry("flags").byteRange) == [1, 0, 1])
        #expect(try file.entry("long").shape == [2, 1])
        #expect(try file.entry("scalar").shape == [])
        #expect(try file.entry("scalar").elementCount == 1)
        #expect(try file.entry("empty").byteRange.isEmpty)
        #expect(
            failure { () throws(FormatError) in _ = try file.entry("x") }
                == "\(path): there is no tensor \"x\"")
    }

    @Test(arguments: [
        (Array(bytes("", length: 3).dropLast()), "no safetensors file: it has 7 bytes"),
        (bytes("{}", length: 3), "is cut off: its table takes 3 bytes and only 2 follow"),
        (bytes("{}", length: 1 << 60), "its table would take 1152921504606846976 bytes"),
        (bytes("{}", length: .max), "its table would take 18446744073709551615 bytes"),
        (bytes("{}", length: 100_000_001), "its table would take 100000001 bytes"),
        (bytes("{"), "(table): line 1, column 2: expected a key in double quotes"),
        (bytes("[]"), "the table must be an object, found an array"),
        (bytes("{}", data: 3), "the last 3 bytes belong to no tensor"),
        (bytes(#"{"__metadata__": 1}"#), "__metadata__ must be an object, found a number"),
        (bytes(#"{"__metadata__": {"a": 1}}"#), "\"a\" of __metadata__ must be a string"),
    ])
    func `a broken file is refused`(content: [UInt8], expected: String) throws {
        let found = try message(TemporaryFolder(), content)
        #expect(found?.hasPrefix("a.safetensors") == true)
        #expect(found?.contains(expected) == true, "\(found ?? "nothing")")
    }

    @Test(arguments: [
        ("7", "its description must be an object, found a number"),
        ("{}", "\"dtype\" is missing"),
        (
            #"{"dtype": "F33", "shape": [1], "data_offsets": [0, 4]}"#,
            "the dtype \"F33\" is not known"
        ),
        (#"{"dtype": "F32", "shape": 1, "data_offsets": [0, 4]}"#, "\"shape\" must be an array"),
        (
            #"{"dtype": "F32", "shape": [1.5], "data_offsets": [0, 4]}"#,
            "\"shape\" must be an array"
        ),
        (
            #"{"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}"#,
            "shape [-1] of F32 is impossible"
        ),
        (
            #"{"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 4]}"#,
            "is impossible"
        ),
        (
            #"{"dtype": "F4", "shape": [3], "data_offsets": [0, 4]}"#,
            "shape [3] of F4 is impossible"
        ),
        (#"{"dtype": "F32", "shape": [1]}"#, "\"data_offsets\" must be two whole numbers"),
        (#"{"dtype": "F32", "shape": [1], "data_offsets": [0]}"#, "\"data_offsets\" must be two"),
        (
            #"{"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}"#,
            "data_offsets [4, 0] do not lie"
        ),
        (
            #"{"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}"#,
            "data_offsets [-4, 0] do not lie"
        ),
        (#"{"dtype": "F32", "shape": [1], "data_offsets": [0, 12]}"#, "do not lie in the 8 bytes"),
        (
            #"{"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}"#,
            "the shape [2] of F32 takes 8 bytes, but the data_offsets [0, 4] hold 4"
        ),
    ])
    func `a broken tensor is named`(tensor: String, expected: String) throws {
        let found = try message(TemporaryFolder(), bytes("{\"w\": \(tensor)}", data: 8))
        #expect(found?.hasPrefix("a.safetensors: tensor \"w\": ") == true, "\(found ?? "nothing")")
        #expect(found?.contains(expected) == true, "\(found ?? "nothing")")
    }

    @Test(arguments: [
        ((0, 4), (2, 6), 6, "tensor \"b\": its bytes overlap those of another tensor"),
        ((0, 4), (6, 10), 10, "tensor \"b\": the 2 bytes before it belong to no tensor"),
        ((2, 6), (6, 10), 10, "tensor \"a\": the 2 bytes before it belong to no tensor"),
        ((0, 4), (4, 8), 9, "the last 1 bytes belong to no tensor"),
    ])
    func `bytes must belong to one tensor each`(
        first: (Int, Int), second: (Int, Int), data: Int, expected: String
    ) throws {
        func tensor(_ range: (Int, Int)) -> String {
            #"{"dtype": "U8", "shape": [4], "data_offsets": [\#(range.0), \#(range.1)]}"#
        }
        let header = "{\"a\": \(tensor(first)), \"b\": \(tensor(second))}"
        let found = try message(TemporaryFolder(), bytes(header, data: data))
        #expect(found == "a.safetensors: \(expected)")
    }

    @Test func `a name that stands twice is refused`() throws {
        let tensor = #"{"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}"#
        let found = try message(TemporaryFolder(), bytes("{\"a\": \(tensor), \"a\": \(tensor)}"))
        #expect(found?.contains("the key \"a\" stands twice") == true)
    }

    @Test func `mutated files never trap, and what is read lies in the file`() throws {
        let folder = try TemporaryFolder()
        let header =
            #"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"#
            + #""b":{"dtype":"BF16","shape":[],"data_offsets":[8,10]}}  "#
        let seed = bytes(header, data: 10)
        #expect(try message(folder, seed) == nil)
        var generator = SplitMix64(state: 2)
        for _ in 0..<4000 {
            var content = seed
            for _ in 0..<Int.random(in: 1...3, using: &generator) where !content.isEmpty {
                let place = Int.random(in: 0..<content.count, using: &generator)
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: content[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: content.remove(at: place)
                case 2: content.removeSubrange(place...)
                case 3: content[place] = seed[Int.random(in: 0..<seed.count, using: &generator)]
                default: content[place] = UInt8.random(in: 0x30...0x39, using: &generator)
                }
            }
            let path = try folder.file("fuzz.safetensors", content)
            guard let file = try? SafetensorsFile(path: path) else { continue }
            for entry in file.tensors.values {
                #expect(file.withBytes(of: entry) { $0.byteCount } == entry.byteRange.count)
                #expect(entry.dtype.byteCount(of: entry.shape) == entry.byteRange.count)
            }
        }
    }
}

@Suite struct SafetensorsWriterTests {
    @Test func `what is written is read back, aligned, in the order given`() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/out.safetensors"
        let odd = SafetensorsSource(name: "odd", dtype: .u8, shape: [3]) {
            (piece) throws(FormatError) in
            try [Float]([1]).withBytes { (bytes) throws(FormatError) in
                try piece(bytes.extracting(0..<1))
                try piece(bytes.extracting(1..<3))
            }
        }
        try SafetensorsWriter.write(
            [
                odd, SafetensorsSource(name: "b", shape: [2], values: [1, -2]),
                SafetensorsSource(name: "a", shape: [1, 1], values: [0.5]),
            ], to: path)
        let file = try SafetensorsFile(path: path)
        #expect(file.names == ["b", "a", "odd"])
        #expect(file.metadata == ["format": "pt"])
        #expect(try file.entry("b").byteRange.lowerBound % 8 == 0)
        #expect(file.tensors.values.allSatisfy { $0.isAligned })
        #expect(
            try file.file.copy(of: file.entry("b").byteRange) == [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0])
        #expect(try file.file.copy(of: file.entry("odd").byteRange) == [0, 0, 0x80])

        let copy = "\(folder.path)/copy.safetensors"
        let sources = file.names.compactMap { file.tensors[$0] }
            .map { SafetensorsSource(copying: $0, of: file) }
        try SafetensorsWriter.write(sources, metadata: file.metadata, to: copy)
        #expect(try [UInt8](contentsOfFile: copy) == [UInt8](contentsOfFile: path))
        #expect(try folder.names() == ["copy.safetensors", "out.safetensors"])
    }

    @Test func `a source that contradicts itself leaves the previous file`() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/out.safetensors"
        let good = SafetensorsSource(name: "a", shape: [1], values: [1])
        try SafetensorsWriter.write([good], to: path)
        let before = try [UInt8](contentsOfFile: path)
        func message(_ sources: [SafetensorsSource]) -> String? {
            failure { () throws(FormatError) in try SafetensorsWriter.write(sources, to: path) }
        }
        #expect(
            message([SafetensorsSource(name: "b", shape: [2], values: [1])])
                == "\(path): tensor \"b\": its shape [2] takes 8 bytes, and 4 were provided")
        #expect(message([good, good]) == "\(path): tensor \"a\": the name is taken")
        #expect(
            message([SafetensorsSource(name: "b", shape: [-2], values: [1])])
                == "\(path): tensor \"b\": the shape [-2] of F32 is impossible")
        #expect(try [UInt8](contentsOfFile: path) == before)
        #expect(try folder.names() == ["out.safetensors"])
    }
}

@Suite struct SafetensorsCheckpointTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        for (name, value) in [("a", Float(1)), ("b", 2)] {
            try SafetensorsWriter.write(
                [SafetensorsSource(name: name, shape: [1], values: [value])],
                to: "\(folder.path)/\(name).safetensors")
        }
    }

    private func index(_ map: JSON) throws {
        _ = try folder.file(
            "model.safetensors.index.json",
            JSON(dictionaryLiteral: ("metadata", [:]), ("weight_map", map)).serialized())
    }

    private func message() -> String? {
        failure { () throws(FormatError) in _ = try SafetensorsCheckpoint(directory: folder.path) }?
            .replacing("\(folder.path)/", with: "")
    }

    @Test func `shards are found through the index`() throws {
        try index(["b": "b.safetensors", "a": "a.safetensors"])
        let checkpoint = try SafetensorsCheckpoint(directory: folder.path)
        #expect(checkpoint.names == ["b", "a"])
        #expect(checkpoint.fileNames == ["a.safetensors", "b.safetensors"])
        #expect(checkpoint.isSharded)
        let (file, entry) = try checkpoint.entry("b")
        #expect(file.file.copy(of: entry.byteRange) == [0, 0, 0, 0x40])
        #expect(checkpoint.find("c") == nil)
        #expect(
            failure { () throws(FormatError) in _ = try checkpoint.entry("c") }
                == "\(folder.path)/model.safetensors.index.json: there is no tensor \"c\"")
    }

    @Test func `one file needs no index`() throws {
        try SafetensorsWriter.write(
            [SafetensorsSource(name: "w", shape: [1], values: [3])],
            to: "\(folder.path)/model.safetensors")
        let checkpoint = try SafetensorsCheckpoint(directory: folder.path)
        #expect(checkpoint.names == ["w"])
        #expect(!checkpoint.isSharded)
        #expect(try checkpoint.entry("w").entry.shape == [1])
    }

    @Test func `what is missing is named`() throws {
        #expect(
            message()
                == "\(folder.path) holds no weights: there is neither model.safetensors nor "
                + "model.safetensors.index.json")
        let name = "model.safetensors.index.json"
        try index(["a": "c.safetensors"])
        #expect(message() == "\(name) lists c.safetensors, which is not in the folder")
        try index(["a": "b.safetensors"])
        #expect(message() == "\(name) places the tensor \"a\" in b.safetensors, which lacks it")
        try index(["a": "../b.safetensors"])
        #expect(message() == "\(name): the file of \"a\" must be a name in the same folder")
        try index([])
        #expect(message() == "\(name): \"weight_map\" must be an object from tensors to files")
    }
}
