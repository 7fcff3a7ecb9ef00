package import Models

/// What a LoRA adapter (arXiv 2106.09685) changes and how strongly, in PEFT's terms.
package struct LoRAConfig: Sendable, Equatable {
    /// Rows of A, where no pattern says otherwise.
    package var rank: Int
    /// The product B A is scaled by `alpha / rank`, where no pattern says otherwise.
    package var alpha: Double
    /// The modules to adapt.
    package var targetModules: ModuleSelection
    /// Modules to leave out of these.
    package var excludeModules: ModuleSelection?
    /// Whether the scale is `alpha / sqrt(rank)` (rank-stabilised LoRA, arXiv 2312.03732).
    package var usesRSLoRA: Bool
    /// Other ranks for some modules; the first key that matches counts.
    package var rankPattern: [ModulePattern<Int>]
    /// Other alphas for some modules; the first key that matches counts.
    package var alphaPattern: [ModulePattern<Double>]
    /// Share of the inputs of A that PEFT drops in training; the value of an adapter without it
    /// does not depend on it.
    package var dropout: Double
    /// The model that the adapter belongs to, as the adapter's files name it.
    package var baseModel: String?
    /// What the adapted model is for.
    package var task: AdapterTask

    package init(
        rank: Int, alpha: Double, targetModules: ModuleSelection = .allLinear,
        excludeModules: ModuleSelection? = nil, usesRSLoRA: Bool = false,
        rankPattern: [ModulePattern<Int>] = [], alphaPattern: [ModulePattern<Double>] = [],
        dropout: Double = 0, baseModel: String? = nil, task: AdapterTask = .causalLM
    ) {
        self.rank = rank
        self.alpha = alpha
        self.targetModules = targetModules
        self.excludeModules = excludeModules
        self.usesRSLoRA = usesRSLoRA
        self.rankPattern = rankPattern
        self.alphaPattern = alphaPattern
        self.dropout = dropout
        self.baseModel = baseModel
        self.task = task
    }
}

/// What an adapted model is for; raw values are PEFT's.
package enum AdapterTask: String, Sendable, Equatable {
    /// It gives tokens.
    case causalLM = "CAUSAL_LM"
    /// It gives each token a value: a critic, whose adapter holds its head, too.
    case tokenClassification = "TOKEN_CLS"

    /// What PEFT saves whole beside the low-rank parts.
    var modulesToSave: [String] {
        switch self {
        case .causalLM: []
        case .tokenClassification: ["classifier", "score"]
        }
    }
}

/// One projection of one layer with the size and strength of its low-rank part.
package struct AdaptedModule: Sendable, Equatable {
    package let layer: Int
    package let projection: Projection
    /// Rows of A.
    package let rank: Int
    /// What B A is multiplied by.
    package let scale: Float
    /// `[N, K]` of the projection's weight.
    package let shape: [Int]

    /// Full name, such as `model.layers.3.self_attn.q_proj`.
    package var path: String { projection.modulePath(layer: layer) }
    /// Name of A, `[R, K]`, in PEFT's files.
    package var nameOfA: String { "base_model.model.\(path).lora_A.weight" }
    /// Name of B, `[N, R]`, in PEFT's files.
    package var nameOfB: String { "base_model.model.\(path).lora_B.weight" }
    var shapeOfA: [Int] { [rank, shape[1]] }
    var shapeOfB: [Int] { [shape[0], rank] }
}

