import Tensors

/// One of the two places where a check computes, and the numbers that both are given.
///
/// A check's body runs once with each; it draws the same numbers in the same order, all of them such
/// as the device's type holds, so that results differ by the roundings in between alone.
struct Side {
    let device: Device
    /// Of activations on this side: f32 on the host always.
    let type: DataType
    /// Of activations on the device that is tested.
    let precision: DataType
    private var random: SplitMix64

    init(_ device: Device, type: DataType, precision: DataType, seed: UInt64) {
        self.device = device
        self.type = type
        self.precision = precision
        random = SplitMix64(seed: seed)
    }

    /// Whole numbers below `limit`.
    mutating func indices(_ count: Int, below limit: Int) -> [Int32] {
        (0..<count).map { _ in Int32(random.next(upperBound: UInt32(limit))) }
    }

    /// f32 numbers on the host, uniform in ±scale around `mean`, rounded to the device's type.
    mutating func numbers(_ shape: [Int], scale: Float = 1, around mean: Float = 0) -> Tensor {
        let result = Tensor(uninitialized: shape, on: .cpu)
        result.withMutableFloats { values in
            for index in values.indices { values[index] = mean + scale * random.nextSigned() }
        }
        guard precision != .float32 else { return result }
        return result.converted(to: precision).converted(to: .float32)
    }

    /// An activation, with a node where its gradient collects.
    ///
    /// - Parameters:
    ///   - offset: elements of its storage before it.
    ///   - type: of it on this side; by default that of activations.
    mutating func activation(
        _ shape: [Int], scale: Float = 1, offset: Int = 0, as type: DataType? = nil
    ) -> Tensor {
        let type = type ?? self.type
        var x = placed([offset + shape.reduce(1, *)], scale: scale, type)
            .rows(offset..<offset + shape.reduce(1, *)).reshaped(shape)
        x.node = GradientNode(dataType: type, on: device)
        return x
    }

    /// One row of the residual stream a token: f32 on both sides.
    mutating func residual(_ shape: [Int], scale: Float = 1, offset: Int = 0) -> Tensor {
        activation(shape, scale: scale, offset: offset, as: .float32)
    }

    /// A frozen weight, stored as the device's type on both sides.
    mutating func frozen(_ shape: [Int], scale: Float = 1, around mean: Float = 0) -> Tensor {
        let values = numbers(shape, scale: scale, around: mean)
        return (precision == .float32 ? values : values.converted(to: precision))
            .moved(to: device)
    }

    /// A trained weight, f32 on both sides.
    mutating func trained(_ shape: [Int], scale: Float = 1) -> Tensor {
        activation(shape, scale: scale, as: .float32)
    }

    private mutating func placed(_ shape: [Int], scale: Float, _ type: DataType) -> Tensor {
        let values = numbers(shape, scale: scale)
        return (type == .float32 ? values : values.converted(to: type)).moved(to: device)
    }

    /// Goes the way back from `y` with a gradient of random numbers.
    mutating func backward(_ y: Tensor, _ tape: Tape) {
        y.node?.add(placed(y.shape, scale: 1, y.dataType))
        tape.backward()
    }
}

/// One result of a check's body.
struct SideResult {
    let name: String
    let shape: [Int]
    let tolerance: Tolerance
    private let content: Content

    private enum Content {
        case tensor(Tensor)
        case floats([Float])
    }

    init(_ name: String, _ tensor: Tensor, _ tolerance: Tolerance) {
        self.name = name
        self.tolerance = tolerance
        shape = tensor.shape
        content = .tensor(tensor.detached)
    }

    /// The gradient that collected in the node of `tensor`; nothing where none did.
    init(gradientOf name: String, _ tensor: Tensor?, _ tolerance: Tolerance) {
        self.name = "d\(name)"
        self.tolerance = tolerance
        shape = tensor?.shape ?? []
        content = tensor?.node?.gradient.map { .tensor($0) } ?? .floats([])
    }

    init(_ name: String, _ floats: [Float], _ tolerance: Tolerance) {
        self.name = name
        self.tolerance = tolerance
        shape = [floats.count]
        content = .floats(floats)
    }

    /// The elements as f32; waits for the device.
    var values: [Float] {
        switch content {
        case .tensor(let tensor): tensor.toArray()
        case .floats(let floats): floats
        }
    }
}

/// A small generator with a seed (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014).
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform in [-1, 1).
    mutating func nextSigned() -> Float {
        Float(Int32(truncatingIfNeeded: next() >> 40) - (1 << 23)) * 0x1p-23
    }
}
