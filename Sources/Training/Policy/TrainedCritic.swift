package import Adapters
package import Formats
package import Models
package import Tensors

/// The critic of a run: a body with a value head, and what of it is trained.
///
/// With LoRA on the actor's own checkpoint it is a second adapter over the same mapped weights, so
/// that it costs no more than its adapter and its head.
package final class TrainedCritic {
    /// The body: the frozen base under LoRA, or its f32 copy.
    package let decoder: Decoder
    /// The trained adapter, which holds the head, too; `nil` when the whole model is trained.
    package let adapter: LoRAAdapter?
    /// The trained head, a view of `parameters`.
    package let head: ValueHead
    /// Everything that is trained, flat: the adapter or the body, then the head.
    package let parameters: ParameterBuffer
    /// The trained low-rank parts; `nil` when the whole model is trained.
    let weights: AdapterWeights?
    private let directory: String
    private let sharesBase: Bool
    private let headIsFresh: Bool

    /// Makes the critic on the actor's base, or opens a checkpoint of its own: a language model's,
    /// or one that has a value head already.
    ///
    /// - Parameters:
    ///   - actor: the actor's model as it was loaded.
    ///   - seed: the actor's, from which the critic's own is made.
    /// - Throws: when checkpoint or adapter cannot be read, or do not fit each other, the actor or
    ///   the settings.
    package init(_ settings: CriticSettings, actor: Decoder, seed: UInt64) throws {
        directory = settings.path
        sharesBase = settings.sharesActorBase
        // The complement differs from every seed, and so from the actor's.
        let seed = ~seed
        let base =
            sharesBase
            ? actor : try Decoder(bodyOf: directory, quantization: settings.quantization.base)
        let stored =
            sharesBase ? nil : try ValueHead(checkpoint: directory, config: base.config)
        let start = stored ?? ValueHead(fresh: base.config, seed: seed)
        guard settings.lora.isOn else {
            adapter = nil
            weights = nil
            (decoder, head, parameters) = base.trainableCriticCopy()
            head.copy(from: start)
            headIsFresh = stored == nil
            return
        }
        let adapter = try TrainedModel.adapter(
            settings.lora, base: base, directory: directory, task: .tokenClassification,
            group: "critic.model.", seed: seed)
        guard let head = adapter.valueHead else {
            preconditionFailure("A critic's adapter has a head.")
        }
        let startsFromAdapter = settings.lora.adapterPath != nil
        if !startsFromAdapter { head.copy(from: start) }
        headIsFresh = stored == nil && !startsFromAdapter
        self.adapter = adapter
        self.head = head
        decoder = base
        weights = adapter.weights(training: true)
        parameters = adapter.parameters
    }

    /// Checks that the critic can read what the actor writes.
    ///
    /// - Parameters:
    ///   - actor: the shape of the actor's model.
    ///   - longestSequence: of a prompt with its response, in tokens.
    package func checkFits(
        actor: DecoderConfig, longestSequence: Int
    ) throws(TrainingError) {
        let own = decoder.config
        guard own.vocabularySize >= actor.vocabularySize else {
            throw TrainingError(
                "critic.model.path: the model in \(directory) knows \(own.vocabularySize) token "
                    + "ids, but the actor writes \(actor.vocabularySize); take one with the actor's "
                    + "tokenizer.")
        }
        guard longestSequence <= own.maxPositions else {
            throw TrainingError(
                "critic.model.path: the model in \(directory) has positions for "
                    + "\(own.maxPositions) tokens, but data.max_prompt_length and "
                    + "data.max_response_length allow \(longestSequence); lower these.")
        }
    }

    /// Checks that a token id means the same to the critic's checkpoint as to the actor, as far as
    /// that comes with a tokenizer. Added tokens may differ: those of a chat often do.
    package func checkReads(_ tokenizer: Tokenizer) throws {
        guard !sharesBase, fileExists("\(directory)/tokenizer.json") else { return }
        guard let id = try Tokenizer(directory: directory).firstID(differingFrom: tokenizer) else {
            return
        }
        throw TrainingError(
            "critic.model.path: the token \(id) of \(directory) is another one than the actor's; "
                + "take a model with the actor's tokenizer.")
    }

    /// The value of each response token, `[T, 1]`: what the head says where the token is predicted.
    ///
    /// - Parameters:
    ///   - kept: which blocks keep their activations for the backward pass.
    package func values(_ packed: PackedSamples, keeping kept: KeptActivations, _ tape: Tape?)
        -> Tensor
    {
        let hidden_TD = decoder.hidden(
            packed.input, adapter: weights, keeping: kept, tape)
        return head.values(selectRows(hidden_TD, packed.rows, tape), tape)
    }

    /// The critic in one line for the user.
    package var summary: String {
        let base =
            sharesBase
            ? "on the actor's weights" : "on \(directory) (\(decoder.config.architecture))"
        let what =
            adapter.map { "LoRA rank \($0.config.rank) \(base)" } ?? "a whole model \(base)"
        return "critic    \(what), \(headIsFresh ? "fresh" : "stored") value head, "
            + "\(parameters.count.grouped) parameters"
    }

    /// Name of the folder that `save` writes within a checkpoint's `critic` folder, as verl has it.
    package var folderName: String { adapter == nil ? "huggingface" : "lora_adapter" }

    /// Writes adapter and head in PEFT's layout, or the whole model as a checkpoint, and reads it
    /// back.
    ///
    /// - Throws: also when what was written differs from what is in memory; whatever lay in
    ///   `folder` before is then still there.
    package func save(to folder: String) throws {
        if let adapter {
            try adapter.save(to: folder)
        } else {
            try decoder.save(head, to: folder, from: directory)
        }
    }

    /// Takes the parameters of a critic that `save` wrote.
    package func restore(from folder: String) throws {
        guard let adapter else { return try restoreWholeModel(from: folder) }
        try adapter.restore(from: folder, for: decoder.config)
    }

    private func restoreWholeModel(from folder: String) throws {
        let saved = try Decoder(bodyOf: folder, on: .cpu)
        guard let savedHead = try ValueHead(checkpoint: folder, config: saved.config) else {
            throw TrainingError(
                "\(folder) holds no critic: it lacks the tensor \"\(ValueHead.weightName)\".")
        }
        let pairs = zip(decoder.weights.named, saved.weights.named)
        guard
            decoder.weights.named.count == saved.weights.named.count,
            savedHead.weight.shape == head.weight.shape,
            pairs.allSatisfy({ $0.weight.shape == $1.weight.shape })
        else { throw TrainingError("\(folder) holds a critic of another shape than this run's.") }
        for (own, other) in pairs {
            own.weight.tensor.copy(from: other.weight.tensor.converted(to: .float32))
        }
        head.copy(from: savedHead)
    }
}

extension Decoder {
    /// An f32 copy of this body and a head of zeros, whose weights are views of one buffer.
    fileprivate func trainableCriticCopy() -> (Decoder, ValueHead, ParameterBuffer) {
        let body = config.body
        let heads = ValueHead.names(config)
        let parameters = ParameterBuffer(DecoderWeights.names(body) + heads, on: device)
        var place = 0
        let copy = DecoderWeights(body) { _, _ in
            defer { place += 1 }
            return parameters.parameter(place)
        }
        for (own, original) in zip(copy.named, weights.named) {
            own.weight.tensor.copy(from: original.weight.tensor.converted(to: .float32))
        }
        let head = ValueHead(
            weight: parameters.parameter(place), bias: parameters.parameter(place + 1))
        return (Decoder(body, copy), head, parameters)
    }
}
