// Marks of the pictures that the benchmarks draw, as SVG.

import Foundation

/// A word or number at (x, y).
func text(
    _ x: Double, _ y: Double, _ content: String, class name: String, anchor: String = "start"
) -> String {
    String(format: #"<text class="\#(name)" text-anchor="\#(anchor)" x="%.1f" y="%.1f">"#, x, y)
        + content + "</text>"
}

/// A thin line of a panel's grid.
func gridLine(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double) -> String {
    String(
        format: #"<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>"#, x1, y1, x2, y2
    )
}
