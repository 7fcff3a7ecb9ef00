/// Finds the known key that an unknown one most likely meant.
package enum NearestName {
    /// The nearest of the known keys, or nil when none is near enough to be worth saying.
    ///
    /// Compared over the whole key (a slip in any part) and over the last part alone (the right
    /// name in the wrong group), by edit distance.
    package static func suggestion(for unknown: String, among known: [String]) -> String? {
        let last = lastPart(unknown)
        let scored = known.compactMap { key -> (key: String, score: Int, whole: Int)? in
            let whole = distance(unknown, key)
            let lastDistance = distance(last, lastPart(key))
            let withinLast = lastDistance <= max(1, last.utf8.count / 3)
            let withinWhole = whole <= max(2, unknown.utf8.count / 6)
            guard withinLast || withinWhole else { return nil }
            return (key, min(whole, withinLast ? lastDistance : whole), whole)
        }
        // A bare name says nothing of its group, so among equals the first known one stands.
        let isBare = !unknown.contains(".")
        return scored.min {
            ($0.score, isBare ? 0 : $0.whole) < ($1.score, isBare ? 0 : $1.whole)
        }?.key
    }

    /// The number of letters to insert, remove, replace or swap with a neighbour.
    static func distance(_ first: String, _ second: String) -> Int {
        let rows = Array(first.utf8)
        let columns = Array(second.utf8)
        var beforePrevious: [Int] = []
        var previous = Array(0...columns.count)
        for row in rows.indices {
            var current = [row + 1]
            for column in columns.indices {
                let change = rows[row] == columns[column] ? 0 : 1
                var cost = min(
                    previous[column] + change, previous[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, rows[row] == columns[column - 1],
                    rows[row - 1] == columns[column]
                {
                    cost = min(cost, beforePrevious[column - 1] + 1)
                }
                current.append(cost)
            }
            beforePrevious = previous
            previous = current
        }
        return previous[columns.count]
    }

    private static func lastPart(_ key: String) -> String {
        String(key.split(separator: ".").last ?? "")
    }
}
