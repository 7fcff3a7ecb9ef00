/// The memory behind one or more tensors: owned by the pool, or borrowed from a mapped file.
@safe
package final class Storage {
    let base: UnsafeMutableRawPointer
    package let byteCount: Int
    private let owner: (any AnyObject & Sendable)?

    /// Takes a buffer from the pool; its content is undefined.
    package init(byteCount: Int) {
        self.byteCount = byteCount
        unsafe base = MemoryPool.shared.allocate(byteCount: byteCount)
        owner = nil
    }

    /// Borrows `bytes`, which must stay valid as long as `owner` lives, and is never written.
    @unsafe
    package init(borrowing bytes: UnsafeRawBufferPointer, owner: any AnyObject & Sendable) {
        byteCount = bytes.count
        guard let start = bytes.baseAddress else {
            preconditionFailure("Borrowed storage needs at least one byte.")
        }
        unsafe base = UnsafeMutableRawPointer(mutating: start)
        self.owner = owner
    }

    /// Whether the memory may be written: memory that is borrowed may not.
    package var isWritable: Bool { owner == nil }

    deinit {
        guard owner == nil else { return }
        unsafe MemoryPool.shared.release(base, byteCount: byteCount)
    }
}
