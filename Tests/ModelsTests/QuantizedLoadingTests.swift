import Formats
import Foundation
import OracleFixtures
import Tensors
import Testing

@testable import Models

/// A copy of a tiny model, with a folder for the quantised weights beside it.
private struct Base {
    let folder: String
    var model: String { "\(folder)/model" }
    var cache: String { "\(folder)/cache/lorikeet" }

    init(_ folder: String, model name: String = "qwen2-tiny") throws {
        self.folder = folder
        try FileManager.default.copyItem(
            atPath: OracleFixtures.path("models/\(name)"), toPath: model)
    }

    /// Opens the model; what was said on the way is appended to `notes`, and the number of matrices
    /// that were quantised added to `count`.
    func open(
        _ kind: Quantization, cached: Bool = true, notes: inout [String], count: inout Int
    ) throws -> Decoder {
        var quantization = BaseQuantization(kind, cacheFolder: cached ? cache : nil)
        var (said, quantized): ([String], Int) = ([], 0)
        quantization.note = { said.append($0) }
        quantization.progress = { _ in quantized += 1 }
        defer { (notes, count) = (notes + said, count + quantized) }
        return try Decoder(directory: model, quantization: quantization)
    }

    func open(_ kind: Quantization, cached: Bool = true) throws -> Decoder {
        var (notes, count): ([String], Int) = ([], 0)
        defer { #expect(notes == []) }
        return try open(kind, cached: cached, notes: &notes, count: &count)
    }

    /// The only file of the cache.
    func cacheFile() throws -> String {
        let names = try FileManager.default.contentsOfDirectory(atPath: cache)
        try #require(names.count == 1)
        return "\(cache)/\(names[0])"
    }
}

private func hasSameWeights(_ a: Decoder, _ b: Decoder) -> Bool {
    zip(a.weights.named, b.weights.named).allSatisfy { one, other in
        switch (one.weight, other.weight) {
        case (.dense(let one), .dense(let other)): one.hasSameBytes(as: other)
        case (.quantized(let one), .quantized(let other)):
            one.kind == other.kind && one.dequantized().hasSameBytes(as: other.dequantized())
        default: false
        }
    }
}

@Suite("Quantised loading")
struct QuantizedLoadingTests {
    @Test(
        "matrices are quantised as asked, the embedding in 8 bits, norms and biases not at all",
        arguments: Quantization.allCases)
    func kinds(kind: Quantization) throws {
        try withTemporaryFolder { folder in
            let base = try Base(folder)
            let decoder = try base.open(kind)
            let original = try Decoder(directory: base.model)
            #expect(decoder.weights.quantization == kind)
            #expect(original.weights.quantization == nil)
            for (one, other) in zip(decoder.weights.named, original.weights.named) {
                let expected =
                    one.name.hasSuffix("norm.weight") || one.name.hasSuffix(".bias")
                    ? other.weight.typeName
                    : one.name.contains("embed") ? "int8" : kind.rawValue
                #expect(one.weight.typeName == expected, "\(one.name)")
                #expect(one.weight.shape == other.weight.shape)
            }
        }
    }

    @Test("the second start maps what the first kept, with the same bits as without a folder")
    func cached() throws {
        try withTemporaryFolder { folder in
            let base = try Base(folder)
            let plain = try base.open(.nf4, cached: false)
            #expect(!fileExists(base.cache))
            var (notes, count): ([String], Int) = ([], 0)
            let first = try base.open(.nf4, notes: &notes, count: &count)
            #expect(count > 0)
            count = 0
            let second = try base.open(.nf4, notes: &notes, count: &count)
            #expect(count == 0 && notes == [])
            #expect(hasSameWeights(first, plain) && hasSameWeights(second, plain))
        }
    }

