/// The memory behind one or more tensors: owned by the pool, or borrowed from a mapped file.
@safe
package final class Storage {
    /// Where the bytes lie; those of a deferred storage are computed here, at the first use.
    var base: UnsafeMutableRawPointer {
        if let address = unsafe address { return unsafe address }
        let address = unsafe MemoryPool.shared.allocate(byteCount: byteCount)
        unsafe self.address = address
        let fill = self.fill
        self.fill = nil
        fill?(self)
        return unsafe address
    }
    package let byteCount: Int
    private var address: UnsafeMutableRawPointer?
    private var fill: ((Storage) -> Void)?
    private let owner: (any AnyObject & Sendable)?

    /// Takes a buffer from the pool; its content is undefined.
    package init(byteCount: Int) {
        self.byteCount = byteCount
        unsafe address = MemoryPool.shared.allocate(byteCount: byteCount)
        owner = nil
    }

    /// Takes a buffer from the pool, and has `fill` write its content, when it is first used; that
    /// may be never.
    init(deferred byteCount: Int, filledBy fill: @escaping (Storage) -> Void) {
        self.byteCount = byteCount
        self.fill = fill
        owner = nil
    }

    /// Borrows `bytes`, which must stay valid as long as `owner` lives, and is never written.
    @unsafe
    package init(borrowing bytes: UnsafeRawBufferPointer, owner: any AnyObject & Sendable) {
        byteCount = bytes.count
        guard let start = bytes.baseAddress else {
            preconditionFailure("Borrowed storage needs at least one byte.")
        }
        unsafe address = UnsafeMutableRawPointer(mutating: start)
        self.owner = owner
    }

    /// Whether the memory may be written: memory that is borrowed may not.
    package var isWritable: Bool { owner == nil }

    deinit {
        guard owner == nil, let address = unsafe address else { return }
        unsafe MemoryPool.shared.release(address, byteCount: byteCount)
    }
}
