/// What is cut from a prompt that has too many tokens (`data.truncation`).
package enum PromptTruncation: String, CaseIterable, Sendable {
    /// Nothing: it is an error that names the row.
    case error
    /// The beginning.
    case left
    /// The end.
    case right
    /// The middle: half of the room goes to the beginning, the rest to the end.
    case middle

    /// The ids that stay of a prompt, or nil where there are too many and nothing may be cut.
    package func apply(to ids: [Int32], maxLength: Int) -> [Int32]? {
        guard ids.count > maxLength else { return ids }
        switch self {
        case .error: return nil
        case .left: return Array(ids.suffix(maxLength))
        case .right: return Array(ids.prefix(maxLength))
        case .middle:
            let head = maxLength / 2
            return Array(ids.prefix(head) + ids.suffix(maxLength - head))
        }
    }
}
