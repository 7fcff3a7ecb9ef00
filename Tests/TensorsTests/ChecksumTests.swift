import CKernels
import Testing

@testable import Tensors

struct ChecksumTests {
    private func sum(_ bytes: [UInt8]) -> UInt64 { unsafe checksum(of: bytes.span.bytes) }

    @Test(
        "Short inputs have the sums that XXH64 gives them",
        arguments: [
            ("", 0xEF46_DB37_51D8_E999), ("a", 0xD24E_C4F1_A98C_6E5B),
            ("abc", 0x44BC_2CF5_AD77_0999),
            ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
        ] as [(String, UInt64)])
    func known(text: String, expected: UInt64) {
        #expect(sum(Array(text.utf8)) == expected)
    }

    @Test("One other bit, one byte less and two pieces exchanged all change the sum")
    func changes() {
        let piece = Int(CK_CHECKSUM_PIECE)
        var bytes = [UInt8](repeating: 3, count: piece + 1000)
        bytes[10] = 4
        let original = sum(bytes)
        for place in [0, piece - 1, piece, bytes.count - 1] {
            bytes[place] ^= 0x10
            #expect(sum(bytes) != original, "byte \(place)")
            bytes[place] ^= 0x10
        }
        #expect(sum(bytes) == original)
        #expect(sum(bytes.dropLast()) != original)
        #expect(sum(Array(bytes[1000...] + bytes[..<1000])) != original)
    }

    @Test("The sum is the same for any number of threads")
    func threads() {
        let piece = Int(CK_CHECKSUM_PIECE)
        var bytes = [UInt8](repeating: 7, count: 3 * piece + 5)
        for place in stride(from: 0, to: bytes.count, by: piece / 3) { bytes[place] = 1 }
        var sums: Set<UInt64> = []
        KernelConditions.forEach { _ in sums.insert(sum(bytes)) }
        #expect(sums.count == 1)
    }
}