extension LoRAConfig {
    /// The modules of a model that this config adapts, by layer and in the order of the forward
    /// pass.
    ///
    /// - Throws: when a number is impossible, a regular expression is none, a target, pattern or
    ///   the whole selection matches nothing, or a module is meant that cannot be adapted.
    package func modules(of model: DecoderConfig) throws(AdapterError) -> [AdaptedModule] {
        try checkNumbers()
        let candidates = (0..<model.layerCount).flatMap { layer in
            Projection.allCases.map { (layer: layer, projection: $0) }
        }
        let paths = candidates.map { $0.projection.modulePath(layer: $0.layer) }
        let isSelected = try selection(paths)
        let ranks = try rankPattern.map { (pattern) throws(AdapterError) in
            try (pattern, pattern.matcher(table: "rank_pattern"))
        }
        let alphas = try alphaPattern.map { (pattern) throws(AdapterError) in
            try (pattern, pattern.matcher(table: "alpha_pattern"))
        }
        var modules: [AdaptedModule] = []
        for ((layer, projection), path) in zip(candidates, paths) where isSelected(path) {
            let rank = ranks.first { $0.1(path) }?.0.value ?? rank
            let alpha = alphas.first { $0.1(path) }?.0.value ?? alpha
            let divisor = usesRSLoRA ? Double(rank).squareRoot() : Double(rank)
            modules.append(
                AdaptedModule(
                    layer: layer, projection: projection, rank: rank,
                    scale: Float(alpha / divisor), shape: projection.shape(model)))
        }
        let adapted = modules.map(\.path)
        try checkIsUsed(ranks.map { ("rank_pattern", $0.0.key, $0.1) }, adapted)
        try checkIsUsed(alphas.map { ("alpha_pattern", $0.0.key, $0.1) }, adapted)
        return modules
    }

    private func checkNumbers() throws(AdapterError) {
        for (key, rank) in [("r", rank)]
            + rankPattern.map({ ("rank_pattern: \($0.key)", $0.value) })
        where rank < 1 || rank > 1 << 16 {
            throw AdapterError("\(key) is \(rank); it must be from 1 to 65536.")
        }
        let alphas = alphaPattern.map { ("alpha_pattern: \($0.key)", $0.value) }
        for (key, alpha) in [("lora_alpha", alpha)] + alphas where !(alpha > 0 && alpha < 1e30) {
            throw AdapterError("\(key) is \(alpha); it must be a number above 0.")
        }
        guard dropout >= 0, dropout < 1 else {
            throw AdapterError("lora_dropout is \(dropout); it must be from 0 to below 1.")
        }
    }

    /// A test for the names of the modules to adapt.
    private func selection(_ paths: [String]) throws(AdapterError) -> (String) -> Bool {
        let isTarget = try targetModules.matcher(key: "target_modules")
        let isExcluded = try excludeModules?.matcher(key: "exclude_modules") ?? { _ in false }
        let isSelected = { (path: String) in isTarget(path) && !isExcluded(path) }
        if let head = ["lm_head", "model.embed_tokens"].first(where: isSelected) {
            throw AdapterError(
                "target_modules \(targetModules.text) mean \(head), which cannot be adapted; "
                    + "only \(ProjectionName.list) can.")
        }
        if case .names(let names) = targetModules {
            for name in names {
                let isName = try ModuleSelection.names([name]).matcher(key: "target_modules")
                guard paths.contains(where: isName) else { throw unmatched("\"\(name)\"") }
            }
        }
        guard paths.contains(where: isTarget) else { throw unmatched(targetModules.text) }
        guard paths.contains(where: isSelected) else {
            throw AdapterError(
                "exclude_modules \(excludeModules?.text ?? "") leave none of the target_modules "
                    + "\(targetModules.text).")
        }
        return isSelected
    }

    private func unmatched(_ target: String) -> AdapterError {
        AdapterError(
            "target_modules: \(target) matches no module; the modules are "
                + "model.layers.N.X with X one of \(ProjectionName.list).")
    }

    private func checkIsUsed(
        _ patterns: [(table: String, key: String, matches: (String) -> Bool)], _ adapted: [String]
    ) throws(AdapterError) {
        for (table, key, matches) in patterns where !adapted.contains(where: matches) {
            throw AdapterError("\(table): \"\(key)\" matches none of the adapted modules.")
        }
    }
}

/// The projections' names as targets are written: `q_proj`.
enum ProjectionName {
    /// In the order of the forward pass.
    static let all = Projection.allCases.map { last(of: $0.moduleName) }
    static let list = Projection.allCases.map(\.moduleName).joined(separator: ", ")

    /// What follows the last dot.
    static func last(of path: String) -> String {
        String(path[(path.lastIndex(of: ".").map(path.index(after:)) ?? path.startIndex)...])
    }
}
