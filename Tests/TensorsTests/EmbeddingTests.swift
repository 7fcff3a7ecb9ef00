import CKernels
import Testing

struct EmbeddingTests {
    @Test("Rows are looked up in every dtype", arguments: [(1, 3), (50, 7), (400, 130)])
    func forward(tokens: Int, width: Int) {
        let vocabulary = 11
        var random = RandomNumbers(seed: 41)
        // Small whole numbers are exact in every dtype.
        let table = (0..<vocabulary * width).map { _ in Float(random.integer(below: 255) - 127) }
        let ids = (0..<tokens).map { _ in Int32(random.integer(below: vocabulary)) }
        let expected = ids.flatMap { table[Int($0) * width..<(Int($0) + 1) * width] }
        KernelConditions.forEach { conditions in
            for dtype in StoredWeight.dtypes {
                var y = [Float](repeating: -1, count: tokens * width)
                unsafe StoredWeight(table, as: dtype) {
                    unsafe ck_embedding_forward(tokens, width, ids, $0, &y)
                }
                #expect(y == expected, "\(conditions), dtype \(dtype.rawValue)")
            }
        }
    }

    @Test("Gradients of repeated tokens are added in the order of the tokens")
    func backward() {
        let tokens = 300, width = 131, vocabulary = 5
        var random = RandomNumbers(seed: 42)
        let dy = random.floats(tokens * width)
        let ids = (0..<tokens).map { _ in Int32(random.integer(below: vocabulary)) }
        var expected = [Float](repeating: 0.5, count: vocabulary * width)
        for t in 0..<tokens {
            for d in 0..<width { expected[Int(ids[t]) * width + d] += dy[t * width + d] }
        }
        KernelConditions.forEach { conditions in
            var dtable = [Float](repeating: 0.5, count: vocabulary * width)
            unsafe ck_embedding_backward(tokens, width, ids, dy, &dtable)
            #expect(bits(dtable) == bits(expected), "\(conditions)")
        }
    }
}
