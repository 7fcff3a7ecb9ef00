/// A list of 32-bit integers that kernels read: token ids, positions, row numbers, block tables.
package struct TokenIndices {
    private let storage: Storage
    package let count: Int
    /// The largest value, -1 when there is none.
    package let maximum: Int32
    private let minimum: Int32

    /// A copy of `values`.
    package init(_ values: [Int32]) {
        count = values.count
        maximum = values.max() ?? -1
        minimum = values.min() ?? 0
        storage = Storage(byteCount: max(4, values.count * 4))
        unsafe values.withUnsafeBufferPointer { source in
            guard let start = source.baseAddress else { return }
            unsafe pointer.update(from: start, count: source.count)
        }
    }

    var pointer: UnsafeMutablePointer<Int32> {
        unsafe storage.base.assumingMemoryBound(to: Int32.self)
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
}
