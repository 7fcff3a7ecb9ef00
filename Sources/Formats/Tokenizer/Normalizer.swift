/// What is done to text before it is cut into words, in order.
struct Normalizer: Sendable {
    enum Step: Sendable {
        /// Unicode's normal form C.
        case composed
        /// Unicode's normal form D.
        case decomposed
        case lowercase
        /// Puts text in place of each match of a pattern.
        case replace(RegexProgram, by: [UInt8])
        /// Puts text before the whole, unless that is empty.
        case prepend([UInt8])
        /// Takes white space from the ends.
        case strip(left: Bool, right: Bool)
    }

    var steps: [Step] = []

    /// The normalised text; both are valid UTF-8.
    func normalized(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for step in steps {
            switch step {
            case .composed: bytes = CanonicalComposition.composed(bytes)
            case .decomposed: bytes = CanonicalComposition.decomposed(bytes)
            case .lowercase: bytes = Self.lowercased(bytes)
            case .replace(let program, let text): bytes = Self.replaced(bytes, program, text)
            case .prepend(let text): bytes = bytes.isEmpty ? bytes : text + bytes
            case .strip(let left, let right): bytes = Self.stripped(bytes, left, right)
            }
        }
        return bytes
    }

    /// Maps scalar by scalar, as the reference does: a final «Σ» becomes «σ».
    private static func lowercased(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            if scalar.isASCII {
                let byte = UInt8(scalar.value)
                result.append((0x41...0x5A).contains(byte) ? byte | 0x20 : byte)
            } else {
                result += Array(scalar.properties.lowercaseMapping.utf8)
            }
        }
        return result
    }

    private static func replaced(
        _ bytes: [UInt8], _ program: RegexProgram, _ text: [UInt8]
    ) -> [UInt8] {
        var result: [UInt8] = []
        let parts = PreTokenizer.parts(
            of: bytes.span, lower: 0, upper: bytes.count, program: program)
        for part in parts { result += part.isMatch ? text[...] : bytes[part.start..<part.end] }
        return result
    }

    private static func stripped(_ bytes: [UInt8], _ left: Bool, _ right: Bool) -> [UInt8] {
        let span = bytes.span
        var (start, end) = (0, bytes.count)
        while left, start < end {
            let (value, length) = decodeScalar(span, at: start)
            guard UnicodeTable.isWhitespace(value) else { break }
            start += length
        }
        while right, start < end {
            let last = startOfScalar(span, endingAt: end)
            guard UnicodeTable.isWhitespace(decodeScalar(span, at: last).value) else { break }
            end = last
        }
        return Array(bytes[start..<end])
    }
}
