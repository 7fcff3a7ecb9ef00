/// A set of Unicode general categories, one bit for each of the thirty.
struct UnicodeCategories: OptionSet, Hashable, Sendable {
    let rawValue: UInt32

    init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// The categories at these places of the order Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi
    /// Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn.
    private init(places: ClosedRange<UInt32>) {
        rawValue = places.reduce(0) { $0 | (1 << $1) }
    }

    static let letters = UnicodeCategories(places: 0...4)
    static let marks = UnicodeCategories(places: 5...7)
    static let decimalDigits = UnicodeCategories(places: 8...8)
    static let numbers = UnicodeCategories(places: 8...10)
    static let connectors = UnicodeCategories(places: 11...11)
    static let punctuation = UnicodeCategories(places: 11...17)

    /// What `\w` means to Oniguruma, the engine behind Hugging Face's tokenizers.
    static let wordCharacters: UnicodeCategories = [.letters, .marks, .numbers, .connectors]

    /// The categories a regex calls `\p{name}`, or nil when no category has that name.
    init?(named name: String) {
        guard let places = Self.placesByName[name.lowercased()] else { return nil }
        self.init(places: places)
    }

    private static let placesByName: [String: ClosedRange<UInt32>] = {
        let order =
            "lu ll lt lm lo mn mc me nd nl no pc pd ps pe pi pf po sm sc sk so zs zl zp cc cf cs co cn"
        var places: [String: ClosedRange<UInt32>] = [
            "l": 0...4, "letter": 0...4, "m": 5...7, "mark": 5...7, "n": 8...10, "number": 8...10,
            "p": 11...17, "punctuation": 11...17, "punct": 11...17, "s": 18...21, "symbol": 18...21,
            "z": 22...24, "separator": 22...24, "c": 25...29, "other": 25...29, "lc": 0...2,
            "uppercase_letter": 0...0, "lowercase_letter": 1...1, "titlecase_letter": 2...2,
            "modifier_letter": 3...3, "other_letter": 4...4, "decimal_number": 8...8,
        ]
        for (place, name) in order.split(separator: " ").enumerated() {
            places[String(name)] = UInt32(place)...UInt32(place)
        }
        return places
    }()

    /// Whether the scalar with this value has one of the categories.
    @inline(__always)
    func contains(scalar: UInt32) -> Bool {
        rawValue & (1 << UInt32(UnicodeTable.place(of: scalar))) != 0
    }
}

/// The general category of every scalar, by its place in the order of `UnicodeCategories`.
enum UnicodeTable {
    /// One byte for each scalar of the basic plane: text seldom leaves it.
    static let basicPlane: [UInt8] = (0..<UInt32(0x10000)).map { slowPlace(of: $0) }

    @inline(__always)
    static func place(of scalar: UInt32) -> UInt8 {
        scalar < 0x10000 ? basicPlane[Int(scalar)] : slowPlace(of: scalar)
    }

    /// Whether the scalar has the property White_Space, which is what `\s` means.
    @inline(__always)
    static func isWhitespace(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x09...0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F,
            0x3000:
            true
        default: false
        }
    }

    private static func slowPlace(of scalar: UInt32) -> UInt8 {
        guard let scalar = Unicode.Scalar(scalar) else { return 27 }
        return switch scalar.properties.generalCategory {
        case .uppercaseLetter: 0
        case .lowercaseLetter: 1
        case .titlecaseLetter: 2
        case .modifierLetter: 3
        case .otherLetter: 4
        case .nonspacingMark: 5
        case .spacingMark: 6
        case .enclosingMark: 7
        case .decimalNumber: 8
        case .letterNumber: 9
        case .otherNumber: 10
        case .connectorPunctuation: 11
        case .dashPunctuation: 12
        case .openPunctuation: 13
        case .closePunctuation: 14
        case .initialPunctuation: 15
        case .finalPunctuation: 16
        case .otherPunctuation: 17
        case .mathSymbol: 18
        case .currencySymbol: 19
        case .modifierSymbol: 20
        case .otherSymbol: 21
        case .spaceSeparator: 22
        case .lineSeparator: 23
        case .paragraphSeparator: 24
        case .control: 25
        case .format: 26
        case .surrogate: 27
        case .privateUse: 28
        case .unassigned: 29
        @unknown default: 29
        }
    }
}
