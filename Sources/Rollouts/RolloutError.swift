/// Why a rollout could not be made, as one sentence that names the request or setting.
package struct RolloutError: Error, CustomStringConvertible, Equatable {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
