import CKernels

/// Tells whether bytes are those that were written: XXH64, for large inputs by pieces (see
/// `checksum.c`). It reads about as fast as memory does; nothing that an attacker may choose may
/// depend on it.
package func checksum(of bytes: RawSpan) -> UInt64 {
    unsafe bytes.withUnsafeBytes { unsafe ck_checksum($0.baseAddress, $0.count) }
}

/// The same of a text's UTF-8.
package func checksum(of text: String) -> UInt64 {
    checksum(of: unsafe Array(text.utf8).span.bytes)
}

/// A checksum as 16 digits.
package func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
