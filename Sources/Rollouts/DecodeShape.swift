import Models
import Tensors

/// All that the launches of a captured decode step have fixed; the rest they read from lists.
struct DecodeShape: Hashable {
    /// Rows of the step, one a sequence; the last ones may be idle.
    let rows: Int
    /// Places for blocks in a sequence's table.
    let tableStride: Int
    /// Tokens that each row can forbid.
    let forbiddenCount: Int
    /// The adapter that serves all rows; `nil` is the base.
    let adapter: String?

    /// The shape that serves a step of these requests, which have one adapter: sizes are rounded up,
    /// so that few shapes serve all steps.
    ///
    /// - Parameters:
    ///   - maxSequences: the most requests that run at once.
    ///   - mostBlocks: the most that a table ever has.
    init(
        for requests: [ActiveRequest], vocabularySize: Int, maxSequences: Int, mostBlocks: Int
    ) {
        let count = requests.count
        let bucket = count <= 8 ? Self.powerOfTwo(atLeast: count) : (count + 7) / 8 * 8
        rows = max(count, min(bucket, maxSequences))
        let blocks = requests.map(\.table.count).max() ?? 1
        tableStride = max(blocks, min(Self.powerOfTwo(atLeast: max(8, blocks)), mostBlocks))
        let forbidden = requests.map { $0.forbiddenCount(below: vocabularySize) }.max() ?? 0
        forbiddenCount = forbidden == 0 ? 0 : Self.powerOfTwo(atLeast: forbidden)
        adapter = requests.first?.adapter?.name
    }

    private static func powerOfTwo(atLeast count: Int) -> Int {
        count <= 1 ? 1 : 1 << (Int.bitWidth - (count - 1).leadingZeroBitCount)
    }
}

/// The lists that a captured decode step reads, in their order.
enum DecodeList: Int, CaseIterable {
    case tokens
    case positions
    case slots
    case starts
    case lengths
    case tables
    case choices
    case forbiddenRows
    case forbiddenTokens

    /// Values in the list.
    func count(_ shape: DecodeShape) -> Int {
        switch self {
        case .tokens, .positions, .slots, .lengths: shape.rows
        case .starts: shape.rows + 1
        case .tables: shape.rows * shape.tableStride
        case .choices: shape.rows * 4
        case .forbiddenRows, .forbiddenTokens: shape.rows * shape.forbiddenCount
        }
    }
}

/// The values of all lists of a step that gives each request its next token.
///
/// Idle rows have token 0 at position 0, no sequence and no slot: they write nothing that another
/// row reads.
struct DecodeStep {
    let shape: DecodeShape
    let requests: [ActiveRequest]
    let blockSize: Int
    let vocabularySize: Int
    /// Rows whose logits are there at once.
    let logitsRows: Int

    /// The values, list after list.
    var values: [Int32] {
        var values: [Int32] = []
        values.reserveCapacity(DecodeList.allCases.reduce(0) { $0 + $1.count(shape) })
        var end = 0
        for list in DecodeList.allCases {
            end += list.count(shape)
            append(list, to: &values)
            values += repeatElement(idle(list), count: end - values.count)
        }
        return values
    }

    private func idle(_ list: DecodeList) -> Int32 {
        switch list {
        case .slots, .forbiddenRows: -1
        case .starts: Int32(requests.count)
        default: 0
        }
    }

    private func append(_ list: DecodeList, to values: inout [Int32]) {
        switch list {
        case .tokens: for request in requests { values.append(request.tokens.last ?? 0) }
        case .positions: for request in requests { values.append(Int32(request.tokens.count - 1)) }
        case .slots: for request in requests { values.append(slot(request)) }
        case .starts: values += 0..<Int32(requests.count)
        case .lengths: for request in requests { values.append(Int32(request.tokens.count)) }
        case .tables:
            for request in requests {
                values += request.table
                values += repeatElement(0, count: shape.tableStride - request.table.count)
            }
        case .choices: for request in requests { values += request.nextChoice.words }
        case .forbiddenRows, .forbiddenTokens: appendForbidden(list, to: &values)
        }
    }

    private func slot(_ request: ActiveRequest) -> Int32 {
        let position = request.tokens.count - 1
        return request.table[position / blockSize] * Int32(blockSize) + Int32(position % blockSize)
    }

    private func appendForbidden(_ list: DecodeList, to values: inout [Int32]) {
        guard shape.forbiddenCount > 0 else { return }
        for (row, request) in requests.enumerated() {
            let tokens = request.forbiddenTokens(below: vocabularySize)
            if list == .forbiddenTokens {
                values += tokens
            } else {
                values += repeatElement(Int32(row % logitsRows), count: tokens.count)
            }
            values += repeatElement(idle(list), count: shape.forbiddenCount - tokens.count)
        }
    }
}
