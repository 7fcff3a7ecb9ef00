/// Merges the symbols of one word: the pair of lowest rank first, the leftmost of equals.
///
/// The arrays are kept from word to word so that encoding does not allocate.
struct BytePairMerger {
    private var merges: [UInt64] = []
    private var before: [Int32] = []
    private var after: [Int32] = []
    private var heap: [UInt64] = []
    /// Words of more symbols go through a heap, n log n; shorter ones are quicker without.
    private static let longWord = 48

    /// Replaces `symbols`, the ids of a word's characters, by the ids of its tokens.
    mutating func merge(_ symbols: inout [Int32], with table: PairTable) {
        if symbols.count > Self.longWord {
            mergeLong(&symbols, with: table)
        } else if symbols.count > 1 {
            mergeShort(&symbols, with: table)
        }
    }

    private mutating func mergeShort(_ symbols: inout [Int32], with table: PairTable) {
        merges.removeAll(keepingCapacity: true)
        for index in 0..<(symbols.count - 1) {
            merges.append(table.merge(symbols[index], symbols[index + 1]))
        }
        var count = symbols.count
        while count > 1 {
            var (best, place) = (PairTable.none, 0)
            for index in 0..<(count - 1) where merges[index] < best {
                (best, place) = (merges[index], index)
            }
            if best == PairTable.none { break }
            symbols[place] = Int32(truncatingIfNeeded: best)
            count -= 1
            for index in (place + 1)..<max(place + 1, count) {
                symbols[index] = symbols[index + 1]
                merges[index - 1] = merges[index]
            }
            if place > 0 {
                merges[place - 1] = table.merge(symbols[place - 1], symbols[place])
            }
            if place < count - 1 {
                merges[place] = table.merge(symbols[place], symbols[place + 1])
            }
        }
        symbols.removeSubrange(count...)
    }

    // MARK: Long words

    /// The symbols as a linked list, the pairs that may merge in a heap by rank and place. A pair
    /// in the heap that has changed since is passed over.
    private mutating func mergeLong(_ symbols: inout [Int32], with table: PairTable) {
        let count = symbols.count
        before = (0..<count).map { Int32($0) - 1 }
        after = (0..<count).map { Int32($0) + 1 }
        merges = Array(repeating: PairTable.none, count: count)
        heap.removeAll(keepingCapacity: true)
        for index in 0..<(count - 1) { look(at: index, symbols, table) }
        while let top = pop() {
            let place = Int(top & 0xFFFF_FFFF)
            let merge = merges[place]
            guard merge != PairTable.none, merge >> 32 == top >> 32 else { continue }
            let taken = Int(after[place])
            symbols[place] = Int32(truncatingIfNeeded: merge)
            merges[taken] = PairTable.none
            symbols[taken] = -1
            after[place] = after[taken]
            if Int(after[place]) < count { before[Int(after[place])] = Int32(place) }
            look(at: place, symbols, table)
            if before[place] >= 0 { look(at: Int(before[place]), symbols, table) }
        }
        symbols.removeAll { $0 < 0 }
    }

    /// Looks up the pair that begins at `place` and enters it when it merges.
    private mutating func look(at place: Int, _ symbols: [Int32], _ table: PairTable) {
        let next = Int(after[place])
        let merge =
            next < symbols.count ? table.merge(symbols[place], symbols[next]) : PairTable.none
        merges[place] = merge
        if merge != PairTable.none { push(merge & ~0xFFFF_FFFF | UInt64(place)) }
    }

    private mutating func push(_ entry: UInt64) {
        var child = heap.count
        heap.append(entry)
        while child > 0 {
            let parent = (child - 1) / 2
            if heap[parent] <= entry { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = entry
    }

    private mutating func pop() -> UInt64? {
        guard let top = heap.first, let last = heap.popLast() else { return nil }
        if heap.isEmpty { return top }
        var parent = 0
        while true {
            var child = parent * 2 + 1
            if child >= heap.count { break }
            if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
            if heap[child] >= last { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = last
        return top
    }
}
