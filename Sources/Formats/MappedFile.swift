#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A file of which the bytes are read as memory: nothing is copied, pages are read when they are
/// touched.
///
/// Views of the bytes stay valid for as long as this object lives. The file must not be shortened
/// meanwhile; one that is replaced by renaming, as `AtomicFile` does, is not.
@safe package final class MappedFile: @unchecked Sendable {
    /// The path as it was given.
    package let path: String
    /// Number of bytes, at least 1.
    package let count: Int
    /// When the content was last changed before it was mapped, in nanoseconds since 1970.
    package let modificationTime: Int
    /// Address of the first byte, aligned to a page; valid for as long as this object lives.
    @unsafe package let baseAddress: UnsafeRawPointer

    /// Maps a file; throws when it is missing, unreadable, empty or no file.
    package init(path: String) throws(FormatError) {
        let file = try OpenFile(path, for: .reading)
        let status = try file.status()
        guard status.isRegular else {
            throw FormatError("cannot read \(path): it is no regular file")
        }
        guard status.size > 0 else { throw FormatError("\(path) is empty") }
        let address = unsafe mmap(nil, status.size, PROT_READ, MAP_PRIVATE, file.descriptor, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            throw systemFailure("cannot read \(path)")
        }
        self.path = path
        count = status.size
        modificationTime = status.modificationTime
        unsafe baseAddress = UnsafeRawPointer(address)
    }

    deinit { _ = unsafe munmap(UnsafeMutableRawPointer(mutating: baseAddress), count) }

    /// Gives a range of the file's bytes to a closure, which must not keep them.
    package func withBytes<Result, Failure: Error>(
        in range: Range<Int>, _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "outside of \(path)")
        let buffer = unsafe UnsafeRawBufferPointer(
            start: baseAddress + range.lowerBound, count: range.count)
        return try unsafe body(buffer.bytes)
    }

    /// A copy of a range of the file's bytes.
    package func copy(of range: Range<Int>) -> [UInt8] {
        withBytes(in: range) { span in unsafe span.withUnsafeBytes { unsafe Array($0) } }
    }

    /// Whether a range holds the same bytes as a range of another file.
    package func hasSameBytes(
        in range: Range<Int>, as other: MappedFile, in otherRange: Range<Int>
    ) -> Bool {
        precondition(range.upperBound <= count && otherRange.upperBound <= other.count)
        guard range.count == otherRange.count else { return false }
        return unsafe memcmp(
            baseAddress + range.lowerBound, other.baseAddress + otherRange.lowerBound, range.count)
            == 0
    }
}
