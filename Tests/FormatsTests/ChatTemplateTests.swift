import Foundation
import Testing

@testable import Formats

private func render(_ source: String, _ extra: [String: JSON] = [:]) throws(FormatError) -> String {
    try ChatTemplate(source: source, name: "t.jinja").render(
        messages: [], addGenerationPrompt: false, extra: extra)
}

private func message(_ source: String, _ extra: [String: JSON] = [:]) -> String {
    do throws(FormatError) {
        return "rendered: " + (try render(source, extra))
    } catch { return error.message }
}

@Suite struct ChatTemplateTests {
    @Test(arguments: ["qwen2_5", "qwen3", "llama3_1", "phi3"])
    func `real templates render as in transformers`(name: String) throws {
        let source = try FixtureFiles.text("chat-templates/\(name).jinja")
        let template = try ChatTemplate(source: source, name: name)
        let rows = try FixtureFiles.lines("chat.jsonl").filter { $0["template"]?.string == name }
        #expect(rows.count == 12)
        for row in rows {
            let text = try template.render(
                messages: row["messages"]?.array ?? [], tools: row["tools"]?.array,
                addGenerationPrompt: row["add_generation_prompt"]?.bool ?? false,
                bosToken: row["bos_token"]?.string, eosToken: row["eos_token"]?.string)
            #expect(text == row["rendered"]?.string)
        }
    }

