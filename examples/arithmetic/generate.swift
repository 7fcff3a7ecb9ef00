// Makes the sums of the arithmetic example, the same ones every time.
//
//   swiftc -O generate.swift -o generate
//   ./generate FOLDER          writes train.jsonl, test.jsonl and homework.jsonl
//   ./generate FOLDER check    reads them again and fails unless every test sum is new
//   ./generate FOLDER three    writes a harder task: sums of three numbers, hardly ever carried
//
// homework.jsonl is what the student learns from before it is shipped: sums with their working,
// most of which forget to carry. train.jsonl and test.jsonl are the prompts of the reinforcement
// learning with the right answers. A sum of test.jsonl is in neither of the other two, not even
// in another order (85 + 47 for 47 + 85).

import Foundation

let seed: UInt64 = 1
let testCount = 250
let trainCount = 1280

/// What sums there are and how badly the homework does them.
struct Task {
    let summands: Int
    let homeworkCount: Int
    /// The share of the sums that forget every carry.
    let sloppySums: Double
    /// The share of the carries that are forgotten in any sum, each on its own.
    let sloppyCarries: Double

    static let two = Task(
        summands: 2, homeworkCount: 80_000, sloppySums: 0.7, sloppyCarries: 0)
    static let three = Task(
        summands: 3, homeworkCount: 40_000, sloppySums: 0, sloppyCarries: 0.8)
}

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

/// True with this probability; draws nothing when it is zero.
func chance(_ share: Double, _ generator: inout SeededGenerator) -> Bool {
    share > 0 && Double.random(in: 0..<1, using: &generator) < share
}

struct Sum {
    let numbers: [Int]

    init(of summands: Int, _ generator: inout SeededGenerator) {
        numbers = (0..<summands).map { _ in Self.number(&generator) }
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
        guard numbers.count > 1 else { return nil }
        self.numbers = numbers
    }

    var question: String { "What is \(numbers.map(String.init).joined(separator: " + "))?" }
    var answer: Int { numbers.reduce(0, +) }

    /// The sum done on paper, column by column from the right, with the answer after "####".
    ///
    /// - Parameters:
    ///   - forgets: asked wherever there is something to carry into the next column.
    func working(forgets: () -> Bool) -> String {
        var (lines, answer): ([String], [String]) = ([], [])
        var (left, carry) = (numbers, 0)
        while left.contains(where: { $0 > 0 }) {
            let digits = left.map { $0 % 10 } + (carry > 0 ? [carry] : [])
            let column = digits.reduce(0, +)
            lines.append("\(digits.map(String.init).joined(separator: "+"))=\(column)")
            left = left.map { $0 / 10 }
            let isLast = left.allSatisfy { $0 == 0 }
            answer.insert(String(isLast ? column : column % 10), at: 0)
            carry = column > 9 && !isLast && !forgets() ? column / 10 : 0
        }
        return (lines + ["#### " + answer.joined()]).joined(separator: "\n")
    }

    /// The same for every order of the numbers.
    var unordered: [Int] { numbers.sorted() }
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

func make(_ task: Task, in folder: String) throws {
    var generator = SeededGenerator(state: seed)
    var seen: Set<[Int]> = []
    var prompts: [Sum] = []
    while prompts.count < testCount + trainCount {
        let sum = Sum(of: task.summands, &generator)
        if seen.insert(sum.unordered).inserted { prompts.append(sum) }
    }
    let testSums = Set(prompts.prefix(testCount).map(\.unordered))
    var homework: [String] = []
    while homework.count < task.homeworkCount {
        let sum = Sum(of: task.summands, &generator)
        let isSloppy = chance(task.sloppySums, &generator)
        if testSums.contains(sum.unordered) { continue }
        let working = sum.working { isSloppy || chance(task.sloppyCarries, &generator) }
            .replacingOccurrences(of: "\n", with: "\\n")
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

/// The numbers, in order of size, that the rows of a file ask for; nil where there is no such file.
func sums(of path: String) throws -> [[Int]]? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    return lines.map { line in
        guard let start = line.range(of: "What is ")?.upperBound,
            let sum = Sum(question: String(line[start...].prefix { $0 != "?" }))
        else { fail("\(path) has a row without a sum: \(line)") }
        return sum.unordered
    }
}

func check(_ folder: String) throws {
    guard let test = try sums(of: "\(folder)/test.jsonl"), Set(test).count >= 200 else {
        fail("\(folder)/test.jsonl must have at least 200 different sums")
    }
    for name in ["train.jsonl", "homework.jsonl"] {
        guard let seen = try sums(of: "\(folder)/\(name)") else { continue }
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
case (2, let folder?): try make(.two, in: folder)
case (3, "check"): try check(arguments[1])
case (3, "three"): try make(.three, in: arguments[1])
default:
    print("usage: generate FOLDER [check | three]")
    exit(2)
}
