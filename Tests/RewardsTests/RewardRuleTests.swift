import Foundation
import Testing

@testable import Rewards

/// Rewards that are computed here.
struct RewardRuleTests {
    struct GSM8KCase: Decodable {
        let solution: String
        let ground_truth: String
        let method: String
        let score: Double
        let extracted: String?
    }

    struct BoxedFile: Decodable {
        let truths: [String]
        let cases: [BoxedCase]
    }

    struct BoxedCase: Decodable {
        let solution: String
        let accepted: [String]
    }

    private func fixture<Value: Decodable>(_ name: String) throws -> Value {
        let folder = try #require(Bundle.module.resourceURL)
        let data = try Data(contentsOf: folder.appending(path: "Fixtures/\(name)"))
        return try JSONDecoder().decode(Value.self, from: data)
    }

    @Test("GSM8K answers and scores are those of verl, strict and flexible")
    func gsm8kEqualsTheReference() throws {
        let cases: [GSM8KCase] = try fixture("gsm8k.json")
        #expect(cases.count > 100)
        for reference in cases {
            let isStrict = reference.method == "strict"
            let answer =
                isStrict
                ? GSM8KAnswer.strict(in: reference.solution)
                : GSM8KAnswer.flexible(in: reference.solution)
            #expect(answer == reference.extracted.map { Array($0.utf8) })
            let rule: RewardRule = isStrict ? .gsm8kStrict : .gsm8kFlexible
            let score = rule.score(
                response: reference.solution, groundTruth: reference.ground_truth)
            #expect(score == reference.score)
        }
    }

    @Test("only the last 300 characters are searched, and a character is a code point")
    func searchedLength() {
        let padding = String(repeating: "\u{1F469}", count: 293)
        #expect(GSM8KAnswer.strict(in: "#### 42" + padding) == Array("42".utf8))
        #expect(GSM8KAnswer.strict(in: "#### 42" + padding + "x") == nil)
    }

    @Test("an exact match does not mind white space around it")
    func exactMatch() {
        let rule = RewardRule.exactMatch
        #expect(rule.score(response: " \n17\u{A0}", groundTruth: "17 ") == 1)
        #expect(rule.score(response: "17.", groundTruth: "17") == 0)
        #expect(rule.score(response: "1 7", groundTruth: "17") == 0)
        #expect(rule.score(response: "  ", groundTruth: "") == 1)
        #expect(rule.score(response: "\u{65}\u{301}", groundTruth: "\u{E9}") == 0)
    }

    @Test("boxed answers are accepted where verl accepts them")
    func boxedMathEqualsTheReference() throws {
        let file: BoxedFile = try fixture("boxed_math.json")
        for reference in file.cases {
            let accepted = file.truths.filter {
                RewardRule.boxedMath.score(response: reference.solution, groundTruth: $0) == 1
            }
            #expect(accepted == reference.accepted, Comment(rawValue: reference.solution))
        }
    }

    @Test("the data source chooses the rule")
    func dataSourceChooses() async throws {
        let reward = DataSourceReward()
        let request = RewardRequest(
            sampleName: "train.jsonl line 3", dataSource: "openai/gsm8k",
            response: "It is 4.\n#### 4", groundTruth: "4")
        #expect(try await reward.score(request) == RewardScore(score: 1))
        let unknown = RewardRequest(
            sampleName: "train.jsonl line 3", dataSource: "openai/gsm9k", response: "",
            groundTruth: "")
        let error = await #expect(throws: RewardError.self) { try await reward.score(unknown) }
        let message = try #require(error?.message)
        #expect(message.hasPrefix("train.jsonl line 3: no reward belongs to data_source"))
        #expect(message.contains("openai/gsm8k"))
    }

    @Test("rules are known by name")
    func namedRules() throws {
        for rule in RewardRule.all { #expect(try RewardRule(named: rule.name).name == rule.name) }
        #expect(throws: RewardError.self) { try RewardRule(named: "gsm8") }
    }
}
