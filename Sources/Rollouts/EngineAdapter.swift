package import Models

/// One version of a named adapter: what cached keys and values belong to.
package struct AdapterVersion: Sendable, Hashable {
    package let name: String
    /// Goes up each time the adapter's weights change.
    package let version: Int

    package init(name: String, version: Int) {
        self.name = name
        self.version = version
    }
}

/// An adapter that the engine can serve.
///
/// The weights are a view: an optimizer that changes them in place must register a new version.
package struct EngineAdapter {
    package let identity: AdapterVersion
    package let weights: AdapterWeights

    package init(name: String, version: Int, weights: AdapterWeights) {
        identity = AdapterVersion(name: name, version: version)
        self.weights = weights
    }
}
