package import Formats

extension PromptEncoder {
    /// Lays out messages as text; the second value asks for the opening of the model's answer, the
    /// third holds further values for the template.
    package typealias Rendering = @Sendable ([JSON], Bool, JSONObject) throws -> String

    /// An encoder over a model's tokenizer.
    ///
    /// - Parameters:
    ///   - rendering: the model's chat template; nil where it has none.
    /// - Throws: when the template cannot lay out even one question and its answer.
    package init(_ tokenizer: Tokenizer, rendering: Rendering?) throws {
        var messages: (@Sendable ([JSON], JSONObject) throws -> [Int32])?
        var endOfTurn = tokenizer.eosTokenID
        if let rendering {
            messages = { tokenizer.encode(try rendering($0, true, $1)) }
            endOfTurn = try Self.endOfTurn(rendering, tokenizer) ?? endOfTurn
        }
        self.init(
            messages: messages, text: { tokenizer.encode($0, addSpecialTokens: true) },
            continuation: { tokenizer.encode($0) }, endOfTurn: endOfTurn)
    }

    /// The token that the template puts after an answer, if generation stops at it.
    ///
    /// A model that learned to end with a token that stops nothing would go on for ever, so any
    /// other token leaves the choice to the tokenizer's own end of sequence.
    private static func endOfTurn(_ render: Rendering, _ tokenizer: Tokenizer) throws -> Int32? {
        let question: JSON = ["role": "user", "content": "question"]
        let answer: JSON = ["role": "assistant", "content": "answer"]
        let opening = try render([question], true, JSONObject()) + "answer"
        let whole = try render([question, answer], false, JSONObject())
        guard whole.hasPrefix(opening) else { return nil }
        let next = tokenizer.encode(String(whole.dropFirst(opening.count))).first
        return next.flatMap { tokenizer.eosTokenIDs.contains($0) ? $0 : nil }
    }
}
