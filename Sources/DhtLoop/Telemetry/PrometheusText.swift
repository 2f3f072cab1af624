// RO:WHAT  PrometheusText: metric families in the text format, version 0.0.4.
// RO:WHY   On one thread a counter is an integer; what is left of a metrics library is this page.
// RO:INVARIANTS  one HELP and one TYPE line a family, before its samples; families do not repeat.
// RO:SECURITY  label values come from fixed sets, never from peers; they are escaped all the same.
// RO:TEST  Tests/DhtLoopTests/Telemetry/PrometheusTextTests.swift

/// Writes a metrics page into a buffer.
public struct PrometheusText: ~Copyable {
    /// The media type of the page.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private var buffer: ByteBuffer

    /// `capacity` is in bytes.
    public init(capacity: Int = 16_384) { buffer = ByteBuffer(capacity: capacity) }

    /// The page so far.
    public var bytes: UnsafeRawBufferPointer { buffer.bytes }

    /// Starts a new page and keeps the memory.
    public mutating func clear() { buffer.clear() }

    /// A family of one counter. By convention its name ends in `_total`.
    public mutating func counter(_ name: String, _ help: String, _ value: UInt64) {
        begin(name, help, type: "counter")
        sample(name, String(value))
    }

    /// A counter that is no whole number, such as seconds.
    public mutating func counter(_ name: String, _ help: String, _ value: Double) {
        begin(name, help, type: "counter")
        sample(name, Self.text(value))
    }

    /// A family of counters told apart by labels.
    public mutating func counters(_ name: String, _ help: String, _ family: LabelledCounters) {
        begin(name, help, type: "counter")
        for (values, count) in family.samples {
            write(name)
            write(labels: zip(family.labels, values))
            write(" \(count)\n")
        }
    }

    /// A family of one gauge.
    public mutating func gauge(_ name: String, _ help: String, _ value: Int) {
        begin(name, help, type: "gauge")
        sample(name, String(value))
    }

    /// A gauge that is no whole number.
    public mutating func gauge(_ name: String, _ help: String, _ value: Double) {
        begin(name, help, type: "gauge")
        sample(name, Self.text(value))
    }

    /// A gauge of 1 whose labels say something, such as a version.
    public mutating func info(_ name: String, _ help: String, _ labels: [(String, String)]) {
        begin(name, help, type: "gauge")
        write(name)
        write(labels: labels)
        write(" 1\n")
    }

    /// A histogram: cumulative buckets, sum and count.
    public mutating func histogram(_ name: String, _ help: String, _ histogram: Histogram) {
        begin(name, help, type: "histogram")
        var below: UInt64 = 0
        for (bound, count) in zip(histogram.bounds, histogram.counts) {
            below += count
            write("\(name)_bucket{le=\"\(Self.text(bound))\"} \(below)\n")
        }
        write("\(name)_bucket{le=\"+Inf\"} \(histogram.count)\n")
        sample("\(name)_sum", Self.text(histogram.sum))
        sample("\(name)_count", String(histogram.count))
    }

    private mutating func begin(_ name: String, _ help: String, type: String) {
        write("# HELP \(name) \(Self.escape(help, quotes: false))\n# TYPE \(name) \(type)\n")
    }

    private mutating func sample(_ name: String, _ value: String) { write("\(name) \(value)\n") }

    private mutating func write(labels: some Sequence<(String, String)>) {
        var open = "{"
        for (label, value) in labels {
            write("\(open)\(label)=\"\(Self.escape(value, quotes: true))\"")
            open = ","
        }
        if open == "," { write("}") }
    }

    private mutating func write(_ text: String) { buffer.append(utf8: text) }

    /// 1 rather than 1.0, as other exporters write bounds; +Inf, -Inf and NaN by their names.
    private static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return value.description
    }

    private static func escape(_ text: String, quotes: Bool) -> String {
        guard text.contains(where: { $0 == "\\" || $0.isNewline || $0 == "\"" }) else { return text }
        var escaped = ""
        for character in text {
            switch character {
            case "\\": escaped += "\\\\"
            case "\"" where quotes: escaped += "\\\""
            case let other where other.isNewline: escaped += "\\n"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}

/// Counters of one family, told apart by the values of its labels.
///
/// Series known beforehand are there from the start with zero, so that a rate over them is never missing.
public struct LabelledCounters: Sendable {
    /// Names of the labels.
    public let labels: [String]
    /// Label values with their counts, in the order they were first named.
    public private(set) var samples: [(values: [String], count: UInt64)] = []

    /// A family with one label.
    public init(label: String, values: [String]) {
        labels = [label]
        samples = values.map { ([$0], 0) }
    }

    /// A family with two labels, every combination of their values at zero.
    public init(labels first: String, _ firstValues: [String], _ second: String, _ secondValues: [String]) {
        labels = [first, second]
        samples = firstValues.flatMap { a in secondValues.map { b in ([a, b], 0) } }
    }

    /// The count of a series; setting one that is new adds it. Values belong to a bounded set of ours.
    public subscript(_ values: String...) -> UInt64 {
        get { samples.first { $0.values == values }?.count ?? 0 }
        set {
            precondition(values.count == labels.count, "one value for each label")
            guard let index = samples.firstIndex(where: { $0.values == values }) else {
                return samples.append((values, newValue))
            }
            samples[index].count = newValue
        }
    }
}