    @Test(
        "a checkpoint that changed, another kind and another set of weights have files of their own"
    )
    func keys() throws {
        try withTemporaryFolder { folder in
            let base = try Base(folder)
            func fileCount() throws -> Int {
                try FileManager.default.contentsOfDirectory(atPath: base.cache).count
            }
            _ = try base.open(.int8)
            _ = try base.open(.int4)
            #expect(try fileCount() == 2)
            // The same bytes at another time.
            let path = "\(base.model)/model.safetensors"
            let bytes = try [UInt8](contentsOfFile: path)
            try AtomicFile.write(bytes, to: path)
            _ = try base.open(.int8)
            #expect(try fileCount() == 3)
            // Other bytes at the same time, as archives and images have it.
            let time = [FileAttributeKey.modificationDate: Date(timeIntervalSince1970: 1)]
            try FileManager.default.setAttributes(time, ofItemAtPath: path)
            let before = try base.open(.int8)
            try AtomicFile.write(
                bytes.dropLast(4) + [0, 0, 0, 0x40], to: path)
            try FileManager.default.setAttributes(time, ofItemAtPath: path)
            _ = try base.open(.int8)
            #expect(try fileCount() == 5)
            #expect(before.weights.quantization == .int8)
        }
    }

    @Test("a file that is cut, damaged or of another checkpoint is noticed and made again")
    func damaged() throws {
        try withTemporaryFolder { folder in
            let base = try Base(folder)
            let whole = try base.open(.int4)
            let path = try base.cacheFile()
            let bytes = try [UInt8](contentsOfFile: path)
            var (flipped, checksum) = (bytes, bytes)
            flipped[bytes.count / 2] ^= 1
            checksum[bytes.count - 1] ^= 1
            let text = String(decoding: bytes.prefix(400), as: UTF8.self)
            let version = try #require(text.firstRange(of: "layout 1"))
            var older = bytes
            older[text.utf8.distance(from: text.startIndex, to: version.upperBound) - 1] = 0x30
            for damaged in [Array(bytes.dropLast(100)), flipped, checksum, older, [1, 2, 3]] {
                try AtomicFile.write(damaged, to: path)
                var (notes, count): ([String], Int) = ([], 0)
                let decoder = try base.open(.int4, notes: &notes, count: &count)
                #expect(notes.count == 1 && notes.first?.contains(path) == true, "\(notes)")
                #expect(count > 0)
                #expect(hasSameWeights(decoder, whole))
                #expect(try [UInt8](contentsOfFile: path) == bytes)
            }
        }
    }

    @Test("a folder that cannot be written is noted, and the weights are the same")
    func noFolder() throws {
        try withTemporaryFolder { folder in
            let base = try Base(folder)
            try AtomicFile.write("not a folder", to: "\(folder)/cache")
            var (notes, count): ([String], Int) = ([], 0)
            let decoder = try base.open(.int8, notes: &notes, count: &count)
            #expect(notes.count == 1 && notes.first?.contains(base.cache) == true, "\(notes)")
            #expect(hasSameWeights(decoder, try base.open(.int8, cached: false)))
        }
    }

    @Test("a weight that is not finite is named with its file", arguments: [true, false])
    func notFinite(cached: Bool) throws {
        try withTemporaryFolder { folder in
            let base = try Base(folder)
            let path = "\(base.model)/model.safetensors"
            let name = "model.layers.1.mlp.up_proj.weight"
            let entry = try SafetensorsFile(path: path).entry(name)
            var bytes = try [UInt8](contentsOfFile: path)
            let value = Float.nan.bitPattern
            for place in 0..<4 {
                bytes[entry.byteRange.lowerBound + 400 + place] =
                    UInt8(truncatingIfNeeded: value >> (8 * UInt32(place)))
            }
            try AtomicFile.write(bytes, to: path)
            #expect {
                _ = try base.open(.nf4, cached: cached)
            } throws: { error in
                "\(error)".contains(path) && "\(error)".contains(name)
            }
            let left = try? FileManager.default.contentsOfDirectory(atPath: base.cache)
            #expect(left ?? [] == [])
        }
    }
}
