import Models
import Tensors

/// Decode steps on a GPU: one upload of all that changes from step to step, one launch of a graph,
/// one download of what was drawn.
///
/// A graph is captured for each shape of step (`DecodeShape`) when that comes the second time; the
/// first time loads the kernels and chooses the products' algorithms. Steps that read prompts, and
/// such of several adapters, whose rows change places from step to step, are none of these.
final class DecodeGraphs {
    private let decoder: Decoder
    private let cuda: CUDADevice
    private let maxSequences: Int
    private let maxModelLength: Int
    private var graphs: [DecodeShape: DecodeGraph] = [:]
    /// What all graphs compute in: one is launched at a time.
    private var memory: CUDAGraphMemory?

    /// None where the host computes.
    init?(decoder: Decoder, maxSequences: Int, maxModelLength: Int) {
        guard case .cuda(let cuda) = decoder.device else { return nil }
        self.decoder = decoder
        self.cuda = cuda
        self.maxSequences = maxSequences
        self.maxModelLength = maxModelLength
    }

    /// Whether a step that gives each of these requests a token, and does nothing else, is one.
    func serve(_ requests: [ActiveRequest]) -> Bool {
        guard let first = requests.first else { return false }
        return requests.allSatisfy { $0.adapter == first.adapter }
    }

    /// Starts a step.
    ///
    /// - Returns: what it draws, `[rows, 2]`, in the order of the entries; rows after those mean
    ///   nothing. `nil` where the step is none for a graph.
    func start(
        _ scheduled: [ScheduledRequest], of running: [ActiveRequest], cache: KVCache,
        adapters: [String: EngineAdapter]
    ) -> FetchedResults? {
        guard scheduled.allSatisfy({ $0.samples && $0.positions.count == 1 }) else { return nil }
        let requests = scheduled.map { running[$0.index] }
        guard serve(requests) else { return nil }
        let V = decoder.config.vocabularySize
        let shape = DecodeShape(
            for: requests, vocabularySize: V, maxSequences: maxSequences,
            mostBlocks: (maxModelLength + cache.blockSize - 1) / cache.blockSize)
        let step = DecodeStep(
            shape: shape, requests: requests, blockSize: cache.blockSize, vocabularySize: V,
            logitsRows: DecodeGraph.logitsRows)
        let graph =
            graphs[shape]
            ?? DecodeGraph(
                shape, decoder, on: cuda, cache: cache,
                adapter: shape.adapter.flatMap { adapters[$0]?.weights },
                positions: min(shape.tableStride * cache.blockSize, maxModelLength))
        graphs[shape] = graph
        let memory = memory ?? CUDAGraphMemory(of: cuda)
        self.memory = memory
        graph.start(step.values, memory)
        return graph.results
    }

    /// Forgets all graphs, which hold the cache that they were captured with.
    func removeAll() {
        graphs.removeAll()
        memory = nil
    }

    /// Forgets the graphs that an adapter of this name was captured in: its memory is another now.
    func remove(adapter name: String) {
        graphs = graphs.filter { $0.key.adapter != name }
    }
}

/// A decode step of one shape: its lists, and the graph of its launches.
private final class DecodeGraph {
    /// The most rows of logits held at once, in memory that all larger steps share: 128 rows of
    /// 150,000 words are 77 MB.
    static let logitsRows = 128

    private let shape: DecodeShape
    private let decoder: Decoder
    private let cuda: CUDADevice
    private let lists: DeviceLists
    private let input: DecoderInput
    private let adapters: [AdapterRun]
    /// `[rows, 2]`, as `CUDADevice.sample` writes them.
    let results: FetchedResults
    /// Weights that may have a copy which their writers do not renew, each memory once.
    private let copiedWeights: [Tensor]
    /// What the launches read beside all this.
    private let tables: [Tensor]
    private var hasRun = false
    private var graph: CUDAGraph?

    /// - Parameter positions: those of the step's tokens are below.
    init(
        _ shape: DecodeShape, _ decoder: Decoder, on cuda: CUDADevice, cache: KVCache,
        adapter: AdapterWeights?, positions: Int
    ) {
        let counts = DecodeList.allCases.map { $0.count(shape) }
        let lists = DeviceLists(counts: counts, on: cuda)
        func list(_ list: DecodeList, below limit: Int) -> TokenIndices {
            lists.list(list.rawValue, below: limit)
        }
        let plan = PagedPlan(
            decoding: list(.starts, below: shape.rows + 1),
            lengths: list(.lengths, below: positions + 1),
            tables: list(.tables, below: cache.blockCount), tableStride: shape.tableStride,
            slots: list(.slots, below: cache.blockCount * cache.blockSize))
        input = DecoderInput(
            tokens: list(.tokens, below: decoder.config.vocabularySize),
            positions: list(.positions, below: positions), attention: .paged(plan, cache))
        adapters = adapter.map { [AdapterRun($0, rows: 0..<shape.rows)] } ?? []
        results = FetchedResults(shape: [shape.rows, 2], on: cuda)
        tables = decoder.prepare(positions: positions)
        copiedWeights = Self.copiedWeights(decoder, adapter)
        self.shape = shape
        self.decoder = decoder
        self.cuda = cuda
        self.lists = lists
    }

    private static func copiedWeights(_ decoder: Decoder, _ adapter: AdapterWeights?) -> [Tensor] {
        var tensors = (adapter?.all ?? []).flatMap { [$0.A, $0.B] }
        for (_, weight) in decoder.weights.named {
            if case .dense(let tensor) = weight { tensors.append(tensor) }
        }
        var known: Set<ObjectIdentifier> = []
        return tensors.filter {
            $0.dataType == .float32 && known.insert(ObjectIdentifier($0.storage)).inserted
        }
    }

    /// Sends the lists and starts the step.
    func start(_ values: [Int32], _ memory: CUDAGraphMemory) {
        lists.send(values)
        for tensor in copiedWeights { tensor.renewWeightCopy() }
        if hasRun, graph == nil {
            graph = CUDAGraph.capture(on: cuda, memory: memory) { compute() }.graph
        }
        if let graph {
            graph.launch()
        } else {
            compute()
            hasRun = true
        }
        results.fetch()
    }

    private func compute() {
        let hidden_TD = decoder.hidden(input, adapters: adapters)
        var start = 0
        while start < shape.rows {
            let rows = start..<min(start + Self.logitsRows, shape.rows)
            let logits_NV = decoder.logits(hidden_TD.rows(rows))
            forbid(rows, logits_NV)
            cuda.sample(
                logits_NV, settings: list(.choices, rows, width: 4, below: Int(Int32.max)),
                results: results.tensor.rows(rows))
            start = rows.upperBound
        }
    }

    private func forbid(_ rows: Range<Int>, _ logits_NV: Tensor) {
        let width = shape.forbiddenCount
        guard width > 0 else { return }
        cuda.forbid(
            list(.forbiddenTokens, rows, width: width, below: logits_NV.columns),
            inRows: list(.forbiddenRows, rows, width: width, below: rows.count), of: logits_NV)
    }

    /// What a list says of some rows, `width` values each.
    private func list(
        _ list: DecodeList, _ rows: Range<Int>, width: Int, below limit: Int
    ) -> TokenIndices {
        lists.list(
            list.rawValue, rows.lowerBound * width..<rows.upperBound * width, below: limit)
    }
}
