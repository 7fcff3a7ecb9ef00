import Objectives
import Settings
import Tensors
import Testing

@testable import Training

@Suite("Quantisation settings")
struct QuantizationSettingsTests {
    private static let needed = [
        "actor_rollout_ref.model.path=/m", "data.train_files=train.jsonl",
        "data.train_batch_size=16", "actor_rollout_ref.model.lora_rank=8",
    ]
    private let model = "actor_rollout_ref.model.quantization"

    private func load(
        _ arguments: String..., environment: [String: String] = ["HOME": "/home/ada"]
    ) throws -> TrainSettings {
        try TrainSettings.load(arguments: Self.needed + arguments, environment: environment)
    }

    private func message(_ arguments: String...) -> String {
        #expect(throws: SettingsError.self) {
            _ = try TrainSettings.load(arguments: Self.needed + arguments, environment: [:])
        }?.description ?? ""
    }

    @Test("nothing is quantised unless it is asked for, and then it is kept in the user's cache")
    func defaults() throws {
        #expect(try load().model.quantization.kind == nil)
        let settings = try load("\(model)=nf4").model.quantization
        #expect(settings.kind == .nf4)
        #expect(settings.cacheFolder == "/home/ada/.cache/lorikeet")
        #expect(try load("\(model)=nf4", environment: [:]).model.quantization.cacheFolder == nil)
        #expect(
            try load("\(model)=nf4", "\(model)_cache=/big").model.quantization.cacheFolder
                == "/big")
        #expect(
            try load("\(model)=nf4", "\(model)_cache=null").model.quantization.cacheFolder == nil)
        let unused = try load("\(model)_cache=/big").report.notices
        #expect(unused.contains { $0.contains("quantization_cache") })
    }

    @Test("an unknown kind is refused with those that are known")
    func unknown() {
        let text = message("\(model)=fp4")
        #expect(text.contains(model) && text.contains("int8, int4, nf4"), "\(text)")
    }

    @Test("a whole model is not trained on quantised weights")
    func wholeModel() throws {
        let text = message("\(model)=int8", "actor_rollout_ref.model.lora_rank=0")
        #expect(text.contains(model) && text.contains("lora_rank"), "\(text)")
        let critic = message(
            "\(model)=int8", "critic.model.lora_rank=0", "critic.model.quantization=int8")
        #expect(critic.contains("critic.model.quantization"), "\(critic)")
        let supervised = #expect(throws: SettingsError.self) {
            _ = try SFTSettings.load(
                arguments: [
                    "model.path=/m", "data.train_files=a.jsonl", "model.quantization=int4",
                ], environment: [:])
        }
        #expect(supervised?.description.contains("model.lora_rank") == true)
    }

    @Test("a critic on the actor's checkpoint shares its quantised weights")
    func critic() throws {
        let shared = try #require(try load("\(model)=int4").critic)
        #expect(shared.sharesActorBase && shared.quantization.kind == .int4)
        let whole = try #require(try load("\(model)=int4", "critic.model.lora_rank=0").critic)
        #expect(!whole.sharesActorBase && whole.quantization.kind == nil)
        let finer = try #require(
            try load("\(model)=int4", "critic.model.quantization=int8").critic)
        #expect(!finer.sharesActorBase && finer.quantization.kind == .int8)
        #expect(finer.quantization.cacheFolder == "/home/ada/.cache/lorikeet")
        let other = try #require(try load("\(model)=int4", "critic.model.path=/c").critic)
        #expect(!other.sharesActorBase && other.quantization.kind == nil)
    }

    private let activations = "actor_rollout_ref.rollout.activations"
    private let correction = "algorithm.rollout_correction"

    @Test("rounded activations need weights of whole numbers")
    func activationsNeedWholeNumbers() throws {
        for arguments in [["\(activations)=int8"], ["\(activations)=int8", "\(model)=nf4"]] {
            let text = #expect(throws: SettingsError.self) {
                _ = try TrainSettings.load(arguments: Self.needed + arguments, environment: [:])
            }?.description
            #expect(text?.contains(activations) == true && text?.contains(model) == true)
        }
        #expect(try load("\(model)=int4").rollout.activations == .float32)
        #expect(try load("\(activations)=int8", "\(model)=int4").rollout.activations == .int8)
    }

    @Test("rounded activations are corrected by token weights unless something else is set")
    func activationsAreCorrected() throws {
        func weighting(_ arguments: String...) throws -> TrainSettings {
            try TrainSettings.load(
                arguments: Self.needed + ["\(model)=int8"] + arguments, environment: [:])
        }
        let plain = try weighting()
        #expect(
            plain.algorithm.oldPolicy.correction.weighting == nil && plain.rolloutIsExact(on: .cpu))
        let rounded = try weighting("\(activations)=int8")
        #expect(rounded.algorithm.oldPolicy.correction.weighting == .token)
        #expect(rounded.algorithm.oldPolicy.correction.weightThreshold == 2)
        #expect(!rounded.rolloutIsExact(on: .cpu) && rounded.rollout.drawsFromWhole)
        let off = try weighting("\(activations)=int8", "\(correction).rollout_is=null")
        #expect(
            off.algorithm.oldPolicy.correction.weighting == nil && !off.rolloutIsExact(on: .cpu))
        let sequence = try weighting("\(activations)=int8", "\(correction).rollout_is=sequence")
        #expect(sequence.algorithm.oldPolicy.correction.weighting == .sequence)
        // The ratio to a distribution that is cut would be the kept mass.
        let cut = try weighting("\(activations)=int8", "actor_rollout_ref.rollout.top_p=0.9")
        #expect(
            cut.algorithm.oldPolicy.correction.weighting == nil && !cut.rolloutIsExact(on: .cpu))
        // There the ratio of the loss is that of the policy to the rollout already.
        let bypass = try weighting("\(activations)=int8", "\(correction).bypass_mode=true")
        #expect(bypass.algorithm.oldPolicy.correction.weighting == nil)
    }
}
