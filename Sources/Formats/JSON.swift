/// A JSON value; whole numbers that fit `Int` stay whole, objects keep the order of their keys.
package enum JSON: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSON])
    case object(JSONObject)

    /// The text, or nil for any other kind of value.
    package var string: String? { if case .string(let value) = self { value } else { nil } }

    /// The truth value, or nil for any other kind of value.
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

    /// The whole number (`8` and `8.0` alike, since JSON has one kind of number), or nil.
    package var int: Int? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int(exactly: value)
        default: nil
        }
    }

    /// The number, whole or not, or nil for any other kind of value.
    package var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The elements, or nil for any other kind of value.
    package var array: [JSON]? { if case .array(let value) = self { value } else { nil } }

    /// The object, or nil for any other kind of value.
    package var object: JSONObject? { if case .object(let value) = self { value } else { nil } }

    /// Whether this is `null`.
    package var isNull: Bool { if case .null = self { true } else { false } }

    /// The value of a key; nil when this is no object or the key is missing.
    package subscript(_ key: String) -> JSON? { object?[key] }

    /// An element; nil when this is no array or the index lies outside it.
    package subscript(_ index: Int) -> JSON? {
        guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
        return elements[index]
    }

    /// The kind of value in words, for messages: «an object», «a string».
    package var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }
    package init(floatLiteral value: Double) { self = .number(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(JSONObject(elements))
    }
}
