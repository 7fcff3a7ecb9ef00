/// Why a check could not be made: one sentence.
struct SelfTestError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
