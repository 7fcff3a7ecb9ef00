/// A prefix of tokens that the pool knows, under one version of one adapter.
///
/// Ids are never given twice, so equal ids mean equal tokens from the first one on.
package struct PrefixID: Sendable, Hashable {
    fileprivate let number: UInt64
}

/// The KV blocks by number: who holds which, which are free, and which hold the keys and values of
/// a known prefix (PagedAttention, arXiv 2309.06180).
///
/// A full block is cached under its predecessor's `PrefixID` and its own tokens. Both are compared,
/// not only hashed, so two prefixes cannot be mistaken for each other. A cached block that nobody
/// holds stays until its room is needed; the one that was let go first goes first. Since a request
/// lets go of its last block first, a prefix outlives what follows it.
package struct BlockPool: Sendable {
    private struct Key: Hashable {
        let parent: PrefixID
        let tokens: [Int32]
    }

    private struct Block {
        var references = 0
        /// Under what the block is cached.
        var key: Key?
        /// Neighbours in the list of cached blocks that nobody holds; -1 at its ends.
        var older: Int32 = -1
        var newer: Int32 = -1
    }

    package let blockSize: Int
    private var blocks: [Block]
    /// Blocks that hold nothing, the next one to give last.
    private var empty: [Int32]
    private var cached: [Key: (block: Int32, prefix: PrefixID)] = [:]
    private var roots: [String?: (version: Int, prefix: PrefixID)] = [:]
    private var lastPrefix: UInt64 = 0
    private var oldestIdle: Int32 = -1
    private var newestIdle: Int32 = -1
    private var idleCount = 0

    /// A pool of `capacity` empty blocks of `blockSize` tokens.
    package init(capacity: Int, blockSize: Int) {
        precondition(capacity >= 0 && blockSize >= 1)
        self.blockSize = blockSize
        blocks = Array(repeating: Block(), count: capacity)
        empty = (0..<Int32(capacity)).reversed()
    }

    /// Blocks in all.
    package var capacity: Int { blocks.count }
    /// Blocks that `allocate` can give now.
    package var availableCount: Int { empty.count + idleCount }
    /// Blocks that hold a known prefix.
    package var cachedCount: Int { cached.count }

    /// How many hold `block`.
    package func references(to block: Int32) -> Int { blocks[Int(block)].references }

    /// Blocks that `tokens` tokens take.
    package func blockCount(forTokens tokens: Int) -> Int {
        (tokens + blockSize - 1) / blockSize
    }

    /// A block for its caller alone, `nil` when all are held.
    package mutating func allocate() -> Int32? {
        if let block = empty.popLast() {
            blocks[Int(block)].references = 1
            return block
        }
        guard oldestIdle >= 0 else { return nil }
        let block = oldestIdle
        unlink(block)
        forget(block)
        blocks[Int(block)].references = 1
        return block
    }

    /// Lets go of the blocks of a table, the last one first.
    package mutating func release(_ table: [Int32]) {
        for block in table.reversed() {
            precondition(blocks[Int(block)].references > 0, "Block \(block) was let go twice.")
            blocks[Int(block)].references -= 1
            guard blocks[Int(block)].references == 0 else { continue }
            if blocks[Int(block)].key == nil {
                empty.append(block)
            } else {
                linkAsNewest(block)
            }
        }
    }

    /// The empty prefix under `adapter`, `nil` being the base model.
    ///
    /// Of each name one version is known at a time; what an earlier one left is never found again.
    package mutating func root(of adapter: AdapterVersion?) -> PrefixID {
        let version = adapter?.version ?? 0
        if let root = roots[adapter?.name], root.version == version { return root.prefix }
        let prefix = makePrefix()
        roots[adapter?.name] = (version, prefix)
        return prefix
    }

    /// Takes hold of the cached blocks of the longest known prefix of `tokens`.
    ///
    /// - Parameters:
    ///   - root: the empty prefix of the request's adapter.
    ///   - limit: the most blocks to take.
    /// - Returns: the blocks in order, and the prefix that they make.
    package mutating func reuse(
        _ tokens: [Int32], after root: PrefixID, limit: Int
    ) -> (table: [Int32], prefix: PrefixID) {
        var table: [Int32] = []
        var prefix = root
        while table.count < limit {
            let start = table.count * blockSize
            let key = Key(parent: prefix, tokens: Array(tokens[start..<start + blockSize]))
            guard let found = cached[key] else { break }
            if blocks[Int(found.block)].references == 0 { unlink(found.block) }
            blocks[Int(found.block)].references += 1
            table.append(found.block)
            prefix = found.prefix
        }
        return (table, prefix)
    }

    /// Makes a held block known as the one that follows `parent` with `tokens`, unless another
    /// block is already known as that.
    ///
    /// - Returns: the longer prefix.
    package mutating func publish(
        _ block: Int32, after parent: PrefixID, _ tokens: ArraySlice<Int32>
    ) -> PrefixID {
        precondition(tokens.count == blockSize && blocks[Int(block)].references > 0)
        let key = Key(parent: parent, tokens: Array(tokens))
        if let known = cached[key] { return known.prefix }
        precondition(blocks[Int(block)].key == nil, "Block \(block) is known already.")
        let prefix = makePrefix()
        cached[key] = (block, prefix)
        blocks[Int(block)].key = key
        return prefix
    }

    private mutating func makePrefix() -> PrefixID {
        lastPrefix += 1
        return PrefixID(number: lastPrefix)
    }

    private mutating func forget(_ block: Int32) {
        guard let key = blocks[Int(block)].key else { return }
        cached[key] = nil
        blocks[Int(block)].key = nil
    }

    private mutating func linkAsNewest(_ block: Int32) {
        blocks[Int(block)].older = newestIdle
        blocks[Int(block)].newer = -1
        if newestIdle >= 0 {
            blocks[Int(newestIdle)].newer = block
        } else {
            oldestIdle = block
        }
        newestIdle = block
        idleCount += 1
    }

    private mutating func unlink(_ block: Int32) {
        let (older, newer) = (blocks[Int(block)].older, blocks[Int(block)].newer)
        if older >= 0 { blocks[Int(older)].newer = newer } else { oldestIdle = newer }
        if newer >= 0 { blocks[Int(newer)].older = older } else { newestIdle = older }
        blocks[Int(block)].older = -1
        blocks[Int(block)].newer = -1
        idleCount -= 1
    }
}
