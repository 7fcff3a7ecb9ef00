import Tensors
import Testing

/// One input of an op that is run on the host and on a device.
struct OpInput {
    let values: Tensor
    /// How a device holds it.
    let type: DataType
    /// The type of its gradient there, nil where it has none.
    let gradientType: DataType?
    /// Elements that lie before it in its storage on the device.
    let offset: Int

    /// Numbers from -`size` to `size` that `type` can hold.
    init(
        _ shape: [Int], as type: DataType = .float32, size: Float = 1, gradient: DataType?,
        offset: Int = 0, _ random: inout SplitMix64
    ) {
        let count = shape.reduce(1, *)
        let numbers = (0..<count).map { _ in Float.random(in: -size...size, using: &random) }
        values = Tensor(numbers, shape: shape, on: .cpu).rounded(to: type)
        self.type = type
        gradientType = gradient
        self.offset = offset
    }

    /// The numbers on the host, where the gradient is f32.
    fileprivate var onHost: Tensor {
        var tensor = values
        tensor.node = gradientType.map { _ in GradientNode() }
        return tensor
    }

    /// The numbers on `device`, as a view that begins `offset` elements after its storage.
    fileprivate func moved(to device: Device) -> Tensor {
        let before = [Float](repeating: 0, count: offset)
        let all = Tensor(
            before + values.toArray(), shape: [offset + values.count], on: device
        ).converted(to: type)
        var view = all.rows(offset..<offset + values.count).reshaped(values.shape)
        view.node = gradientType.map { GradientNode(dataType: $0, on: device) }
        return view
    }
}

extension Tensor {
    /// The f32 numbers, rounded as `type` holds them.
    func rounded(to type: DataType) -> Tensor { converted(to: type).converted(to: .float32) }
}

/// Expects an op to give the same on `device` as on the host, and the same gradients of its inputs,
/// within what the types there can hold.
func expectSame(
    on device: Device, _ inputs: [OpInput], _ random: inout SplitMix64,
    sourceLocation: SourceLocation = #_sourceLocation, _ op: ([Tensor], Tape?) -> Tensor
) {
    let (host, moved) = (inputs.map(\.onHost), inputs.map { $0.moved(to: device) })
    let (hostTape, deviceTape) = (Tape(), Tape())
    let (expected, found) = (op(host, hostTape), op(moved, deviceTape))
    #expect(found.device == device, sourceLocation: sourceLocation)
    expectClose(found, expected, "the result", sourceLocation)
    let unrecorded = op(moved.map(\.detached), nil)
    #expect(unrecorded.hasSameBytes(as: found), sourceLocation: sourceLocation)
    guard inputs.contains(where: { $0.gradientType != nil }) else { return }
    let slopes = OpInput(expected.shape, as: found.dataType, gradient: nil, &random)
    expected.node?.add(slopes.onHost)
    found.node?.add(slopes.moved(to: device))
    // Of every other input a gradient is there already, to which the op adds.
    for (index, input) in inputs.enumerated() where index % 2 == 0 {
        guard let type = input.gradientType else { continue }
        let before = OpInput(input.values.shape, as: type, gradient: nil, &random)
        host[index].node?.add(before.onHost)
        moved[index].node?.add(before.moved(to: device))
    }
    hostTape.backward()
    deviceTape.backward()
    for (index, (a, b)) in zip(host, moved).enumerated() {
        guard let wanted = a.node?.gradient, let got = b.node?.gradient else { continue }
        expectClose(got, wanted, "the gradient of input \(index)", sourceLocation)
    }
}

/// Expects numbers within some roundings of `found`'s type, as a share of the largest: a gradient
/// that is added to another is rounded twice.
func expectClose(
    _ found: Tensor, _ expected: Tensor, _ what: String,
    _ sourceLocation: SourceLocation = #_sourceLocation
) {
    let (got, wanted) = (found.toArray(), expected.toArray())
    let largest = wanted.reduce(0) { max($0, abs($1)) }
    let distance = zip(got, wanted).reduce(0) { max($0, abs($1.0 - $1.1)) }
    let bound: Float = found.dataType == .float32 ? 4e-6 : 0x1p-7
    #expect(
        got.count == wanted.count && got.allSatisfy(\.isFinite) && distance <= bound * largest,
        "\(what), \(found.dataType): \(distance) of \(largest)", sourceLocation: sourceLocation)
}
