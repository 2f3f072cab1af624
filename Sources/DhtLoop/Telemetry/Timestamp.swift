// RO:WHAT  Instants as RFC 3339 text in UTC.
// RO:WHY   Log lines and /version show time; Foundation stays out.

enum Timestamp {
    /// `2025-10-26T22:05:00.000Z` for microseconds since 1970.
    static func text(wallUs: UInt64) -> String {
        let seconds = Int(wallUs / 1_000_000)
        let (year, month, day) = civil(days: seconds / 86_400)
        let time = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60].map { pad($0, 2) }
        let milliseconds = pad(Int(wallUs / 1000 % 1000), 3)
        return
            "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(time.joined(separator: ":")).\(milliseconds)Z"
    }

    private static func pad(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// The Gregorian date of a day counted from 1970-01-01 (H. Hinnant, "chrono-Compatible Low-Level Date
    /// Algorithms", civil_from_days). The year begins in March there, so that the leap day comes last.
    private static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let march = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * march + 2) / 5 + 1
        let month = march < 10 ? march + 3 : march - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