    @Test func `the language is that of the reference`() throws {
        let rows = try FixtureFiles.lines("template-language.jsonl")
        var variables: [String: JSON] = [:]
        for (name, value) in try #require(rows.first?["variables"]?.object) {
            variables[name] = value
        }
        #expect(rows.count > 40)
        for row in rows.dropFirst() {
            let template = try #require(row["template"]?.string)
            let text = try render(template, variables)
            #expect(
                Array(text.utf8) == row["rendered"]?.string.map { Array($0.utf8) }, "\(template)")
        }
    }

    @Test func `the tokenizer renders with its own template and tokens`() throws {
        let tokenizer = try Tokenizer(directory: FixtureFiles.path("tiny"))
        let text = try tokenizer.renderChat(messages: [["role": "user", "content": "hi"]])
        #expect(text == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n")
        #expect(Array(tokenizer.encode(text).prefix(1)) == [1])
    }

    @Test func `variables of the caller reach the template`() throws {
        let source = try FixtureFiles.text("chat-templates/qwen3.jinja")
        let template = try ChatTemplate(source: source, name: "qwen3")
        let text = try template.render(
            messages: [["role": "user", "content": "hi"]], addGenerationPrompt: true,
            extra: ["enable_thinking": false])
        #expect(text.hasSuffix("<|im_start|>assistant\n<think>\n\n</think>\n\n"))
    }

    @Test func `generation blocks put out what they hold`() throws {
        #expect(try render("a{% generation %}b{% endgeneration %}c") == "abc")
    }

    @Test func `the time is written in the format asked for`() throws {
        let zone = try #require(TimeZone(secondsFromGMT: 0))
        let clock = TemplateClock(now: Date(timeIntervalSince1970: 1_722_003_723), timeZone: zone)
        let formats = [
            ("%d %b %Y", "26 Jul 2024"), ("%Y-%m-%d %H:%M:%S", "2024-07-26 14:22:03"),
            ("%A, %B %e, %y", "Friday, July 26, 24"), ("%I:%M %p %a %j %%", "02:22 PM Fri 208 %"),
        ]
        for (format, expected) in formats {
            let template = try ChatTemplate(source: "{{ strftime_now('\(format)') }}", name: "t")
            let text = try template.render(
                messages: [], tools: nil, addGenerationPrompt: false, extra: [:], bosToken: nil,
                eosToken: nil, clock: clock)
            #expect(text == expected)
        }
    }

    @Test(arguments: [
        (
            "a\n{{ raise_exception('roles must ' ~ 'alternate') }}",
            "t.jinja, line 2: roles must alternate"
        ),
        ("\n\n{{ 'a' | frobnicate }}", "t.jinja, line 3: there is no filter 'frobnicate'"),
        ("{{ 'a' is frobnicated }}", "t.jinja, line 1: there is no test 'frobnicated'"),
        ("\n{% frobnicate %}", "t.jinja, line 2: the tag 'frobnicate' is not supported here"),
        ("{{ x.y }}", "t.jinja, line 1: 'x' is undefined"),
        ("{{ x() }}", "t.jinja, line 1: 'x' is undefined, so it cannot be called"),
        ("{{ 'a' + 1 }}", "t.jinja, line 1: '+' does not go with a text and a number"),
        ("{{ 1 // 0 }}", "t.jinja, line 1: division by zero"),
        ("{{ 9223372036854775807 + 1 }}", "t.jinja, line 1: a number is too large"),
        ("{{ 'a'|trim(1, 2) }}", "t.jinja, line 1: trim takes 1 arguments at most, not 2"),
        (
            "{{ {}|tojson(colour=1) }}",
            "t.jinja, line 1: tojson has no argument 'colour', or has it twice"
        ),
        (
            "{% set a.b = 1 %}",
            "t.jinja, line 1: 'a' is not a namespace, so its attributes cannot be set"
        ),
        (
            "{% for a, b in [[1]] %}{% endfor %}",
            "t.jinja, line 1: 1 values are given to 2 variables"
        ),
        ("{% for x in 3 %}{% endfor %}", "t.jinja, line 1: a number is not iterable"),
        ("{% if x %}", "t.jinja, line 1: the block that begins here has no endif"),
        ("{{ 1 +", "t.jinja, line 1: a tag does not end"),
        ("{{ ) }}", "t.jinja, line 1: ')' stands where a value belongs"),
        ("{{ 'a }}", "t.jinja, line 1: the text that begins here has no end"),
        ("{# a", "t.jinja, line 1: the comment that begins here does not end"),
        ("{% raw %}", "t.jinja, line 1: the raw block that begins here has no endraw"),
        ("{% break %}", "t.jinja, line 1: 'break' stands outside of a loop"),
        (
            "{% for x in [] recursive %}{% endfor %}",
            "t.jinja, line 1: recursive loops are not supported"
        ),
        ("{{ range(1000000) }}", "t.jinja, line 1: range is longer than 100000"),
        (
            "{{ 'ab' * 100000000 }}",
            "t.jinja, line 1: something is repeated 100000000 times, which is too much"
        ),
        (
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "t.jinja, line 1: macros call one another more than 50 levels deep"
        ),
        ("{{ strftime_now('%Q') }}", "t.jinja, line 1: strftime_now does not know '%Q'"),
        ("{{ a$b }}", "t.jinja, line 1: unexpected character '$'"),
    ])
    func `what is wrong is said with its line`(source: String, expected: String) {
        #expect(message(source) == expected)
    }

    @Test func `deep or long sources are refused or rendered`() {
        let pieces = [
            (
                "{{ " + String(repeating: "(", count: 5000) + "1"
                    + String(repeating: ")", count: 5000) + " }}", "100"
            ),
            ("{{ 1" + String(repeating: " + 1", count: 5000) + " }}", "300"),
            ("{{ a" + String(repeating: ".a", count: 5000) + " }}", "300"),
            ("{{ " + String(repeating: "- ", count: 5000) + "1 }}", "100"),
            (String(repeating: "{% if 1 %}", count: 5000), "100"),
            ("{{ 1" + String(repeating: " if 1", count: 5000) + " }}", "300"),
        ]
        for (source, words) in pieces { #expect(message(source).contains(words)) }
        #expect(
            message("{{ " + String(repeating: "not ", count: 5001) + "1 }}") == "rendered: False")
        let sum = "{{ 'a'" + String(repeating: " ~ 'a'", count: 5000) + " }}"
        #expect(message(sum).utf8.count == 5011)
    }

    @Test func `random templates render or are refused, never a crash`() {
        var generator = SplitMix64(state: 9)
        let pieces = [
            "{{", "}}", "{%", "%}", "{#", "#}", "{%-", "-%}", " if ", " else ", " endif ", " for ",
            " x ", " in ", " endfor ", " set ", "=", "'a'", "1", "2.5", "[", "]", "(", ")", "{",
            "}",
            ":", ",", ".", "|", " is ", " not ", " defined ", " upper ", "~", "+", "-", "*", "/",
            "//", "%", "**", "==", "<", " and ", " or ", " loop.index ", " messages ", "\n", "text",
            " macro m(x) ", " endmacro ", " namespace() ", " raw ", " endraw ", "\\", "é", "\"",
        ]
        for _ in 0..<4000 {
            let count = Int.random(in: 0...25, using: &generator)
            let source = (0..<count).map { _ in pieces.randomElement(using: &generator) ?? "" }
            _ = message(source.joined(), ["x": [1, "b", ["c": 2]]])
        }
    }

    @Test func `real templates with a piece cut out or doubled never crash`() throws {
        var generator = SplitMix64(state: 10)
        let rows = try FixtureFiles.lines("chat.jsonl")
        for name in ["qwen3", "llama3_1"] {
            let source = try FixtureFiles.bytes("chat-templates/\(name).jinja")
            for _ in 0..<150 {
                var bytes = source
                let start = Int.random(in: 0..<bytes.count, using: &generator)
                let end = min(bytes.count, start + Int.random(in: 1...12, using: &generator))
                if Bool.random(using: &generator) {
                    bytes.removeSubrange(start..<end)
                } else {
                    bytes.insert(contentsOf: Array(bytes[start..<end]), at: start)
                }
                let text = String(decoding: bytes, as: UTF8.self)
                guard let template = try? ChatTemplate(source: text, name: name) else { continue }
                let row = try #require(rows.randomElement(using: &generator))
                _ = try? template.render(
                    messages: row["messages"]?.array ?? [], tools: row["tools"]?.array,
                    addGenerationPrompt: true)
            }
        }
    }
}
