import Testing

@testable import Formats

private func parse(_ text: String) throws(FormatError) -> JSON {
    try JSON(parsing: Array(text.utf8), name: "a.json")
}

private func message(_ bytes: [UInt8]) -> String? {
    do throws(FormatError) {
        _ = try JSON(parsing: bytes, name: "a.json")
        return nil
    } catch { return error.message }
}

private func message(_ text: String) -> String? { message(Array(text.utf8)) }

@Suite struct JSONTests {
    @Test func `every kind of value is read`() throws {
        let value = try parse(
            #" {"a": [1, -2.5e3, 0, -0.0, true, false, null], "b": {"c": "d"}, "": {}, "e": []} "#)
        #expect(
            value == [
                "a": [1, -2500.0, 0, -0.0, true, false, .null], "b": ["c": "d"], "": [:], "e": [],
            ])
        #expect(value.object?.keys == ["a", "b", "", "e"])
        #expect(value["b"]?["c"]?.string == "d")
        #expect(value["a"]?[0]?.int == 1)
        #expect(value["a"]?[1]?.int == -2500)
        #expect(value["a"]?[0]?.double == 1)
        #expect(value["a"]?[4]?.bool == true)
        #expect(value["a"]?[7] == nil)
        #expect(value["x"] == nil)
    }

