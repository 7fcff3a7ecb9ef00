// Draws the table of Benchmarks/growth.sh and says how steep it is:
//
//   draw FILE.csv FILE.svg

import Foundation

func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data((message + "\n").utf8))
    exit(1)
}

/// One measured update.
struct Point {
    let series: String
    let tokens: Double
    let seconds: Double
    let bytes: Double
}

func readPoints(_ path: String) throws -> [Point] {
    try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").dropFirst().map {
        let fields = $0.split(separator: ",")
        guard fields.count == 4, let tokens = Double(fields[1]),
            let seconds = Double(fields[2]), let gibibytes = Double(fields[3])
        else { fail("\(path) has the row \($0); rows are series,tokens,seconds,gibibytes") }
        return Point(
            series: String(fields[0]), tokens: tokens, seconds: seconds,
            bytes: gibibytes * Double(1 << 30))
    }
}

/// A rectangle with two axes from zero; x is in tokens.
struct Panel {
    let left: Double
    let title: String
    let most: (tokens: Double, value: Double)
    private let top = 70.0
    private let width = 330.0
    private let height = 220.0

    func point(_ tokens: Double, _ value: Double) -> (x: Double, y: Double) {
        (left + tokens / most.tokens * width, top + (1 - value / most.value) * height)
    }

    func frame() -> [String] {
        var parts = [text(left, top - 14, title, class: "title")]
        for part in 0...4 {
            let share = Double(part) / 4
            let (x, y) = point(share * most.tokens, share * most.value)
            parts += [
                gridLine(left, y, left + width, y),
                text(left - 6, y + 4, label(share * most.value), class: "tick", anchor: "end"),
                text(
                    x, top + height + 18, label(share * most.tokens), class: "tick",
                    anchor: "middle"),
            ]
        }
        return parts
            + [text(left + width / 2, top + height + 36, "tokens", class: "tick", anchor: "middle")]
    }

    private func label(_ value: Double) -> String {
        value >= 10 || value == value.rounded()
            ? String(format: "%.0f", value) : String(format: "%.2f", value)
    }
}

let style = """
    <style>
    text { font-family: system-ui, sans-serif; fill: #24292f; font-size: 12px }
    .title, .label { font-size: 13px }
    .title { font-weight: 600 }
    .page { fill: #ffffff }
    .grid { stroke: #8c959f; stroke-opacity: 0.35 }
    .curve { fill: none; stroke-width: 2; stroke-linejoin: round }
    .curve.s0 { stroke: #d1242f } .dot.s0 { fill: #d1242f }
    .curve.s1 { stroke: #0a7ea4 } .dot.s1 { fill: #0a7ea4 }
    @media (prefers-color-scheme: dark) {
        text { fill: #d1d7e0 }
        .page { fill: #0d1117 }
        .curve.s0 { stroke: #ff7b72 } .dot.s0 { fill: #ff7b72 }
        .curve.s1 { stroke: #56c2e6 } .dot.s1 { fill: #56c2e6 }
    }
    </style>
    """

func picture(_ points: [Point], _ series: [String]) -> String {
    var parts = [
        #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 350" role="img">"#, style,
        #"<rect class="page" width="820" height="350"/>"#,
    ]
    let values: [(String, (Point) -> Double)] = [
        ("seconds of an update", { $0.seconds }), ("memory of tensors, GB", { $0.bytes / 1e9 }),
    ]
    let tokens = points.map(\.tokens).max() ?? 1
    for (column, (title, value)) in values.enumerated() {
        let panel = Panel(
            left: 55 + 405 * Double(column), title: title,
            most: (tokens, points.map(value).max() ?? 1))
        parts += panel.frame()
        for (index, name) in series.enumerated() {
            let places = points.filter { $0.series == name }.map {
                panel.point($0.tokens, value($0))
            }
            let line = places.map { String(format: "%.1f,%.1f", $0.x, $0.y) }
            parts.append(
                #"<polyline class="curve s\#(index)" points="\#(line.joined(separator: " "))"/>"#)
            parts += places.map {
                String(
                    format: #"<circle class="dot s\#(index)" cx="%.1f" cy="%.1f" r="3.5"/>"#, $0.x,
                    $0.y)
            }
        }
    }
    for (index, name) in series.enumerated() {
        let x = 55 + 180 * Double(index)
        parts.append(
            #"<polyline class="curve s\#(index)" points="\#(x),24 \#(x + 24),24"/>"#
                + text(x + 32, 28, name, class: "label"))
    }
    return (parts + ["</svg>", ""]).joined(separator: "\n")
}

let arguments = CommandLine.arguments
guard arguments.count == 3 else { fail("usage: draw FILE.csv FILE.svg") }
let points = try readPoints(arguments[1])
var series: [String] = []
for point in points where !series.contains(point.series) { series.append(point.series) }
try picture(points, series).write(toFile: arguments[2], atomically: true, encoding: .utf8)
for name in series {
    let own = points.filter { $0.series == name }.sorted { $0.tokens < $1.tokens }
    guard let first = own.first, let last = own.last, last.tokens > first.tokens else { continue }
    let slope = (last.bytes - first.bytes) / (last.tokens - first.tokens) / 1e6
    let times = own.map { String(format: "%.2f", $0.seconds / $0.tokens * 1000) }
    print(
        "\(name): \(String(format: "%.3f", slope)) MB a token,"
            + " \(times.joined(separator: ", ")) ms a token")
}
