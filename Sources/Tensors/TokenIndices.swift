/// A list of 32-bit integers that kernels read: token ids, positions, row numbers, block tables.
///
/// The host always has it; a device gets a copy when one of its kernels first reads the list.
package struct TokenIndices {
    private let storage: Storage
    /// The place of the first value in the storage.
    private let offset: Int
    package let count: Int
    /// The largest value, -1 when there is none; of a slice, that of the whole list.
    package let maximum: Int32
    private let minimum: Int32
    private let copies: DeviceCopies

    /// What has been made of a list for a device, shared by its slices.
    private final class DeviceCopies {
        var values: Storage?
        var occurrences: TokenOccurrences?
    }

    /// A copy of `values`.
    package init(_ values: [Int32]) {
        count = values.count
        offset = 0
        maximum = values.max() ?? -1
        minimum = values.min() ?? 0
        copies = DeviceCopies()
        storage = Storage(byteCount: max(4, values.count * 4))
        unsafe values.withUnsafeBufferPointer { source in
            guard let start = source.baseAddress else { return }
            unsafe pointer.update(from: start, count: source.count)
        }
    }

    /// The values at `places` of words that a device has a copy of, both of which are written again
    /// and again with values below `limit`.
    init(_ words: Storage, onDevice copy: Storage, places: Range<Int>, below limit: Int) {
        storage = words
        offset = places.lowerBound
        count = places.count
        maximum = Int32(clamping: limit - 1)
        minimum = 0
        copies = DeviceCopies()
        copies.values = copy
    }

    private init(_ whole: TokenIndices, places: Range<Int>) {
        precondition(places.lowerBound >= 0 && places.upperBound <= whole.count)
        storage = whole.storage
        offset = whole.offset + places.lowerBound
        count = places.count
        maximum = whole.maximum
        minimum = whole.minimum
        copies = whole.copies
    }

    /// The values on the host.
    var pointer: UnsafeMutablePointer<Int32> {
        unsafe storage.base.assumingMemoryBound(to: Int32.self) + offset
    }

    /// The first value on `cuda`, which is sent the list when it is first asked for.
    func deviceAddress(on cuda: CUDADevice) -> UInt64 {
        let device = Device.cuda(cuda)
        if let copy = copies.values, copy.device == device {
            return copy.deviceAddress + UInt64(offset * 4)
        }
        let copy = Storage(byteCount: storage.byteCount, on: device)
        unsafe cuda.upload(
            UnsafeRawBufferPointer(start: storage.base, count: storage.byteCount),
            to: copy.deviceAddress)
        copies.values = copy
        return copy.deviceAddress + UInt64(offset * 4)
    }

    /// Whether every value is a place among `limit`: from 0 to below it.
    func areWithin(_ limit: Int) -> Bool {
        minimum >= 0 && Int(maximum) < limit
    }

    /// The values as a plain array.
    package func toArray() -> [Int32] {
        unsafe Array(UnsafeBufferPointer(start: pointer, count: count))
    }

    /// The value at `index`.
    package subscript(index: Int) -> Int32 {
        precondition(index >= 0 && index < count, "Index \(index) of \(count) values.")
        return unsafe pointer[index]
    }

    /// The values at `places`, as a view.
    func slice(_ places: Range<Int>) -> TokenIndices {
        TokenIndices(self, places: places)
    }

    /// Where each value stands in a whole list; worked out when it is first asked for.
    var occurrences: TokenOccurrences {
        if let known = copies.occurrences { return known }
        precondition(offset == 0, "A slice is not gathered by.")
        let made = TokenOccurrences(of: toArray())
        copies.occurrences = made
        return made
    }
}

/// The places of each value of a list: what adds up rows without two writers of one.
struct TokenOccurrences {
    /// `[U]`; the values that occur, ascending.
    let rows: TokenIndices
    /// `[U + 1]`; the value `rows[u]` stands at `places[starts[u] ..< starts[u + 1]]`.
    let starts: TokenIndices
    /// `[T]`; the places of equal values together, ascending.
    let places: TokenIndices

    fileprivate init(of values: [Int32]) {
        // Sorting is stable by the second part of the key.
        let order = values.indices.sorted { (values[$0], $0) < (values[$1], $1) }
        var rows: [Int32] = []
        var starts: [Int32] = []
        for (place, index) in order.enumerated() where rows.last != values[index] {
            rows.append(values[index])
            starts.append(Int32(place))
        }
        starts.append(Int32(order.count))
        self.rows = TokenIndices(rows)
        self.starts = TokenIndices(starts)
        places = TokenIndices(order.map(Int32.init))
    }
}
