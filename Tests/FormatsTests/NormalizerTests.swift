import Testing

@testable import Formats

@Suite struct NormalizerTests {
    @Test func `composed and decomposed forms equal the reference`() throws {
        let rows = try FixtureFiles.text("normal-forms.txt").split(separator: "\n")
        #expect(rows.count == 500)
        for row in rows {
            let forms = row.split(separator: ";").map { form in
                var bytes: [UInt8] = []
                for value in form.split(separator: " ") {
                    bytes.append(scalar: UInt32(value, radix: 16) ?? 0)
                }
                return bytes
            }
            #expect(CanonicalComposition.composed(forms[0]) == forms[1], "\(row)")
            #expect(CanonicalComposition.decomposed(forms[0]) == forms[2], "\(row)")
        }
    }

    /// `String` compares by canonical equivalence, with tables of its own.
    @Test func `the forms of any text stand for the same text`() {
        var random = RandomText(seed: 7)
        for _ in 0..<500 {
            let text = random.text()
            let bytes = Array(text.utf8)
            let composed = CanonicalComposition.composed(bytes)
            let decomposed = CanonicalComposition.decomposed(bytes)
            #expect(String(decoding: composed, as: UTF8.self) == text)
            #expect(String(decoding: decomposed, as: UTF8.self) == text)
            #expect(CanonicalComposition.composed(composed) == composed)
            #expect(CanonicalComposition.composed(decomposed) == composed)
        }
    }

    @Test func `steps follow one another`() throws {
        let normalizer = Normalizer(steps: [
            .strip(left: true, right: true), .lowercase,
            .replace(try RegexProgram(" +"), by: [0x5F]),
            .prepend([0x5F]),
        ])
        let text = normalizer.normalized(Array(" \u{3000}Ab  ÇD\n".utf8))
        #expect(String(decoding: text, as: UTF8.self) == "_ab_çd")
        #expect(normalizer.normalized([]) == [])
    }
}
