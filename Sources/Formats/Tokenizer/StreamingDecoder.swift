/// Turns ids into text as they come, and never shows a part of a character.
///
/// The pieces put together are what `Tokenizer.decode` makes of all the ids.
package struct StreamingDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipsSpecialTokens: Bool
    /// Bytes that begin a character and wait for its rest.
    private var pending: [UInt8] = []

    /// A decoder that has seen nothing yet.
    package init(_ tokenizer: Tokenizer, skipSpecialTokens: Bool) {
        self.tokenizer = tokenizer
        skipsSpecialTokens = skipSpecialTokens
    }

    /// The text that became complete with this id, often all of its token, sometimes nothing.
    /// Throws when the id has no token.
    package mutating func append(_ id: Int32) throws(FormatError) -> String {
        try tokenizer.appendBytes(of: id, skipSpecialTokens: skipsSpecialTokens, to: &pending)
        let complete = pending.count - incompleteSuffix
        guard complete > 0 else { return "" }
        let text = String(decoding: pending[..<complete], as: UTF8.self)
        pending.removeFirst(complete)
        return text
    }

    /// What is left at the end: «\u{FFFD}» when the ids stop within a character, else nothing.
    package mutating func flush() -> String {
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
    }

    /// How many bytes at the end begin a character without completing it.
    private var incompleteSuffix: Int {
        for length in 1...3 where length <= pending.count {
            let first = pending[pending.count - length]
            if first & 0xC0 == 0x80 { continue }
            let needed = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1
            return needed > length && canBegin(pending.suffix(length)) ? length : 0
        }
        return 0
    }

    /// Whether the bytes can be the start of a valid character (Unicode, table 3-7).
    private func canBegin(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let first = bytes.first, (0xC2...0xF4).contains(first) else { return false }
        guard bytes.count > 1 else { return true }
        let second = bytes[bytes.startIndex + 1]
        return switch first {
        case 0xE0: second >= 0xA0
        case 0xED: second < 0xA0
        case 0xF0: second >= 0x90
        case 0xF4: second < 0x90
        default: true
        }
    }
}
