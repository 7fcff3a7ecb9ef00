/// Keys with values in the order in which they were written; look-up by key takes constant time.
///
/// Keys are compared byte by byte: `String` would take a composed and a decomposed «é» for the same
/// key, and a vocabulary holds both.
package struct JSONObject: Sendable, Sequence, ExpressibleByDictionaryLiteral {
    package typealias Key = String
    package typealias Value = JSON

    private var entries: [(key: String, value: JSON)]
    /// Position of each key in `entries`; empty while a linear search is as quick.
    private var positions: [KeyBytes: Int]

    /// Up to this many keys are searched one after the other: most objects in a file are this
    /// small.
    private static let linearLimit = 8

    /// An object without keys.
    package init() {
        entries = []
        positions = [:]
    }

    /// An object with these keys in this order; of duplicates the last value wins, at the first
    /// place.
    package init(_ pairs: [(String, JSON)]) {
        self.init()
        entries.reserveCapacity(pairs.count)
        for (key, value) in pairs { self[key] = value }
    }

    package init(dictionaryLiteral elements: (String, JSON)...) { self.init(elements) }

    /// Number of keys.
    package var count: Int { entries.count }

    /// Whether there is no key.
    package var isEmpty: Bool { entries.isEmpty }

    /// The keys in order.
    package var keys: [String] { entries.map(\.key) }

    /// The values in the order of the keys.
    package var values: [JSON] { entries.map(\.value) }

    /// The value of a key; setting a new key appends it, setting nil removes it.
    package subscript(_ key: String) -> JSON? {
        get {
            guard let position = position(of: key) else { return nil }
            return entries[position].value
        }
        set {
            switch (position(of: key), newValue) {
            case (let position?, let value?): entries[position].value = value
            case (nil, let value?): append(key, value)
            case (let position?, nil): remove(at: position)
            case (nil, nil): break
            }
        }
    }

    package func makeIterator() -> IndexingIterator<[(key: String, value: JSON)]> {
        entries.makeIterator()
    }

    package var underestimatedCount: Int { entries.count }

    private func position(of key: String) -> Int? {
        if entries.count > Self.linearLimit { return positions[KeyBytes(text: key)] }
        return entries.firstIndex { $0.key.utf8.elementsEqual(key.utf8) }
    }

    private mutating func append(_ key: String, _ value: JSON) {
        entries.append((key, value))
        if entries.count == Self.linearLimit + 1 {
            indexKeys()
        } else if entries.count > Self.linearLimit {
            positions[KeyBytes(text: key)] = entries.count - 1
        }
    }

    private mutating func remove(at position: Int) {
        entries.remove(at: position)
        positions.removeAll(keepingCapacity: true)
        if entries.count > Self.linearLimit { indexKeys() }
    }

    private mutating func indexKeys() {
        for (position, entry) in entries.enumerated() {
            positions[KeyBytes(text: entry.key)] = position
        }
    }

    private struct KeyBytes: Hashable, Sendable {
        let text: String

        static func == (left: KeyBytes, right: KeyBytes) -> Bool {
            left.text.utf8.elementsEqual(right.text.utf8)
        }

        /// FNV-1a over the bytes, then the seeded hasher once: quicker than feeding it byte by
        /// byte.
        func hash(into hasher: inout Hasher) {
            var digest: UInt64 = 0xCBF2_9CE4_8422_2325
            for byte in text.utf8 { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01B3 }
            hasher.combine(digest)
        }
    }
}

extension JSONObject: Equatable {
    /// Same keys with same values; the order of keys means nothing in JSON.
    package static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count && left.allSatisfy { right[$0.key] == $0.value }
    }
}
