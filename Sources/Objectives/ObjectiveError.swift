/// An objective that cannot be computed: one sentence that names the setting or input at fault.
package struct ObjectiveError: Error, CustomStringConvertible, Equatable {
    /// The sentence: what was found, and what would be right.
    package let message: String

    /// An error with its sentence.
    package init(_ message: String) {
        self.message = message
    }

    package var description: String { message }
}

extension ObjectiveError {
    /// The error of a name that is in no registry; it lists what is known and the nearest of them.
    ///
    /// - Parameters:
    ///   - kind: what the name should have named, for example "policy loss".
    ///   - name: the name that was found.
    ///   - known: every name that would be right.
    package static func unknown(_ kind: String, _ name: String, known: [String]) -> ObjectiveError {
        let nearest = known.min { editDistance($0, name) < editDistance($1, name) }
        let suggestion = nearest.map { " (nearest: \"\($0)\")" } ?? ""
        let list = known.joined(separator: ", ")
        return ObjectiveError(
            "There is no \(kind) called \"\(name)\"\(suggestion); known are \(list).")
    }
}

/// Levenshtein distance between two names, in UTF-8 bytes.
private func editDistance(_ first: String, _ second: String) -> Int {
    let target = Array(second.utf8)
    var row = Array(0...target.count)
    for (i, byte) in first.utf8.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for j in target.indices {
            let substitution = diagonal + (target[j] == byte ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(substitution, row[j] + 1, diagonal + 1)
        }
    }
    return row[target.count]
}

/// Refuses a setting that is not finite or not in its range; the message names verl's key.
func checkSetting(
    _ key: String, _ value: Double, _ range: String, _ isRight: (Double) -> Bool
) throws(ObjectiveError) {
    guard value.isFinite, isRight(value) else {
        throw ObjectiveError("\(key) must be \(range), but it is \(value).")
    }
}
