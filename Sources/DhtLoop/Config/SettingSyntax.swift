// RO:WHAT  SettingSyntax: what text a setting takes, and which value it means.
// RO:WHY   A kind of setting is parsed, clamped, refused and described by one rule.
// RO:TEST  Tests/DhtLoopTests/Config/SettingTests.swift

/// The text of a setting and its value, both ways.
struct SettingSyntax<Value: Sendable>: Sendable {
    /// What became of a text.
    enum Reading {
        case value(Value)
        /// Out of range; the nearest that is in it.
        case clamped(Value)
        /// No value at all.
        case refused(accepts: String, item: String? = nil)
    }

    /// What is accepted, as help and documents say it.
    let accepts: @Sendable () -> String
    /// Reads a text without spaces around it. Ranges may hang on settings that were read earlier.
    let read: @Sendable (_ text: String, _ earlier: SettingValues) -> Reading
    /// The text of a value as `read` takes it; empty for none.
    let write: @Sendable (Value) -> String
    /// The value in range that is nearest to a default.
    let fit: @Sendable (_ initial: Value, _ earlier: SettingValues) -> Value

    init(
        accepts: @autoclosure @escaping @Sendable () -> String,
        read: @escaping @Sendable (String, SettingValues) -> Reading,
        write: @escaping @Sendable (Value) -> String,
        fit: @escaping @Sendable (Value, SettingValues) -> Value = { value, _ in value }
    ) {
        (self.accepts, self.read, self.write, self.fit) = (accepts, read, write, fit)
    }
}

// MARK: - Numbers

/// A whole number's range, the upper end of which may be another setting's value.
private struct IntegerBounds: Sendable {
    let least: Int
    let most: Int
    let other: (KeyPath<NodeSettings, Setting<Int>> & Sendable)?

    func range(after earlier: SettingValues) -> ClosedRange<Int> {
        guard let other else { return least...most }
        return least...max(least, min(most, earlier[NodeSettings.all[keyPath: other]]))
    }

    var description: String {
        let name = other.map { NodeSettings.all[keyPath: $0].name }
        return switch (most, name) {
        case (.max, nil): "from \(least) to no limit"
        case (.max, .some(let name)): "from \(least) to \(name)"
        case (_, nil): "from \(least) to \(most)"
        case (_, .some(let name)): "from \(least) to \(most) or \(name)"
        }
    }
}

extension SettingSyntax where Value == Int {
    /// A whole number, clamped into `range` and to what `other`, declared above, got.
    static func integer(
        _ range: ClosedRange<Int>, atMost other: (KeyPath<NodeSettings, Setting<Int>> & Sendable)? = nil
    ) -> Self {
        let bounds = IntegerBounds(least: range.lowerBound, most: range.upperBound, other: other)
        return Self(
            accepts: bounds.description,
            read: { text, earlier in
                let range = bounds.range(after: earlier)
                guard let number = saturatingInteger(text) else {
                    let words =
                        range.upperBound == .max
                        ? "of \(range.lowerBound) or more"
                        : "from \(range.lowerBound) to \(range.upperBound)"
                    return .refused(accepts: "a whole number \(words)")
                }
                guard Int(text) != nil, range.contains(number) else {
                    return .clamped(number.clamped(to: range))
                }
                return .value(number)
            },
            write: { String($0) },
            fit: { $0.clamped(to: bounds.range(after: $1)) })
    }

    /// 0 for off, or a whole number that is clamped into `range`.
    static func integerOrOff(_ range: ClosedRange<Int>) -> Self {
        let words = "from \(range.lowerBound) to \(range.upperBound)"
        return Self(
            accepts: "0 for off, or \(words)",
            read: { text, _ in
                guard let number = saturatingInteger(text) else {
                    return .refused(accepts: "0, or a whole number \(words)")
                }
                let accepted = number <= 0 ? 0 : number.clamped(to: range)
                return accepted == number ? .value(number) : .clamped(accepted)
            },
            write: { String($0) })
    }
}

