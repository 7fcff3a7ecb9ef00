import Synchronization

/// The tokens of words met before: most words of a text are.
struct WordCache {
    private struct Entry {
        var hash: UInt64 = 0
        var wordStart: Int32 = 0
        var wordEnd: Int32 = 0
        var idStart: Int32 = 0
        var idEnd: Int32 = -1
    }

    /// Longer words seldom come back.
    static let longestWord = 64
    private static let slotCount = 1 << 16
    private var entries: [Entry] = Array(repeating: Entry(), count: slotCount)
    private var words: [UInt8] = []
    private var ids: [Int32] = []
    private var count = 0

    /// Appends the tokens of `bytes[start..<end]` to `output`; false when the word is not known.
    @inline(__always)
    func append(
        _ bytes: Span<UInt8>, _ start: Int, _ end: Int, hash: UInt64, to output: inout [Int32]
    ) -> Bool {
        var slot = Int(hash >> 48)
        while true {
            let entry = entries[slot]
            if entry.idEnd < 0 { return false }
            if entry.hash == hash, Int(entry.wordEnd - entry.wordStart) == end - start,
                equalBytes(words.span, Int(entry.wordStart), bytes, start, count: end - start)
            {
                for index in Int(entry.idStart)..<Int(entry.idEnd) { output.append(ids[index]) }
                return true
            }
            slot = (slot + 1) & (Self.slotCount - 1)
        }
    }

    /// Remembers the tokens of a word that is not known; a full cache starts afresh.
    mutating func insert(
        _ bytes: Span<UInt8>, _ start: Int, _ end: Int, hash: UInt64, _ tokens: [Int32]
    ) {
        if count > Self.slotCount / 2 { self = WordCache() }
        var slot = Int(hash >> 48)
        while entries[slot].idEnd >= 0 { slot = (slot + 1) & (Self.slotCount - 1) }
        var entry = Entry(hash: hash, wordStart: Int32(words.count), idStart: Int32(ids.count))
        for offset in start..<end { words.append(bytes[offset]) }
        ids += tokens
        entry.wordEnd = Int32(words.count)
        entry.idEnd = Int32(ids.count)
        entries[slot] = entry
        count += 1
    }
}

/// The caches of a tokenizer: each call borrows one, so callers on other threads do not wait.
final class WordCaches: Sendable {
    private let free = Mutex<[WordCache]>([])

    /// Runs `body` with a cache nobody else has.
    func withCache<Result>(_ body: (inout WordCache) -> Result) -> Result {
        var cache = free.withLock { $0.popLast() } ?? WordCache()
        let result = body(&cache)
        free.withLock { [cache] in $0.append(cache) }
        return result
    }
}
