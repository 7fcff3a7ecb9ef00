import Formats
import Tensors

/// The file that keeps a checkpoint's weights as they were quantised, so that later starts map it
/// rather than compute, and all processes share its pages.
///
/// It is a safetensors file with words and scales of each weight and the checksums of both; its
/// metadata say what it was made of. A file of anything else, a cut or a damaged one is not used: to
/// know, every byte is read once when it is opened, which a run does in any case.
package struct QuantizationCache {
    /// Path of the file.
    let path: String
    /// What it is made of, and how.
    private let description: String
    private let matrices: [SourceMatrix]

    /// Changes when the same weights would be quantised or laid out otherwise than before.
    private static let layoutVersion = 1
    private static let descriptionKey = "made_of"
    private static let checksumsName = "checksums"
    /// Digits of a checksum.
    private static let digits = 16

    /// The file in `folder` for some weights of a checkpoint.
    init(
        folder: String, _ checkpoint: SafetensorsCheckpoint, _ kind: Quantization,
        _ matrices: [SourceMatrix]
    ) {
        self.matrices = matrices
        let names = matrices.map { "\($0.name) \($0.tensor.shape) \($0.kind.rawValue)" }
        description =
            "layout \(Self.layoutVersion), weights "
            + "\(hexadecimal(checksum(of: names.joined(separator: "\n")))), of\n"
            + checkpoint.fingerprint
        path = "\(folder)/\(kind.rawValue)-\(hexadecimal(checksum(of: description))).safetensors"
    }

    /// The weights by name, mapped; nil when there is no file.
    ///
    /// - Throws: one sentence when the file cannot be used.
    func read() throws -> [String: QuantizedTensor]? {
        guard fileExists(path) else { return nil }
        let file = try SafetensorsFile(path: path)
        guard file.metadata[Self.descriptionKey] == description else {
            throw ModelError("\(path) was made of something else.")
        }
        var checksums = try file.withBytes(
            of: entry(Self.checksumsName, .u8, [Self.digits * 2 * matrices.count], in: file)
        ) { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0)[...] } }
        func storage(_ name: String, _ type: SafetensorsType, _ byteCount: Int) throws -> Storage {
            let entry = try entry(name, type, [byteCount / 4], in: file)
            let sum = file.withBytes(of: entry) { hexadecimal(checksum(of: $0)) }
            guard checksums.prefix(Self.digits).elementsEqual(sum.utf8) else {
                throw ModelError("\(path): \"\(name)\" has another checksum than when written.")
            }
            checksums = checksums.dropFirst(Self.digits)
            return Storage(mapping: entry, of: file)
        }
        var weights: [String: QuantizedTensor] = [:]
        for matrix in matrices {
            let words = try storage(matrix.wordsName, .u32, matrix.wordByteCount)
            let scales = try storage(matrix.scalesName, .f32, matrix.scaleByteCount)
            weights[matrix.name] = QuantizedTensor(
                shape: matrix.tensor.shape, kind: matrix.kind, words: words, scales: scales)
        }
        return weights
    }

    private func entry(
        _ name: String, _ type: SafetensorsType, _ shape: [Int], in file: SafetensorsFile
    ) throws -> SafetensorsEntry {
        let entry = try file.entry(name)
        guard entry.dtype == type, entry.shape == shape, entry.isAligned else {
            throw ModelError("\(path): \"\(name)\" has another type, shape or alignment.")
        }
        return entry
    }

    /// Makes the file, one weight at a time in memory.
    ///
    /// - Throws: `FormatError` when the folder or the disk does not take it, and what `quantized`
    ///   throws; nothing is left then.
    func write(_ quantized: (SourceMatrix) throws(ModelError) -> QuantizedTensor) throws {
        try withoutActuallyEscaping(quantized) { quantized in
            let pending = PendingWeight()
            var sources = matrices.flatMap { pending.sources(of: $0, quantized) }
            sources.append(
                SafetensorsSource(
                    name: Self.checksumsName, dtype: .u8,
                    shape: [Self.digits * 2 * matrices.count]
                ) { (piece) throws(FormatError) in
                    try piece(unsafe Array(pending.checksums.utf8).span.bytes)
                })
            do {
                try makeFolders(folder)
                try SafetensorsWriter.write(
                    sources, metadata: [Self.descriptionKey: description], to: path)
            } catch {
                throw pending.failure ?? error
            }
        }
    }

    private var folder: String { String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]) }
}

/// The weight that is being written.
private final class PendingWeight {
    var weight: QuantizedTensor?
    /// Of all words and scales so far.
    var checksums = ""
    /// Why a weight could not be quantised.
    var failure: ModelError?

    /// Words and scales of a weight, which is quantised when its words are asked for and forgotten
    /// after its scales.
    func sources(
        of matrix: SourceMatrix,
        _ quantized: @escaping (SourceMatrix) throws(ModelError) -> QuantizedTensor
    ) -> [SafetensorsSource] {
        let words = SafetensorsSource(
            name: matrix.wordsName, dtype: .u32, shape: [matrix.wordByteCount / 4]
        ) { (piece) throws(FormatError) in
            do throws(ModelError) {
                self.weight = try quantized(matrix)
            } catch {
                self.failure = error
                throw FormatError("\(error)")
            }
            try self.weight?.withWordBytes { (bytes) throws(FormatError) in
                try self.give(bytes, to: piece)
            }
        }
        let scales = SafetensorsSource(
            name: matrix.scalesName, dtype: .f32, shape: [matrix.scaleByteCount / 4]
        ) { (piece) throws(FormatError) in
            try self.weight?.withScaleBytes { (bytes) throws(FormatError) in
                try self.give(bytes, to: piece)
            }
            self.weight = nil
        }
        return [words, scales]
    }

    private func give(
        _ bytes: RawSpan, to piece: (RawSpan) throws(FormatError) -> Void
    ) throws(FormatError) {
        checksums += hexadecimal(checksum(of: bytes))
        try piece(bytes)
    }
}

extension SourceMatrix {
    fileprivate var wordsName: String { "\(name).words" }
    fileprivate var scalesName: String { "\(name).scales" }
    fileprivate var wordByteCount: Int { QuantizedTensor.wordByteCount(tensor.shape, kind) }
    fileprivate var scaleByteCount: Int { QuantizedTensor.scaleByteCount(tensor.shape) }
}
