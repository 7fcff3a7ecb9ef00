import Rollouts
import Testing

@Suite("Block pool")
struct BlockPoolTests {
    @Test("Gives every block once, then none")
    func exhaustion() {
        var pool = BlockPool(capacity: 3, blockSize: 2)
        let blocks = (0..<3).compactMap { _ in pool.allocate() }
        #expect(Set(blocks) == [0, 1, 2])
        #expect(allocate(&pool) == nil)
        pool.release(blocks)
        #expect(pool.availableCount == 3)
        #expect(allocate(&pool) != nil)
    }

    @Test("Finds the blocks of a known prefix, and only those")
    func reuse() throws {
        var pool = BlockPool(capacity: 4, blockSize: 2)
        let root = pool.root(of: nil)
        let table = try publish([1, 2, 3, 4], to: &pool, after: root)
        pool.release(table)
        #expect(pool.availableCount == 4)
        let whole = pool.reuse([1, 2, 3, 4, 5], after: root, limit: 2)
        #expect(whole.table == table)
        #expect(table.map { pool.references(to: $0) } == [1, 1])
        let half = pool.reuse([1, 2, 3, 9, 5], after: root, limit: 2)
        #expect(half.table == [table[0]])
        #expect(pool.references(to: table[0]) == 2)
        #expect(reuse([3, 4, 3, 4], after: root, limit: 2, &pool) == [])
        #expect(reuse([1, 2, 3, 4], after: root, limit: 0, &pool) == [])
    }

    @Test("Keeps the prefixes of adapters and of their versions apart")
    func adapters() throws {
        var pool = BlockPool(capacity: 4, blockSize: 2)
        let first = pool.root(of: AdapterVersion(name: "a", version: 1))
        pool.release(try publish([1, 2], to: &pool, after: first))
        let base = pool.root(of: nil)
        #expect(reuse([1, 2], after: base, limit: 1, &pool) == [])
        let other = pool.root(of: AdapterVersion(name: "b", version: 1))
        #expect(reuse([1, 2], after: other, limit: 1, &pool) == [])
        #expect(root(AdapterVersion(name: "a", version: 1), &pool) == first)
        let second = pool.root(of: AdapterVersion(name: "a", version: 2))
        #expect(reuse([1, 2], after: second, limit: 1, &pool) == [])
    }

    @Test("Gives up the block that was let go first, and a prefix after what follows it")
    func eviction() throws {
        var pool = BlockPool(capacity: 3, blockSize: 1)
        let root = pool.root(of: nil)
        let older = try publish([7], to: &pool, after: root)
        let newer = try publish([1, 2], to: &pool, after: root)
        pool.release(older)
        pool.release(newer)
        #expect(pool.cachedCount == 3)
        #expect(allocate(&pool) == older[0])
        #expect(allocate(&pool) == newer[1])
        #expect(reuse([1, 2], after: root, limit: 2, &pool) == [newer[0]])
        #expect(allocate(&pool) == nil)
        #expect(pool.cachedCount == 1)
    }

    @Test("A block in use is not given up, and its next use makes it the newest")
    func recency() throws {
        var pool = BlockPool(capacity: 2, blockSize: 1)
        let root = pool.root(of: nil)
        let a = try publish([1], to: &pool, after: root)
        let b = try publish([2], to: &pool, after: root)
        pool.release(a)
        pool.release(b)
        let held = pool.reuse([1], after: root, limit: 1).table
        #expect(held == a)
        #expect(pool.availableCount == 1)
        pool.release(held)
        #expect(allocate(&pool) == b[0])
    }

    @Test("A second block with the same content stays private, and its successors are found")
    func duplicates() throws {
        var pool = BlockPool(capacity: 4, blockSize: 1)
        let root = pool.root(of: nil)
        let first = try publish([1], to: &pool, after: root)
        let second = try publish([1, 2], to: &pool, after: root)
        #expect(pool.cachedCount == 2)
        #expect(reuse([1, 2], after: root, limit: 2, &pool) == [first[0], second[1]])
        pool.release(second)
        #expect(pool.availableCount == 2)
    }

    @Test("Survives thousands of random operations without losing a block", arguments: 0..<20)
    func randomOperations(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var pool = BlockPool(capacity: .random(in: 1...12, using: &random), blockSize: 1)
        var held: [[Int32]] = []
        for _ in 0..<2000 {
            let version = Int.random(in: 0...1, using: &random)
            let root = pool.root(of: AdapterVersion(name: "a", version: version))
            switch Int.random(in: 0..<3, using: &random) {
            case 0:
                let tokens = (0..<4).map { _ in Int32.random(in: 0...1, using: &random) }
                var (table, prefix) = pool.reuse(tokens, after: root, limit: 4)
                while table.count < 4, let block = pool.allocate() {
                    let end = table.count
                    prefix = pool.publish(block, after: prefix, tokens[end...end])
                    table.append(block)
                }
                held.append(table)
            case 1:
                if let block = pool.allocate() { held.append([block]) }
            default:
                guard let index = held.indices.randomElement(using: &random) else { continue }
                pool.release(held.remove(at: index))
            }
            var references = [Int](repeating: 0, count: pool.capacity)
            for block in held.joined() { references[Int(block)] += 1 }
            #expect(references == (0..<Int32(pool.capacity)).map { pool.references(to: $0) })
            #expect(pool.availableCount == references.count { $0 == 0 })
        }
        for table in held { pool.release(table) }
        #expect(pool.availableCount == pool.capacity)
    }

    private func allocate(_ pool: inout BlockPool) -> Int32? { pool.allocate() }

    private func reuse(
        _ tokens: [Int32], after root: PrefixID, limit: Int, _ pool: inout BlockPool
    ) -> [Int32] {
        pool.reuse(tokens, after: root, limit: limit).table
    }

    private func root(_ adapter: AdapterVersion?, _ pool: inout BlockPool) -> PrefixID {
        pool.root(of: adapter)
    }

    /// Fills and publishes fresh blocks with `tokens`.
    private func publish(
        _ tokens: [Int32], to pool: inout BlockPool, after root: PrefixID
    ) throws -> [Int32] {
        var prefix = root
        var table: [Int32] = []
        for start in stride(from: 0, to: tokens.count, by: pool.blockSize) {
            let allocated = pool.allocate()
            let block = try #require(allocated)
            prefix = pool.publish(block, after: prefix, tokens[start..<start + pool.blockSize])
            table.append(block)
        }
        return table
    }
}
