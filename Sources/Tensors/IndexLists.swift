/// Lists that kernels of a device read of one plan, each made once for all layers that follow it.
final class IndexLists {
    private var lists: [String: TokenIndices] = [:]

    /// The list called `name`, which `values` gives when it is first asked for.
    func list(_ name: String, _ values: () -> [Int32]) -> TokenIndices {
        if let list = lists[name] { return list }
        let list = TokenIndices(values())
        lists[name] = list
        return list
    }
}
