package import Models
import Tensors

extension BaseQuantization {
    /// The same, which tells the user on standard error what it does where that takes more than a
    /// moment.
    package func reported() -> BaseQuantization {
        var copy = self
        var line = ProgressLine()
        var isAnnounced = false
        let start = ContinuousClock.now
        copy.progress = { share in
            if !isAnnounced, ContinuousClock.now - start > .milliseconds(300) {
                isAnnounced = true
                let place = cacheFolder.map { ", kept in \($0)" } ?? ""
                line.write("quantising the weights to \(kind.rawValue)\(place)")
            }
            line.show("\((share * 100).formatted(digits: 0)) %")
            if share == 1 { line.clear() }
        }
        copy.note = { line.write("note      \($0)") }
        return copy
    }
}

extension QuantizationSettings {
    /// What a model is opened with, reported to the user; nil for weights as they are.
    var base: BaseQuantization? {
        kind.map { BaseQuantization($0, cacheFolder: cacheFolder).reported() }
    }
}
