extension RewardRule {
    /// 1 when the number after the last "#### " is the right answer, letter by letter; else 0.
    package static let gsm8kStrict = RewardRule("gsm8k", dataSources: ["openai/gsm8k"]) {
        GSM8KAnswer.strict(in: $0) == Array($1.utf8) ? 1 : 0
    }

    /// 1 when the last number of the response is the right answer, letter by letter; else 0.
    package static let gsm8kFlexible = RewardRule("gsm8k_flexible") {
        GSM8KAnswer.flexible(in: $0) == Array($1.utf8) ? 1 : 0
    }
}

/// The answer to a grade-school problem within a response, found exactly as verl finds it.
///
/// Only the last 300 characters are searched. A number is `-?[0-9.,]+`, so "42." is not "42", and
/// "," is a number.
package enum GSM8KAnswer {
    private static let searchedLength = 300
    private static let marker = Array("#### ".utf8)

    /// The last number that follows "#### " (one space), without commas; nil when there is none.
    package static func strict(in response: String) -> [UInt8]? {
        let text = ending(of: response)
        for start in text.indices.reversed() where text[start...].starts(with: marker) {
            guard let number = number(in: text, at: start + marker.count) else { continue }
            return text[number].filter { $0 != UInt8(ascii: ",") }
        }
        return nil
    }

    /// The last number that is not ".", commas kept; "." when that is all there is, nil without any.
    package static func flexible(in response: String) -> [UInt8]? {
        let text = ending(of: response)
        var numbers: [Range<Int>] = []
        var position = 0
        while position < text.count {
            if let number = number(in: text, at: position) {
                numbers.append(number)
                position = number.upperBound
            } else {
                position += 1
            }
        }
        let point = [UInt8(ascii: ".")]
        let answer = numbers.last { !text[$0].elementsEqual(point) } ?? numbers.first
        return answer.map { Array(text[$0]) }
    }

    /// The last 300 characters, as Python counts them (code points), in UTF-8.
    private static func ending(of response: String) -> [UInt8] {
        Array(String(response.unicodeScalars.suffix(searchedLength)).utf8)
    }

    /// A number that begins at a place: an optional minus and at least one of 0-9, "." and ",".
    private static func number(in text: [UInt8], at start: Int) -> Range<Int>? {
        var end = start
        if end < text.count, text[end] == UInt8(ascii: "-") { end += 1 }
        let digits = end
        while end < text.count, isNumberByte(text[end]) { end += 1 }
        return end > digits ? start..<end : nil
    }

    private static func isNumberByte(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ",")
    }
}
