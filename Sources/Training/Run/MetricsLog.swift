package import Formats

/// The run's numbers, one JSON line a step as verl's file logger writes them:
/// `{"step": 3, "data": {"critic/score/mean": 0.5, ...}}`.
package struct MetricsLog: ~Copyable {
    private var writer: JSONLinesWriter

    /// Opens the log at `path`.
    ///
    /// - Parameters:
    ///   - step: where the run goes on; rows of later steps, which will be made again, are dropped.
    package init(path: String, resumingAfter step: Int) throws(FormatError) {
        if fileExists(path) {
            // Mends a last row that a crash cut off, which could not be read.
            _ = try JSONLinesWriter(appendingTo: path)
            let rows = try JSONLinesReader(path: path).rest().map(\.value)
            let kept = rows.filter { ($0["step"]?.int ?? .max) <= step }
            if kept.count < rows.count {
                let text = kept.map { $0.serialized() + "\n" }.joined()
                try AtomicFile.write(text, to: path)
            }
        }
        writer = try JSONLinesWriter(appendingTo: path)
    }

    /// Adds the numbers of one step; one that is not finite is written as null.
    package mutating func append(step: Int, _ metrics: [String: Double]) throws(FormatError) {
        let data = metrics.sorted { $0.key < $1.key }.map { key, value in
            (key, value.isFinite ? JSON.number(value) : JSON.null)
        }
        try writer.append(["step": .integer(step), "data": .object(JSONObject(data))])
    }
}
