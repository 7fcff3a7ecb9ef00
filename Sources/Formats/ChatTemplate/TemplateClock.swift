#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The time a template sees through `strftime_now`.
struct TemplateClock: Sendable {
    let now: Date
    let timeZone: TimeZone

    /// The present moment where this machine is.
    static var system: TemplateClock { TemplateClock(now: Date(), timeZone: .current) }

    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September",
        "October", "November", "December",
    ]
    private static let days = [
        "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
    ]

    /// The time in a format of C's `strftime`, in English.
    func text(_ format: String) throws(TemplateProblem) -> String {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = timeZone
        let parts = calendar.dateComponents(
            [.year, .month, .day, .hour, .minute, .second, .weekday], from: now)
        var result = ""
        var isField = false
        for scalar in format.unicodeScalars {
            if isField {
                result += try field(scalar, parts, calendar)
                isField = false
            } else if scalar == "%" {
                isField = true
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return isField ? result + "%" : result
    }

    private func field(
        _ field: Unicode.Scalar, _ parts: DateComponents, _ calendar: Calendar
    ) throws(TemplateProblem) -> String {
        let (year, month, day) = (parts.year ?? 0, parts.month ?? 1, parts.day ?? 1)
        let (hour, minute, second) = (parts.hour ?? 0, parts.minute ?? 0, parts.second ?? 0)
        let monthName = Self.months[(month - 1) % 12]
        let dayName = Self.days[((parts.weekday ?? 1) - 1) % 7]
        switch field {
        case "Y": return String(year)
        case "y": return padded(year % 100)
        case "m": return padded(month)
        case "d": return padded(day)
        case "e": return day < 10 ? " \(day)" : String(day)
        case "H": return padded(hour)
        case "I": return padded((hour + 11) % 12 + 1)
        case "M": return padded(minute)
        case "S": return padded(second)
        case "p": return hour < 12 ? "AM" : "PM"
        case "B": return monthName
        case "b", "h": return String(monthName.prefix(3))
        case "A": return dayName
        case "a": return String(dayName.prefix(3))
        case "j":
            let ordinal = calendar.ordinality(of: .day, in: .year, for: now) ?? 1
            return String(repeating: "0", count: max(0, 3 - String(ordinal).count))
                + String(ordinal)
        case "F": return "\(year)-\(padded(month))-\(padded(day))"
        case "T": return "\(padded(hour)):\(padded(minute)):\(padded(second))"
        case "%": return "%"
        default: throw TemplateProblem("strftime_now does not know '%\(field)'")
        }
    }

    private func padded(_ value: Int) -> String { value < 10 ? "0\(value)" : String(value) }
}
