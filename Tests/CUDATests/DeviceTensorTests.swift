import OracleFixtures
import Tensors
import Testing

@Suite("Tensors on a device")
struct DeviceTensorTests {
    @Test("are read and written as the host's are")
    func hostAccess() throws {
        try withEmulatedDevice { device in
            let values = (0..<12).map { Float($0) - 3.5 }
            let tensor = Tensor(values, shape: [4, 3], on: device)
            #expect(tensor.device == device)
            #expect(tensor.toArray() == values)
            #expect(tensor.rows(1..<3).toArray() == Array(values[3..<9]))
            tensor.rows(2..<3).copy(from: [7, 8, 9])
            tensor.rows(0..<1).fill(-1)
            tensor.rows(3..<4).withMutableFloats { $0[1] = 40 }
            #expect(
                tensor.toArray() == [-1, -1, -1] + values[3..<6] + [7, 8, 9, values[9], 40, 7.5])
            tensor.scale(by: 2)
            #expect(tensor.toArray()[10] == 80)
            #expect(tensor.sumOfSquares == tensor.moved(to: .cpu).sumOfSquares)
            tensor.withBytes { #expect($0.byteCount == 48) }
            #expect(Tensor(zeros: [5], on: device).toArray() == [0, 0, 0, 0, 0])
            #expect(Tensor([], shape: [0, 3], on: device).toArray() == [])
        }
    }

    @Test("go from the host to the device and back in any type")
    func moves() throws {
        try withEmulatedDevice { device in
            let host = Tensor([1, -2.25, 3e-8, 65504, 0.1], shape: [5], on: .cpu)
            for type in [DataType.float32, .bfloat16] {
                let there = host.converted(to: type).moved(to: device)
                #expect(there.dataType == type)
                #expect(there.hasSameBytes(as: host.converted(to: type)))
                #expect(there.toArray() == host.converted(to: type).toArray())
                #expect(host.moved(to: device).converted(to: type).hasSameBytes(as: there))
            }
            let target = Tensor(zeros: [5], on: device)
            target.copy(from: host)
            let second = Tensor(zeros: [5], on: device)
            second.copy(from: target)
            let back = Tensor(zeros: [5], on: .cpu)
            back.copy(from: second)
            #expect(back.hasSameBytes(as: host))
            second.average(with: host, keeping: 0.5)
            #expect(largestDifference(second.toArray(), host.toArray()) <= 1e-6)
        }
    }

    @Test("of f16 are rounded to bf16 on their way")
    func halves() throws {
        try withEmulatedDevice { device in
            // The second and the fourth have more digits than bf16.
            let numbers = Tensor([1, 1 + 0x1p-10, -2.5, 65504, 0x1p-24], shape: [5], on: .cpu)
            let halves = numbers.converted(to: .float16)
            let moved = Weight.dense(halves).moved(to: device, as: .bfloat16)
            #expect(moved.device == device)
            #expect(moved.typeName == "bfloat16")
            #expect(moved.tensor.toArray() == [1, 1, -2.5, 65536, 0x1p-24])
        }
    }

    @Test("are made on the current device")
    func current() throws {
        try withEmulatedDevice { device in
            Device.$current.withValue(device) {
                #expect(Tensor([1, 2], shape: [2]).device == device)
                #expect(ParameterBuffer([("p", [2, 2])]).values.device == device)
                #expect(AdamWState(count: 3).firstMoments.device == device)
                #expect(TokenIndices([4, 5]).toArray() == [4, 5])
            }
            #expect(Tensor(zeros: [1]).device == .cpu)
        }
    }

    @Test("show every write to products that read parameters in bf16")
    func writes() throws {
        try withEmulatedDevice { device in
            let buffer = ParameterBuffer([("A", [1, 2]), ("B", [1, 1])], on: device)
            let (A, B) = (buffer.parameter(0), buffer.parameter(1))
            let x = Tensor([1, 1], shape: [1, 2], on: device).converted(to: .bfloat16)
            let W = Tensor(zeros: [1, 2], on: device).converted(to: .bfloat16)
            func product() -> Float {
                linear(x, W, lowRank: LowRank(A: A, B: B, scale: 1), nil).toArray()[0]
            }
            B.fill(1)
            A.copy(from: [1, 2])
            #expect(product() == 3)
            A.withMutableFloats { $0[0] = 4 }
            #expect(product() == 6)
            A.copy(from: Tensor([2, 3], shape: [1, 2], on: .cpu))
            #expect(product() == 5)
            buffer.values.scale(by: 2)
            #expect(product() == 20)
            A.average(with: Tensor(zeros: [1, 2], on: device), keeping: 0.5)
            #expect(product() == 10)
            A.fill(1)
            #expect(product() == 4)
            buffer.gradients.fill(1)
            adamWUpdate(
                buffer, AdamWState(count: 3, on: device), AdamWSettings(weightDecay: 0),
                learningRate: 1, gradientScale: 1)
            #expect(abs(product()) <= 1e-5)
            let merged = Tensor(zeros: [1, 2], on: device)
            A.fill(1)
            merged.add(LowRank(A: A, B: B, scale: 3))
            #expect(largestDifference(merged.toArray(), [3, 3]) <= 1e-5)
        }
    }
}
