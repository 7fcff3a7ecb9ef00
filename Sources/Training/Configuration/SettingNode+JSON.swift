package import Formats
package import Settings

extension JSON {
    /// A setting as JSON: text without quotes becomes the number or truth value it reads as.
    package init(_ node: SettingNode) {
        switch node.content {
        case .scalar(let text, _):
            switch node.scalar {
            case .null, nil: self = .null
            case .bool(let value): self = .bool(value)
            case .integer(let value): self = .integer(value)
            case .double(let value) where value.isFinite: self = .number(value)
            case .double, .string: self = .string(text)
            }
        case .list(let items):
            self = .array(items.map { JSON($0) })
        case .map(let map):
            self = .object(JSONObject(map.entries.map { ($0.name, JSON($0.value)) }))
        }
    }
}
