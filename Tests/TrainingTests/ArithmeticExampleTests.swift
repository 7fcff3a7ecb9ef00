import Formats
import Foundation
import Testing

@testable import Training

/// The example that ships with the repository, as far as it can be checked without running it.
struct ArithmeticExampleTests {
    static let examples = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "examples").path

    @Test("every setting of the example has an effect")
    func settings() throws {
        let settings = try TrainSettings.load(
            arguments: ["\(Self.examples)/arithmetic.yaml"], environment: [:])
        #expect(settings.report.notices == [])
        #expect(settings.model.lora.isOn)
        let supervised = try SFTSettings.load(
            arguments: ["\(Self.examples)/arithmetic/sft.yaml"], environment: [:])
        #expect(supervised.report.notices == [])
    }

    @Test("no sum of the example's validation is trained on, in neither order of its numbers")
    func heldOut() throws {
        let test = try Set(sums("test"))
        #expect(test.count >= 200)
        #expect(try test.isDisjoint(with: sums("train")))
    }

    /// The two numbers of each prompt, the smaller one first.
    private func sums(_ split: String) throws -> [[Int]] {
        var reader = try JSONLinesReader(path: "\(Self.examples)/arithmetic/\(split).jsonl")
        var sums: [[Int]] = []
        while let line = try reader.next() {
            let question = try #require(line.value["prompt"]?.array?.first?["content"]?.string)
            let numbers = question.split { !$0.isNumber }.compactMap { Int($0) }
            let answer = line.value["reward_model"]?["ground_truth"]?.string
            try #require(numbers.count == 2 && answer == String(numbers[0] + numbers[1]))
            sums.append(numbers.sorted())
        }
        return sums
    }
}