    @Test(arguments: [
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (#""\u00e9\u4F60""#, "\u{e9}\u{4f60}"),
        (#""x\uD83D\uDE00y""#, "x\u{1F600}y"),
        (#""\u0000""#, "\u{0}"),
        ("\"naïve 你好 😀\"", "naïve 你好 😀"),
    ])
    func `strings are unescaped`(text: String, expected: String) throws {
        #expect(try Array(#require(parse(text).string).utf8) == Array(expected.utf8))
    }

    @Test func `whole numbers that do not fit become floating point`() throws {
        #expect(try parse("9223372036854775807") == .integer(.max))
        #expect(try parse("-9223372036854775807") == .integer(-.max))
        #expect(try parse("9223372036854775808") == .number(9_223_372_036_854_775_808))
        #expect(try parse("123456789012345678901234567890") == .number(1.2345678901234568e29))
        #expect(try parse("1e-400") == .number(0))
        #expect(try parse("[NaN, Infinity, -Infinity]")[2] == .number(-.infinity))
    }

    @Test(arguments: [
        ("", "a.json: line 1, column 1: expected a value, found the end of the text"),
        ("{\n  \"a\": 1,\n  \"b\": }", "a.json: line 3, column 8: expected a value, found '}'"),
        ("{\"é\": x}", "a.json: line 1, column 7: expected a value, found 'x'"),
        ("[1 2]", "a.json: line 1, column 4: expected ',' or ']', found '2'"),
        ("{1: 2}", "a.json: line 1, column 2: expected a key in double quotes, found '1'"),
        ("{\"a\" 2}", "a.json: line 1, column 6: expected ':' after a key, found '2'"),
        ("[1]]", "a.json: line 1, column 4: expected nothing more after the value, found ']'"),
        ("01", "a.json: line 1, column 1: a number must not begin with 0"),
        ("1.", "a.json: line 1, column 3: expected a digit, found the end of the text"),
        ("-", "a.json: line 1, column 2: expected a digit, found the end of the text"),
        ("1e999", "a.json: line 1, column 1: the number that begins here is too large"),
        ("\"abc", "a.json: line 1, column 1: the string that begins here never ends"),
        ("\"a\nb\"", "a.json: line 1, column 3: a control character in a string must be escaped"),
        (#""\x""#, "a.json: line 1, column 2: an unknown escape in a string"),
        (#""\u12g4""#, #"a.json: line 1, column 2: \u needs four hexadecimal digits"#),
        (#""\ud83d""#, "a.json: line 1, column 2: half of a surrogate pair stands alone"),
        (#""\ude00""#, "a.json: line 1, column 2: half of a surrogate pair stands alone"),
        (#""\ud83d\u0041""#, "a.json: line 1, column 2: half of a surrogate pair stands alone"),
        ("tru", "a.json: line 1, column 1: expected a value, found 't'"),
    ])
    func `what is broken is named with its position`(text: String, expected: String) {
        #expect(message(text) == expected)
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        for bytes: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82]] {
            #expect(
                message([0x5B, 0x22] + bytes + [0x22, 0x5D])
                    == "a.json: line 1, column 2: the string that begins here is not valid UTF-8")
        }
    }

    @Test func `hostile nesting is refused and deep nesting is not`() throws {
        let deep = String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
        _ = try parse(deep)
        #expect(
            message(String(repeating: "[", count: 1_000_000))
                == "a.json: line 1, column 201: nested deeper than 200 levels")
        #expect(message(String(repeating: "{\"a\":", count: 1_000_000)) != nil)
    }

    @Test func `the last of duplicate keys wins, unless they are refused`() throws {
        #expect(try parse(#"{"a": 1, "b": 2, "a": 3}"#) == ["a": 3, "b": 2])
        #expect(
            throws: FormatError("h: line 1, column 10: the key \"a\" stands twice in one object")
        ) {
            try JSON(
                parsing: Array(#"{"a": 1, "a": 3}"#.utf8), name: "h", refusesDuplicateKeys: true)
        }
    }

    @Test func `keys that differ in bytes only are two keys`() throws {
        let value = try parse("{\"\u{e9}\": 1, \"e\u{301}\": 2}")
        #expect(value.object?.count == 2)
        #expect(value["\u{e9}"] == 1)
        #expect(value["e\u{301}"] == 2)
    }

    @Test func `large and small objects keep the order and find every key`() {
        for count in [0, 3, 8, 9, 200] {
            var object = JSONObject((0..<count).map { ("key\($0)", .integer($0)) })
            #expect(object.keys == (0..<count).map { "key\($0)" })
            #expect((0..<count).allSatisfy { object["key\($0)"] == .integer($0) })
            object["key1"] = nil
            object["key2"] = "new"
            #expect(object["key1"] == nil)
            #expect(object["key2"] == "new")
            let last = count - 1
            if last > 2 { #expect(object["key\(last)"] == .integer(last)) }
        }
    }

    @Test func `text is laid out as Python lays it out`() throws {
        let value: JSON = [
            "b": [1, 2.5, 1e-5, 1e22, true, .null], "a": [:], "c": [], "é\n\u{1}\"\\": "/",
        ]
        #expect(
            value.serialized()
                == #"{"b": [1, 2.5, 1e-05, 1e+22, true, null], "a": {}, "c": [], "é\n\u0001\"\\": "/"}"#
        )
        #expect(JSON.array([1, ["a": 2]]).serialized(.compact) == #"[1,{"a":2}]"#)
        #expect(
            JSON(dictionaryLiteral: ("b", [1, 2]), ("a", [:])).serialized(
                JSONStyle(indent: 2, sortsKeys: true))
                == "{\n  \"a\": {},\n  \"b\": [\n    1,\n    2\n  ]\n}")
    }

    @Test func `numbers read back to the same bits and non-finite ones become null`() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let value = Double(bitPattern: generator.next())
            let back = try parse(JSON.number(value).serialized())
            #expect(value.isFinite ? back.double == value : back.isNull)
        }
    }

    @Test func `mutated documents never trap`() throws {
        let seed = Array(#"{"a": [1, -2.5e3, "x\u00e9\ud83d\ude00", {"b": null}], "c": tru"#.utf8)
        var generator = SplitMix64(state: 1)
        for _ in 0..<20_000 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: place)
                case 2:
                    bytes.insert(seed[Int.random(in: 0..<seed.count, using: &generator)], at: place)
                default: bytes.removeLast(min(bytes.count - 1, 3))
                }
                if bytes.isEmpty { break }
            }
            if let value = try? JSON(parsing: bytes, name: "fuzz") {
                let text = value.serialized()
                let back = try JSON(parsing: Array(text.utf8), name: "fuzz")
                #expect(back.serialized() == text)
            }
        }
    }
}
