/// The memory behind one or more tensors, on the host or on a device: owned by a pool, or borrowed
/// from a mapped file.
@safe
package final class Storage {
    /// Where the bytes of host memory lie; those of a deferred storage are computed here, at the
    /// first use.
    var base: UnsafeMutableRawPointer {
        if let address = unsafe address { return unsafe address }
        precondition(device.isHost, "The memory of a device is read as if it were the host's.")
        let address = unsafe MemoryPool.shared.allocate(byteCount: byteCount)
        unsafe self.address = address
        fillDeferred()
        return unsafe address
    }

    /// Where the bytes of a device's memory lie, as it counts; likewise.
    var deviceAddress: UInt64 {
        if let addressOnDevice { return addressOnDevice }
        guard case .cuda(let cuda) = device else {
            preconditionFailure("The host's memory is read as if it were a device's.")
        }
        let address = cuda.pool.allocate(byteCount: byteCount)
        addressOnDevice = address
        fillDeferred()
        return address
    }

    package let byteCount: Int
    package let device: Device
    private var address: UnsafeMutableRawPointer?
    private var addressOnDevice: UInt64?
    private var fill: ((Storage) -> Void)?
    private let owner: (any AnyObject & Sendable)?
    /// How often elements that were there have been overwritten.
    private var writeCount = 0
    /// The elements rounded to bf16, as they were after so many writes.
    private var rounded: (storage: Storage, writeCount: Int)?

    /// Takes a buffer from the device's pool; its content is undefined.
    package init(byteCount: Int, on device: Device = .cpu) {
        self.byteCount = byteCount
        self.device = device
        owner = nil
        switch device {
        case .cpu: unsafe address = MemoryPool.shared.allocate(byteCount: byteCount)
        case .cuda(let cuda): addressOnDevice = cuda.pool.allocate(byteCount: byteCount)
        }
    }

    /// Takes a buffer from the device's pool, and has `fill` write its content, when it is first
    /// used; that may be never.
    init(deferred byteCount: Int, on device: Device, filledBy fill: @escaping (Storage) -> Void) {
        self.byteCount = byteCount
        self.device = device
        self.fill = fill
        owner = nil
    }

    /// Borrows `bytes`, which must stay valid as long as `owner` lives, and is never written.
    @unsafe
    package init(borrowing bytes: UnsafeRawBufferPointer, owner: any AnyObject & Sendable) {
        byteCount = bytes.count
        device = .cpu
        guard let start = bytes.baseAddress else {
            preconditionFailure("Borrowed storage needs at least one byte.")
        }
        unsafe address = UnsafeMutableRawPointer(mutating: start)
        self.owner = owner
    }

    private func fillDeferred() {
        let fill = self.fill
        self.fill = nil
        fill?(self)
    }

    /// To be called by all that writes to elements which were there before.
    func willWrite() {
        precondition(owner == nil, "A mapped weight cannot be written.")
        writeCount &+= 1
    }

    /// All of its f32 elements on a device rounded to bf16: a copy that is made when it is first
    /// asked for, and renewed in its place when they were overwritten since.
    func roundedToBFloat16() -> Storage {
        if let rounded, rounded.writeCount == writeCount { return rounded.storage }
        let count = byteCount / DataType.float32.size
        let storage =
            rounded?.storage
            ?? MemoryPurpose.$current.withValue(.adapter) {
                Storage(byteCount: count * DataType.bfloat16.size, on: device)
            }
        guard case .cuda(let cuda) = device else {
            preconditionFailure("Only the weights of a device have a copy of another type.")
        }
        cuda.convert(
            Tensor(storage: self, shape: [count]),
            y: Tensor(storage: storage, shape: [count], dataType: .bfloat16))
        rounded = (storage, writeCount)
        return storage
    }

    /// Renews the copy in bf16, where there is one.
    func renewRounded() {
        if rounded != nil { _ = roundedToBFloat16() }
    }

    deinit {
        switch device {
        case .cpu:
            guard owner == nil, let address = unsafe address else { return }
            unsafe MemoryPool.shared.release(address, byteCount: byteCount)
        case .cuda(let cuda):
            guard let addressOnDevice else { return }
            cuda.pool.release(addressOnDevice)
        }
    }
}
