// Writes a byte-level BPE tokenizer as large as Qwen2.5's (151,643 tokens, about 11 MB) beside the
// configuration of an example's: what it encodes is meaningless, its size is what loading takes.
//
//   swiftc -O Benchmarks/large-tokenizer.swift -o large-tokenizer && ./large-tokenizer FROM TO
import Foundation

let arguments = CommandLine.arguments
guard arguments.count == 3 else { fatalError("usage: large-tokenizer FROM TO") }
let (source, target) = (URL(filePath: arguments[1]), URL(filePath: arguments[2]))
let size = 151_643

func object(_ name: String) throws -> [String: Any] {
    let data = try Data(contentsOf: source.appending(path: name))
    return try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
}

var state: UInt64 = 1
func random(below bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(bound))
}

var file = try object("tokenizer.json")
var model = file["model"] as? [String: Any] ?? [:]
let vocabulary = model["vocab"] as? [String: Int] ?? [:]
// The letters of the byte alphabet, which any tokenizer of this kind has.
var tokens = vocabulary.keys.filter { $0.unicodeScalars.count == 1 }.sorted()
var ids = Dictionary(uniqueKeysWithValues: zip(tokens, tokens.indices))
var merges: [String] = []
while tokens.count < size {
    // Early tokens are short: these bounds give lengths like those of words.
    let left = tokens[random(below: min(tokens.count, 8_000))]
    let right = tokens[random(below: min(tokens.count, 800))]
    guard ids[left + right] == nil else { continue }
    ids[left + right] = tokens.count
    tokens.append(left + right)
    merges.append(left + " " + right)
}
model["vocab"] = ids
model["merges"] = merges
file["model"] = model
file["added_tokens"] = (file["added_tokens"] as? [[String: Any]] ?? []).enumerated().map {
    var token = $1
    token["id"] = size + $0
    return token
}
try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
try JSONSerialization.data(withJSONObject: file, options: .prettyPrinted)
    .write(to: target.appending(path: "tokenizer.json"))
try Data(contentsOf: source.appending(path: "tokenizer_config.json"))
    .write(to: target.appending(path: "tokenizer_config.json"))
