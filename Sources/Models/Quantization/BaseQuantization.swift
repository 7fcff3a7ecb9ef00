package import Tensors

/// How the frozen weights of a model are quantised when it is opened.
package struct BaseQuantization {
    /// Of the projections; the embedding and the head, which 4 bits hurt most, are always int8.
    package let kind: Quantization
    /// Where quantised weights are kept for the next time; nil for nowhere.
    package let cacheFolder: String?
    /// Called now and then with the share that is quantised, in 0...1.
    package var progress: (Double) -> Void = { _ in }
    /// Called with a sentence that the user should read.
    package var note: (String) -> Void = { _ in }

    package init(_ kind: Quantization, cacheFolder: String?) {
        self.kind = kind
        self.cacheFolder = cacheFolder
    }

    /// The kind of the weight called `name`; nil for one that stays as it is: norms and biases.
    func kind(of name: String) -> Quantization? {
        if name.hasSuffix("proj.weight") { return kind }
        return name.hasSuffix("embed_tokens.weight") || name == "lm_head.weight" ? .int8 : nil
    }
}
