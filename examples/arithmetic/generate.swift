// Makes the sums of the arithmetic example, the same ones every time.
//
//   swiftc -O generate.swift -o generate
//   ./generate FOLDER          writes train.jsonl, test.jsonl and homework.jsonl
//   ./generate FOLDER check    reads them again and fails unless every test sum is new
//
// homework.jsonl is what the student learns from before it is shipped: sums with their working,
// most of which forget to carry. train.jsonl and test.jsonl are the prompts of the reinforcement
// learning with the right answers. A sum of test.jsonl is in neither of the other two, not even
// the other way round (85 + 47 for 47 + 85).

import Foundation

let seed: UInt64 = 1
let testCount = 250
let trainCount = 1280
let homeworkCount = 80_000
let sloppyShare = 0.7

/// SplitMix64: Swift's own generator cannot be seeded.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

struct Sum: Hashable {
    let first: Int
    let second: Int

    init(_ generator: inout SeededGenerator) {
        first = Self.number(&generator)
        second = Self.number(&generator)
    }

    /// Three digits mostly, sometimes fewer.
    private static func number(_ generator: inout SeededGenerator) -> Int {
        let ranges = [1...9, 10...99, 10...99, 100...999, 100...999, 100...999, 100...999]
        let range = ranges[Int.random(in: ranges.indices, using: &generator)]
        return Int.random(in: range, using: &generator)
    }

    /// The sum that a question asks for.
    init?(question: String) {
        let numbers = question.split { !$0.isWholeNumber }.compactMap { Int($0) }
        guard numbers.count == 2 else { return nil }
        (first, second) = (numbers[0], numbers[1])
    }

    var question: String { "What is \(first) + \(second)?" }
    var answer: Int { first + second }

    /// The sum done on paper, column by column from the right, with the answer after "####".
    ///
    /// - Parameters:
    ///   - carries: whether what a column gives above 9 is carried into the next.
    func working(carries: Bool) -> String {
        var (lines, answer): ([String], [String]) = ([], [])
        var (left, right, carry) = (first, second, 0)
        while left > 0 || right > 0 {
            let column = left % 10 + right % 10 + carry
            lines.append("\(left % 10)+\(right % 10)\(carry > 0 ? "+1" : "")=\(column)")
            (left, right) = (left / 10, right / 10)
            let isLast = left == 0 && right == 0
            answer.insert(String(isLast ? column : column % 10), at: 0)
            carry = carries ? column / 10 : 0
        }
        return (lines + ["#### " + answer.joined()]).joined(separator: "\n")
    }

    /// The same for both orders of the numbers.
    var pair: [Int] { [min(first, second), max(first, second)] }
}

/// A prompt in the row schema of verl.
func promptRow(_ sum: Sum, index: Int, split: String) -> String {
    #"{"data_source": "lorikeet/arithmetic", "#
        + #""prompt": [{"role": "user", "content": "\#(sum.question)"}], "#
        + #""reward_model": {"style": "rule", "ground_truth": "\#(sum.answer)"}, "#
        + #""extra_info": {"split": "\#(split)", "index": \#(index)}}"#
}

func write(_ lines: [String], to path: String) throws {
    try (lines.joined(separator: "\n") + "\n").write(
        toFile: path, atomically: true, encoding: .utf8)
}

func make(in folder: String) throws {
    var generator = SeededGenerator(state: seed)
    var promptPairs: Set<[Int]> = []
    var prompts: [Sum] = []
    while prompts.count < testCount + trainCount {
        let sum = Sum(&generator)
        if promptPairs.insert(sum.pair).inserted { prompts.append(sum) }
    }
    let testPairs = Set(prompts.prefix(testCount).map(\.pair))
    var homework: [String] = []
    while homework.count < homeworkCount {
        let sum = Sum(&generator)
        let isSloppy = Double.random(in: 0..<1, using: &generator) < sloppyShare
        if testPairs.contains(sum.pair) { continue }
        let working = sum.working(carries: !isSloppy).replacingOccurrences(of: "\n", with: "\\n")
        homework.append(#"{"prompt": "\#(sum.question)", "response": "\#(working)"}"#)
    }
    for (split, sums) in [
        ("test", prompts.prefix(testCount)), ("train", prompts.dropFirst(testCount)),
    ] {
        let rows = sums.enumerated().map { promptRow($1, index: $0, split: split) }
        try write(rows, to: "\(folder)/\(split).jsonl")
    }
    try write(homework, to: "\(folder)/homework.jsonl")
}

/// The pairs of numbers that the rows of a file ask for; nil where there is no such file.
func pairs(of path: String) throws -> [[Int]]? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    return lines.map { line in
        guard let start = line.range(of: "What is ")?.upperBound,
            let sum = Sum(question: String(line[start...].prefix { $0 != "?" }))
        else { fail("\(path) has a row without a sum: \(line)") }
        return sum.pair
    }
}

func check(_ folder: String) throws {
    guard let test = try pairs(of: "\(folder)/test.jsonl"), Set(test).count >= 200 else {
        fail("\(folder)/test.jsonl must have at least 200 different sums")
    }
    for name in ["train.jsonl", "homework.jsonl"] {
        guard let seen = try pairs(of: "\(folder)/\(name)") else { continue }
        let shared = Set(seen).intersection(test)
        guard shared.isEmpty else { fail("\(name) has sums of test.jsonl: \(shared)") }
        print("none of \(Set(test).count) test sums is among the \(seen.count) of \(name)")
    }
}

func fail(_ message: String) -> Never {
    print(message)
    exit(1)
}

let arguments = CommandLine.arguments
switch (arguments.count, arguments.last) {
case (2, let folder?): try make(in: folder)
case (3, "check"): try check(arguments[1])
default:
    print("usage: generate FOLDER [check]")
    exit(2)
}
