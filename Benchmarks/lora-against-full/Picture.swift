import Foundation

/// A rectangle of the picture with its two axes; x and y are in the units of the data.
struct Panel {
    let left: Double
    let top: Double
    let width = 350.0
    let height = 210.0
    let xs: ClosedRange<Double>
    let ys = 0.0...1.0

    func x(_ value: Double) -> Double {
        left + (value - xs.lowerBound) / (xs.upperBound - xs.lowerBound) * width
    }

    func y(_ value: Double) -> Double {
        top + (ys.upperBound - value) / (ys.upperBound - ys.lowerBound) * height
    }

    func point(_ x: Double, _ y: Double) -> String {
        String(format: "%.1f,%.1f", self.x(x), self.y(y))
    }

    /// The title, the lines of the grid with their labels, and the name of the x axis.
    func frame(title: String, xName: String, ticks: [(value: Double, label: String)]) -> [String] {
        var parts = [text(left, top - 12, title, class: "title")]
        for value in stride(from: 0.0, through: 1.0, by: 0.2) {
            parts.append(gridLine(x(xs.lowerBound), y(value), x(xs.upperBound), y(value)))
            let label = String(format: "%.1f", value)
            parts.append(text(left - 8, y(value) + 4, label, class: "tick", anchor: "end"))
        }
        for tick in ticks {
            parts.append(gridLine(x(tick.value), top + height, x(tick.value), top + height + 4))
            parts.append(
                text(x(tick.value), top + height + 18, tick.label, class: "tick", anchor: "middle"))
        }
        parts.append(
            text(left + width / 2, top + height + 36, xName, class: "tick", anchor: "middle"))
        return parts
    }
}

extension Study {
    /// A row of curves and a row of sweeps, with a column for each task.
    func picture() -> String {
        var parts: [String] = []
        for (column, task) in tasks.enumerated() {
            let left = 50 + 420 * Double(column)
            parts += curves(task, left: left, top: 90) + sweeps(task, left: left, top: 410)
        }
        let legend = ranks(tasks[0]).enumerated().map { index, rank in
            let x = 50 + 140 * Double(index)
            return #"<polyline class="curve r\#(rank)" points="\#(x),26 \#(x + 24),26"/>"#
                + text(x + 32, 30, name(rank: rank), class: "label")
        }
        return
            ([
                #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 850 680" role="img">"#,
                style, #"<rect class="page" width="850" height="680"/>"#,
            ] + legend + parts + ["</svg>", ""]).joined(separator: "\n")
    }

    /// The mean over the compared seeds as a line, from the least to the greatest as a band.
    private func curves(_ task: String, left: Double, top: Double) -> [String] {
        let last = runs.filter { $0.task == task }.flatMap { $0.curve.map(\.step) }.max() ?? 1
        let panel = Panel(left: left, top: top, xs: 0...Double(last))
        let ticks = stride(from: 0, through: last, by: 10).map { (Double($0), "\($0)") }
        var parts = panel.frame(title: "\(task): validation reward", xName: "step", ticks: ticks)
        for rank in ranks(task) {
            let runs = compared(task, rank: rank)
            guard let steps = runs.first?.curve.map(\.step) else { continue }
            let rewards = steps.indices.map { index in runs.map { $0.curve[index].reward } }
            let points = zip(steps, rewards).map { (Double($0), $1) }
            let upper = points.map { panel.point($0, $1.max() ?? 0) }
            let lower = points.reversed().map { panel.point($0, $1.min() ?? 0) }
            let middle = points.map { panel.point($0, average($1)) }
            parts += [
                #"<polygon class="band r\#(rank)" points="\#((upper + lower).joined(separator: " "))"/>"#,
                #"<polyline class="curve r\#(rank)" points="\#(middle.joined(separator: " "))"/>"#,
            ]
        }
        return parts
    }

    /// The mean over the curve of the sweep's runs, by learning rate.
    private func sweeps(_ task: String, left: Double, top: Double) -> [String] {
        let panel = Panel(left: left, top: top, xs: -4.2 ... -1.8)
        let rates = Set(runs.filter { $0.task == task && $0.seed == sweepSeed }.map(\.rate))
        let ticks = rates.sorted { number($0) < number($1) }.map { (log10(number($0)), $0) }
        var parts = panel.frame(
            title: "\(task): mean over the curve", xName: "learning rate", ticks: ticks)
        for rank in ranks(task) {
            let points = sweep(task, rank: rank).map {
                panel.point(log10(number($0.rate)), $0.mean)
            }
            parts.append(
                #"<polyline class="curve r\#(rank)" points="\#(points.joined(separator: " "))"/>"#)
            parts += points.map { point in
                let place = point.split(separator: ",")
                return
                    #"<circle class="dot r\#(rank)" cx="\#(place[0])" cy="\#(place[1])" r="3.5"/>"#
            }
        }
        return parts
    }
}

/// Colours that differ in lightness too, on a page of their own in light and dark surroundings.
private let style = """
    <style>
    text { font-family: system-ui, sans-serif; fill: #24292f; font-size: 12px }
    .title, .label { font-size: 13px }
    .title { font-weight: 600 }
    .page { fill: #ffffff }
    .grid { stroke: #8c959f; stroke-opacity: 0.35 }
    .curve { fill: none; stroke-width: 2; stroke-linejoin: round }
    .band { fill-opacity: 0.15; stroke: none }
    .curve.r0 { stroke: #24292f } .band.r0, .dot.r0 { fill: #24292f }
    .curve.r1 { stroke: #d1242f } .band.r1, .dot.r1 { fill: #d1242f }
    .curve.r8 { stroke: #0a7ea4 } .band.r8, .dot.r8 { fill: #0a7ea4 }
    .curve.r32 { stroke: #bf8700 } .band.r32, .dot.r32 { fill: #bf8700 }
    @media (prefers-color-scheme: dark) {
        text { fill: #d1d7e0 }
        .page { fill: #0d1117 }
        .curve.r0 { stroke: #f0f6fc } .band.r0, .dot.r0 { fill: #f0f6fc }
        .curve.r1 { stroke: #ff7b72 } .band.r1, .dot.r1 { fill: #ff7b72 }
        .curve.r8 { stroke: #56c2e6 } .band.r8, .dot.r8 { fill: #56c2e6 }
    }
    </style>
    """
