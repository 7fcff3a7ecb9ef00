/// Unicode's normal forms C and D (UAX #15) of UTF-8 text.
enum CanonicalComposition {
    private struct Tables: Sendable {
        var decompositions: [UInt32: [UInt32]] = [:]
        /// `first << 32 | second` to the scalar the two compose to.
        var compositions: [UInt64: UInt32] = [:]
        /// For the basic plane: whether a scalar may not stand as it is in form C.
        var mayChange: [Bool] = []
        /// The same beyond the basic plane, except for what has a combining class.
        var mayChangeBeyond: Set<UInt32> = []
    }

    private enum Hangul {
        static let syllables: ClosedRange<UInt32> = 0xAC00...0xD7A3
        static let leads: Range<UInt32> = 0x1100..<0x1113
        static let vowels: Range<UInt32> = 0x1161..<0x1176
        /// The first stands for "no final consonant".
        static let tails: Range<UInt32> = 0x11A7..<0x11C3
    }

    private static let tables = makeTables()

    /// The text in form C; text that is in it already, as most is, comes back as it is.
    static func composed(_ bytes: [UInt8]) -> [UInt8] {
        guard mayChange(bytes.span) else { return bytes }
        return encoded(compose(decomposedScalars(bytes.span)))
    }

    /// The text in form D.
    static func decomposed(_ bytes: [UInt8]) -> [UInt8] {
        encoded(decomposedScalars(bytes.span))
    }

    private static func mayChange(_ bytes: Span<UInt8>) -> Bool {
        var offset = 0
        // Every scalar below U+0300 is in form C, and its UTF-8 begins below 0xCC.
        while offset < bytes.count, bytes[offset] < 0xCC { offset += 1 }
        if offset == bytes.count { return false }
        let tables = tables
        while offset < bytes.count {
            let (value, length) = decodeScalar(bytes, at: offset)
            if value < 0x10000 {
                if tables.mayChange[Int(value)] { return true }
            } else if tables.mayChangeBeyond.contains(value) || combiningClass(value) != 0 {
                return true
            }
            offset += length
        }
        return false
    }

    private static func encoded(_ scalars: [UInt32]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(scalars.count * 2)
        for scalar in scalars { bytes.append(scalar: scalar) }
        return bytes
    }

    private static func combiningClass(_ value: UInt32) -> UInt8 {
        guard value >= 0x300, let scalar = Unicode.Scalar(value) else { return 0 }
        return scalar.properties.canonicalCombiningClass.rawValue
    }

    // MARK: Decomposition

    private static func decomposedScalars(_ bytes: Span<UInt8>) -> [UInt32] {
        let tables = tables
        var scalars: [UInt32] = []
        scalars.reserveCapacity(bytes.count)
        var offset = 0
        while offset < bytes.count {
            let (value, length) = decodeScalar(bytes, at: offset)
            decompose(value, tables, into: &scalars)
            offset += length
        }
        reorder(&scalars)
        return scalars
    }

    private static func decompose(
        _ value: UInt32, _ tables: Tables, into scalars: inout [UInt32]
    ) {
        if value < 0xC0 {
            scalars.append(value)
        } else if Hangul.syllables.contains(value) {
            let index = value - Hangul.syllables.lowerBound
            let tailCount = UInt32(Hangul.tails.count)
            let perLead = UInt32(Hangul.vowels.count) * tailCount
            scalars.append(Hangul.leads.lowerBound + index / perLead)
            scalars.append(Hangul.vowels.lowerBound + index % perLead / tailCount)
            if index % tailCount != 0 {
                scalars.append(Hangul.tails.lowerBound + index % tailCount)
            }
        } else if let parts = tables.decompositions[value] {
            for part in parts { decompose(part, tables, into: &scalars) }
        } else {
            scalars.append(value)
        }
    }

    /// Sorts each run of combining marks by class, keeping the order of equals.
    private static func reorder(_ scalars: inout [UInt32]) {
        var run: [(scalar: UInt32, order: UInt8)] = []
        var index = 0
        while index < scalars.count {
            run.removeAll(keepingCapacity: true)
            let start = index
            while index < scalars.count {
                let order = combiningClass(scalars[index])
                if order == 0 { break }
                run.append((scalars[index], order))
                index += 1
            }
            if run.count > 1 {
                // Swift's sort is stable since 5.0 but does not promise it: the place decides.
                let sorted = run.enumerated().sorted {
                    ($0.element.order, $0.offset) < ($1.element.order, $1.offset)
                }
                for (place, item) in sorted.enumerated() {
                    scalars[start + place] = item.element.scalar
                }
            }
            if run.isEmpty { index += 1 }
        }
    }

    // MARK: Composition

    private static func compose(_ scalars: [UInt32]) -> [UInt32] {
        let tables = tables
        var result: [UInt32] = []
        result.reserveCapacity(scalars.count)
        var starter: Int?
        var lastClass: UInt8 = 0
        for scalar in scalars {
            let order = combiningClass(scalar)
            if let place = starter {
                let isAdjacent = place == result.count - 1
                // A mark is blocked by one before it of the same or a higher class.
                if isAdjacent || (lastClass != 0 && lastClass < order),
                    let whole = composition(result[place], scalar, tables)
                {
                    result[place] = whole
                    continue
                }
            }
            if order == 0 { starter = result.count }
            lastClass = order
            result.append(scalar)
        }
        return result
    }

    private static func composition(
        _ first: UInt32, _ second: UInt32, _ tables: Tables
    ) -> UInt32? {
        if Hangul.leads.contains(first), Hangul.vowels.contains(second) {
            let lead = first - Hangul.leads.lowerBound
            let vowel = second - Hangul.vowels.lowerBound
            return Hangul.syllables.lowerBound
                + (lead * UInt32(Hangul.vowels.count) + vowel) * UInt32(Hangul.tails.count)
        }
        if Hangul.syllables.contains(first), Hangul.tails.dropFirst().contains(second),
            (first - Hangul.syllables.lowerBound) % UInt32(Hangul.tails.count) == 0
        {
            return first + second - Hangul.tails.lowerBound
        }
        return tables.compositions[UInt64(first) << 32 | UInt64(second)]
    }

    // MARK: Tables

    private static func makeTables() -> Tables {
        var tables = Tables()
        tables.mayChange = (0..<UInt32(0x10000)).map { combiningClass($0) != 0 }
        func mark(_ value: UInt32) {
            if value < 0x10000 {
                tables.mayChange[Int(value)] = true
            } else {
                tables.mayChangeBeyond.insert(value)
            }
        }
        for value in Hangul.vowels { mark(value) }
        for value in Hangul.tails.dropFirst() { mark(value) }
        for run in CanonicalDecompositions.runs.split(separator: " ") {
            let halves = run.split(separator: ":")
            guard var value = UInt32(halves[0], radix: 16) else { preconditionFailure() }
            for item in halves[1].split(separator: ",") {
                let composes = !item.hasPrefix("!")
                let parts = (composes ? item : item.dropFirst()).split(separator: "+")
                    .compactMap { UInt32($0, radix: 16) }
                tables.decompositions[value] = parts
                if composes, parts.count == 2 {
                    tables.compositions[UInt64(parts[0]) << 32 | UInt64(parts[1])] = value
                    mark(parts[1])
                } else {
                    mark(value)
                }
                value += 1
            }
        }
        return tables
    }
}
