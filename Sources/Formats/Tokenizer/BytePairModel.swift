/// Byte-pair encoding over a byte-level vocabulary: words to ids.
///
/// A vocabulary over another alphabet (SentencePiece's, with its byte fallback) differs in
/// `appendSymbols` only: in what a word is made of before the first merge.
struct BytePairModel: Sendable {
    var tokens: TokenTable
    var pairs: PairTable
    /// The id of each byte's character; -1 where the vocabulary lacks it.
    var byteTokens: [Int32]
    /// Stands for a byte without a token; without it such a byte is left out.
    var unknown: Int32?
    /// Whether neighbouring unknown bytes become one token.
    var fusesUnknown: Bool
    /// Whether a word that is a token is not merged together but looked up.
    var ignoresMerges: Bool

    /// What is kept from word to word.
    struct Workspace {
        var merger = BytePairMerger()
        var symbols: [Int32] = []
        var spelling: [UInt8] = []
    }

    /// Appends the ids of a text's words.
    func append(
        _ pieces: PreTokenizer.Pieces, to ids: inout [Int32], cache: inout WordCache,
        workspace: inout Workspace
    ) {
        let bytes = pieces.bytes.span
        for index in pieces.starts.indices {
            let (start, end) = (pieces.starts[index], pieces.ends[index])
            if end - start == 1 {
                appendSymbols(bytes, start, end, to: &ids)
                continue
            }
            let isShort = end - start <= WordCache.longestWord
            let hash = isShort ? hashOfBytes(bytes, start, end) : 0
            if isShort, cache.append(bytes, start, end, hash: hash, to: &ids) { continue }
            encode(bytes, start, end, &workspace)
            ids += workspace.symbols
            if isShort { cache.insert(bytes, start, end, hash: hash, workspace.symbols) }
        }
    }

    /// Leaves the tokens of one word in `workspace.symbols`.
    private func encode(
        _ bytes: Span<UInt8>, _ start: Int, _ end: Int, _ workspace: inout Workspace
    ) {
        workspace.symbols.removeAll(keepingCapacity: true)
        if ignoresMerges, let id = wholeWord(bytes, start, end, &workspace.spelling) {
            workspace.symbols.append(id)
            return
        }
        appendSymbols(bytes, start, end, to: &workspace.symbols)
        workspace.merger.merge(&workspace.symbols, with: pairs)
    }

    /// The token that is the whole word, if there is one.
    private func wholeWord(
        _ bytes: Span<UInt8>, _ start: Int, _ end: Int, _ spelling: inout [UInt8]
    ) -> Int32? {
        spelling.removeAll(keepingCapacity: true)
        for offset in start..<end {
            spelling.append(scalar: ByteLevelAlphabet.characters[Int(bytes[offset])])
        }
        return tokens.id(spelling.span, 0, spelling.count)
    }

    private func appendSymbols(
        _ bytes: Span<UInt8>, _ start: Int, _ end: Int, to symbols: inout [Int32]
    ) {
        var lastIsUnknown = false
        for offset in start..<end {
            let id = byteTokens[Int(bytes[offset])]
            if id >= 0 {
                symbols.append(id)
            } else if let unknown, !(lastIsUnknown && fusesUnknown) {
                symbols.append(unknown)
            }
            lastIsUnknown = id < 0
        }
    }
}
