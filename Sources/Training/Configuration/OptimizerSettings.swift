import Settings

/// AdamW and its learning rate: the keys `...optim.*`.
package struct OptimizerSettings: Sendable {
    /// The highest learning rate.
    package let learningRate: Double
    /// Decoupled weight decay.
    package let weightDecay: Double
    /// Decay of the mean of gradients.
    package let beta1: Double
    /// Decay of the mean of squared gradients.
    package let beta2: Double
    /// Keeps the division by the root of the squares finite.
    package let epsilon: Double
    /// Gradients of a larger global norm are scaled down to this one.
    package let gradientClip: Double
    /// What the learning rate does after the warm-up.
    package let schedule: ScheduleShape
    /// Steps (in supervised fine-tuning, updates) until the highest rate is reached, when given as a
    /// number.
    package let warmupSteps: Int?
    /// The same as a share of all.
    package let warmupRatio: Double
    /// The lowest rate as a share of the highest.
    package let minimumRatio: Double
    /// Waves of the cosine; one half goes down once.
    package let cycles: Double

    /// What follows the warm-up (`optim.lr_scheduler_type`).
    package enum ScheduleShape: String, CaseIterable, Sendable {
        case constant
        case linear
        case cosine
    }

    /// Steps of the warm-up in a run of so many steps, as verl counts them.
    package func warmupSteps(totalSteps: Int) -> Int {
        warmupSteps ?? Int(warmupRatio * Double(totalSteps))
    }

    /// What differs between the trainers of verl.
    struct Defaults {
        var learningRate = 1e-6
        var weightDecay = 0.01
        var betas = [0.9, 0.999]
        var schedule = ScheduleShape.constant
        var warmupRatio = 0.0
        var gradientClip = 1.0
        /// What the learning rate changes with: a step of RL may have several updates.
        var unit = "Steps of the run"
    }

    /// Reads `optim.*`.
    init(_ reader: SettingsReader, defaults: Defaults = Defaults()) throws(SettingsError) {
        learningRate = try reader.double(
            "lr", default: defaults.learningRate, in: .between(0, 1e30),
            "The highest learning rate.")
        weightDecay = try reader.double(
            "weight_decay", default: defaults.weightDecay, in: .atLeast(0),
            "Decoupled weight decay of AdamW.")
        let betas = try reader.doubles(
            "betas", default: defaults.betas, in: .between(0, 1), "AdamW's two decays.")
        guard betas.count == 2, betas.allSatisfy({ $0 < 1 }) else {
            throw reader.invalid("betas", "must be two numbers below 1, such as [0.9, 0.999]")
        }
        beta1 = betas[0]
        beta2 = betas[1]
        epsilon = try reader.double(
            "eps", default: 1e-8, in: .between(1e-30, 1), "Added to AdamW's divisor.")
        gradientClip = try reader.derived().double(
            "clip_grad", default: defaults.gradientClip, in: .above(0),
            "Gradients of a larger global norm are scaled down to this one.")
        schedule = try reader.schedule(default: defaults.schedule)
        let steps = try reader.int(
            "lr_warmup_steps", default: -1, in: .atLeast(0).or(-1),
            "\(defaults.unit) over which the rate rises from 0; -1 to go by lr_warmup_steps_ratio.")
        warmupSteps = steps == -1 ? nil : steps
        warmupRatio = try reader.derived().double(
            "lr_warmup_steps_ratio", default: defaults.warmupRatio, in: .between(0, 1),
            "\(defaults.unit) over which the rate rises, as a share of all.")
        if warmupSteps != nil {
            reader.unusedIfSet(["lr_warmup_steps_ratio"], because: "lr_warmup_steps is given")
        }
        minimumRatio =
            try reader.optionalDouble(
                "min_lr_ratio", default: 0, in: .between(0, 1),
                "The lowest rate as a share of the highest.") ?? 0
        cycles = try reader.double(
            "num_cycles", default: 0.5, in: .above(0), "Waves of the cosine.")
        try Self.declareOthers(reader)
    }

    private static func declareOthers(_ reader: SettingsReader) throws(SettingsError) {
        try reader.unsupported("optimizer", allowed: ["AdamW"], because: "AdamW is the one here")
        reader.ignored("optimizer_impl", because: "AdamW is one of Lorikeet's own kernels")
        reader.ignored("total_training_steps", because: "trainer.total_training_steps decides")
        reader.ignored("zero_indexed_step", because: "the first update has number 0")
        try reader.unsupported(
            "override_optimizer_config", allowed: [nil], because: "AdamW's keys are all there are")
    }
}

extension SettingsReader {
    /// The schedule under its present name or one of its earlier ones.
    fileprivate func schedule(default shape: OptimizerSettings.ScheduleShape)
        throws(SettingsError) -> OptimizerSettings.ScheduleShape
    {
        let names = OptimizerSettings.ScheduleShape.allCases.map(\.rawValue)
        var fallback = shape
        for earlier in ["warmup_style", "lr_scheduler"] {
            let name = try optionalChoice(
                earlier, of: names, "An earlier name of lr_scheduler_type.")
            fallback = name.flatMap { .init(rawValue: $0) } ?? fallback
            guard let name, isGiven("lr_scheduler_type") else { continue }
            let present = try choice("lr_scheduler_type", default: shape, "")
            if present.rawValue != name {
                throw conflict(
                    [earlier, "lr_scheduler_type"], "both mean the schedule, so keep one")
            }
        }
        return try derived().choice(
            "lr_scheduler_type", default: fallback, "The learning rate after the warm-up.")
    }
}