/// Parses a decimal integer of any length; what does not fit an `Int` becomes its nearest end.
private func saturatingInteger(_ text: String) -> Int? {
    if let number = Int(text) { return number }
    let negative = text.hasPrefix("-")
    let digits = negative || text.hasPrefix("+") ? text.dropFirst() : text[...]
    guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
    return negative ? .min : .max
}

extension Int {
    fileprivate func clamped(to range: ClosedRange<Int>) -> Int {
        Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
    }
}

// MARK: - Words

extension SettingSyntax where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the words of `Value`, in any case; `aliases` are other spellings of them.
    static func choice(aliases: [String: String] = [:]) -> Self {
        let words = "one of " + Value.allCases.map(\.rawValue).joined(separator: ", ")
        return Self(
            accepts: words,
            read: { text, _ in
                let word = text.lowercased()
                return Value(rawValue: aliases[word] ?? word).map { .value($0) } ?? .refused(accepts: words)
            },
            write: { $0.rawValue })
    }
}

extension SettingSyntax where Value == Bool {
    /// 1/true/yes/on or 0/false/no/off.
    static var toggle: Self {
        Self(
            accepts: "1 or 0",
            read: { text, _ in
                switch text.lowercased() {
                case "1", "true", "yes", "on": .value(true)
                case "0", "false", "no", "off": .value(false)
                default: .refused(accepts: "1, true, yes, on, 0, false, no or off")
                }
            },
            write: { $0 ? "1" : "0" })
    }
}

// MARK: - Texts

extension SettingSyntax where Value == String {
    /// `host:port` to listen at; port 0 asks the kernel for one.
    static var listenAddress: Self { address(leastPort: 0) }
    /// `host:port` as others dial it; port 1...65535.
    static var endpoint: Self { address(leastPort: 1) }

    private static func address(leastPort: Int) -> Self {
        Self(
            accepts: "host:port",
            read: { text, _ in
                guard HostPort.isValid(text, leastPort: leastPort) else {
                    return .refused(
                        accepts: "host:port or [v6]:port with a port from \(leastPort) to 65535")
                }
                return .value(text)
            },
            write: { $0 })
    }
}

extension SettingSyntax where Value == String? {
    /// A file's path, or none. Whether it can be read shows when it is.
    static var path: Self {
        Self(
            accepts: "a path", read: { text, _ in .value(text.isEmpty ? nil : text) }, write: { $0 ?? "" })
    }
}

extension SettingSyntax where Value == NodeID {
    static var nodeID: Self {
        Self(
            accepts: "64 hexadecimal digits",
            read: { text, _ in
                guard let id = NodeID(hex: text), !id.isZero else {
                    return .refused(accepts: "64 hexadecimal digits, not all zero")
                }
                return .value(id)
            },
            write: { $0.description })
    }
}

extension SettingSyntax where Value == [String] {
    /// Endpoints or names of peers with commas between them, at most `limit`; `none` is the empty list.
    static func endpoints(limit: Int) -> Self {
        Self(
            accepts: "host:port, up to \(limit) of them, or none",
            read: { text, _ in
                let items = text == "none" ? [] : text.split(separator: ",").map { String($0).trimmed }
                let given = items.filter { !$0.isEmpty }
                if let bad = given.first(where: { $0.contains(":") && !HostPort.isValid($0, leastPort: 1) }) {
                    return .refused(
                        accepts: "host:port, [v6]:port or the name of a peer in the peers file", item: bad)
                }
                return given.count > limit ? .clamped(Array(given.prefix(limit))) : .value(given)
            },
            write: { $0.joined(separator: ",") })
    }
}

extension SettingSyntax {
    /// As `syntax`, for a setting that need not have a value.
    static func optional<Wrapped>(_ syntax: SettingSyntax<Wrapped>) -> Self where Value == Wrapped? {
        Self(
            accepts: syntax.accepts(),
            read: { text, earlier in
                switch syntax.read(text, earlier) {
                case .value(let value): .value(value)
                case .clamped(let value): .clamped(value)
                case .refused(let accepts, let item): .refused(accepts: accepts, item: item)
                }
            },
            write: { $0.map(syntax.write) ?? "" })
    }
}
