/// A value while a template is rendered, with the meaning Python gives it.
enum TemplateValue {
    /// A variable or an attribute that does not exist, with the words for it.
    case undefined(String)
    case none
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case list([TemplateValue])
    case dictionary(TemplateDictionary)
    /// `namespace(...)`: the one thing an assignment can change.
    case namespace(TemplateNamespace)
    /// `loop` within a `for`.
    case loop(TemplateLoopState)
    case macro(TemplateMacroValue)
    /// A function by its name.
    case function(String)
    /// A method of a value.
    indirect case method(TemplateValue, String)

    init(_ json: JSON) {
        switch json {
        case .null: self = .none
        case .bool(let value): self = .bool(value)
        case .integer(let value): self = .integer(value)
        case .number(let value): self = .number(value)
        case .string(let value): self = .string(value)
        case .array(let values): self = .list(values.map { TemplateValue($0) })
        case .object(let object):
            var dictionary = TemplateDictionary()
            for (key, value) in object { dictionary[.string(key)] = TemplateValue(value) }
            self = .dictionary(dictionary)
        }
    }

    /// Whether an `if` takes it for true.
    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .number(let value): value != 0
        case .string(let value): !value.utf8.isEmpty
        case .list(let values): !values.isEmpty
        case .dictionary(let dictionary): !dictionary.entries.isEmpty
        case .namespace, .loop, .macro, .function, .method: true
        }
    }

    /// The kind of value in words.
    var kind: String {
        switch self {
        case .undefined: "an undefined value"
        case .none: "none"
        case .bool: "a boolean"
        case .integer, .number: "a number"
        case .string: "a text"
        case .list: "a list"
        case .dictionary: "a mapping"
        case .namespace: "a namespace"
        case .loop: "a loop"
        case .macro, .function, .method: "a function"
        }
    }

    /// A truth value counts as 1 or 0.
    var number: Double? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// A truth value counts as 1 or 0.
    var integer: Int? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .integer(let value): value
        default: nil
        }
    }

    var string: String? { if case .string(let value) = self { value } else { nil } }

    static func equal(_ left: TemplateValue, _ right: TemplateValue) -> Bool {
        switch (left, right) {
        case (.undefined, .undefined), (.none, .none): true
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        case (.list(let left), .list(let right)):
            left.count == right.count && zip(left, right).allSatisfy { equal($0, $1) }
        case (.dictionary(let left), .dictionary(let right)):
            left.entries.count == right.entries.count
                && left.entries.allSatisfy { entry in
                    right[entry.key].map { equal($0, entry.value) } ?? false
                }
        case (.integer(let left), .integer(let right)): left == right
        default:
            if let left = left.number, let right = right.number { left == right } else { false }
        }
    }
}

/// Keys with values, in order.
struct TemplateDictionary {
    private(set) var entries: [(key: TemplateValue, value: TemplateValue)] = []

    subscript(_ key: TemplateValue) -> TemplateValue? {
        get { entries.first { TemplateValue.equal($0.key, key) }?.value }
        set {
            let place = entries.firstIndex { TemplateValue.equal($0.key, key) }
            switch (place, newValue) {
            case (let place?, let value?): entries[place].value = value
            case (nil, let value?): entries.append((key, value))
            case (let place?, nil): entries.remove(at: place)
            case (nil, nil): break
            }
        }
    }
}

/// What `namespace()` makes; it is shared by all who hold it.
final class TemplateNamespace {
    var attributes: [String: TemplateValue] = [:]
}

/// What `loop` knows.
final class TemplateLoopState {
    let items: [TemplateValue]
    let depth: Int
    var index = 0
    /// What `loop.changed` was called with last.
    var lastChanged: [TemplateValue]?

    init(items: [TemplateValue], depth: Int) {
        self.items = items
        self.depth = depth
    }

    func attribute(_ name: String) -> TemplateValue? {
        switch name {
        case "index": .integer(index + 1)
        case "index0": .integer(index)
        case "revindex": .integer(items.count - index)
        case "revindex0": .integer(items.count - index - 1)
        case "first": .bool(index == 0)
        case "last": .bool(index == items.count - 1)
        case "length": .integer(items.count)
        case "depth": .integer(depth)
        case "depth0": .integer(depth - 1)
        case "previtem": index > 0 ? items[index - 1] : .undefined("there is no previous item")
        case "nextitem":
            index + 1 < items.count ? items[index + 1] : .undefined("there is no next item")
        default: nil
        }
    }
}

/// A macro with the body of the `call` block it was called from, if it was.
final class TemplateMacroValue {
    let macro: TemplateMacro
    /// The variables the macro sees besides its parameters: those where it was written.
    let scopes: [[String: TemplateValue]]

    init(_ macro: TemplateMacro, scopes: [[String: TemplateValue]]) {
        self.macro = macro
        self.scopes = scopes
    }
}
