/// The scalars one step of a regex accepts: a character, a class, or an escape such as `\p{L}`.
struct ScalarSet: Sendable {
    private var ranges: [ClosedRange<UInt32>] = []
    private var categories: UnicodeCategories = []
    private var includesWhitespace = false
    private var nested: [ScalarSet] = []
    private(set) var isInverted = false
    /// The answers for ASCII, one bit each, filled in by `finished()`.
    private var asciiLow: UInt64 = 0
    private var asciiHigh: UInt64 = 0

    static var whitespace: ScalarSet {
        var set = ScalarSet()
        set.includesWhitespace = true
        return set
    }

    init() {}

    init(_ categories: UnicodeCategories) {
        self.categories = categories
    }

    init(_ range: ClosedRange<UInt32>) {
        ranges = [range]
    }

    mutating func insert(_ range: ClosedRange<UInt32>) {
        ranges.append(range)
    }

    mutating func insert(_ set: ScalarSet) {
        nested.append(set)
    }

    mutating func invert() {
        isInverted.toggle()
    }

    var inverted: ScalarSet {
        var set = self
        set.invert()
        return set
    }

    /// The set with what other cases of its own characters fold to the same letter.
    func ignoringCase() -> ScalarSet {
        var set = self
        for range in ranges {
            // The scripts with case lie below this; what lies above has no variants to add.
            for value in range where value < 0x1F000 {
                set.ranges += CaseVariants.of(value).map { $0...$0 }
            }
        }
        return set
    }

    /// The set with its table of ASCII answers; call it when nothing more is to be inserted.
    func finished() -> ScalarSet {
        var set = self
        (set.asciiLow, set.asciiHigh) = (0, 0)
        for value in UInt32(0)..<64 {
            if slowlyContains(value) { set.asciiLow |= 1 << UInt64(value) }
            if slowlyContains(value + 64) { set.asciiHigh |= 1 << UInt64(value) }
        }
        return set
    }

    @inline(__always)
    func contains(_ value: UInt32) -> Bool {
        if value < 64 { return asciiLow >> UInt64(value) & 1 != 0 }
        if value < 128 { return asciiHigh >> UInt64(value - 64) & 1 != 0 }
        return slowlyContains(value)
    }

    private func slowlyContains(_ value: UInt32) -> Bool {
        let found =
            categories.contains(scalar: value)
            || (includesWhitespace && UnicodeTable.isWhitespace(value))
            || ranges.contains { $0.contains(value) }
            || nested.contains { $0.slowlyContains(value) }
        return found != isInverted
    }
}

/// The single scalars that differ from another only in case.
enum CaseVariants {
    /// Every scalar whose simple case folding equals that of `value`, other than itself.
    static func of(_ value: UInt32) -> [UInt32] {
        guard let scalar = Unicode.Scalar(value) else { return [] }
        var variants: [UInt32] = []
        for mapping in [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping] {
            let scalars = mapping.unicodeScalars
            if let only = scalars.first, scalars.count == 1, only != scalar {
                variants.append(only.value)
            }
        }
        // Letters which no mapping of the plain letter leads to.
        switch value {
        case 0x53, 0x73: variants.append(0x17F)
        case 0x17F: variants.append(0x73)
        case 0x4B, 0x6B: variants.append(0x212A)
        case 0x212A: variants.append(0x4B)
        case 0xC5, 0xE5: variants.append(0x212B)
        case 0x212B: variants.append(0xC5)
        default: break
        }
        return variants
    }
}
