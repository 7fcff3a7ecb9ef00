/// The characters that stand for the 256 bytes in a byte-level vocabulary (GPT-2).
///
/// Printable characters of Latin-1 stand for themselves, the other 68 bytes are U+0100 and up in
/// the order of the bytes: a space is «Ġ».
enum ByteLevelAlphabet {
    /// The character of each byte.
    static let characters: [UInt32] = {
        var characters: [UInt32] = []
        var next: UInt32 = 0x100
        for byte in UInt32(0)..<256 {
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: characters.append(byte)
            default:
                characters.append(next)
                next += 1
            }
        }
        return characters
    }()

    /// The byte of each character up to U+0143; -1 for a character that stands for none.
    static let bytes: [Int16] = {
        var bytes = [Int16](repeating: -1, count: 0x144)
        for (byte, character) in characters.enumerated() { bytes[Int(character)] = Int16(byte) }
        return bytes
    }()

    /// Appends the bytes a token stands for. A token with a character of another alphabet stands
    /// for its own UTF-8, as in Hugging Face's decoder.
    static func appendBytes(of spelling: ArraySlice<UInt8>, to output: inout [UInt8]) {
        let start = output.count
        let span = spelling.span
        var offset = 0
        while offset < span.count {
            let (value, length) = decodeScalar(span, at: offset)
            guard value < 0x144, bytes[Int(value)] >= 0 else {
                output.removeSubrange(start...)
                output += spelling
                return
            }
            output.append(UInt8(bytes[Int(value)]))
            offset += length
        }
    }
}
