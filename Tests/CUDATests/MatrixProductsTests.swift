import CDrivers
import EmulatedGPU
import Synchronization
import Testing

@testable import Tensors

@Suite("Matrix products")
struct MatrixProductsTests {
    private static let (M, N, K) = (3, 5, 4)
    private let a = (0..<M * K).map { Float($0 % 7) - 3 }
    private let b = (0..<N * K).map { Float($0 % 5) - 2 }
    private let bias = (0..<N).map { Float($0) * 8 }

    private static func kind(
        _ transposed: (Bool, Bool), hasBias: Bool = false
    ) -> MatrixProducts.Kind {
        MatrixProducts.Kind(
            M: M, N: N, K: K, isATransposed: transposed.0, isBTransposed: transposed.1,
            inputType: .float32, outputType: .float32, hasBias: hasBias, resultStride: N,
            alignments: [256, 256, 256] + (hasBias ? [256] : []))
    }

    /// The product by the definition, in row-major order.
    private func expected(_ transposed: (Bool, Bool)) -> [Float] {
        let (M, N, K) = (Self.M, Self.N, Self.K)
        return (0..<M * N).map { place in
            let (m, n) = (place / N, place % N)
            return (0..<K).reduce(0) { sum, k in
                let left = transposed.0 ? a[k * M + m] : a[m * K + k]
                let right = transposed.1 ? b[n * K + k] : b[k * N + n]
                return sum + left * right
            }
        }
    }

    @Test(
        "operands are taken as they lie or transposed",
        arguments: [(false, false), (false, true), (true, false), (true, true)])
    func transposed(_ transposed: (Bool, Bool)) throws {
        let gpu = EmulatedGPU()
        let device = try gpu.open()
        let (x, y, d) = (device.upload(a), device.upload(b), device.upload(expected(transposed)))
        _ = try device.products.multiply(
            Self.kind(transposed), a: x, b: y, d: d, bias: nil, scale: 1, addend: 0)
        #expect(device.floats(d, count: Self.M * Self.N) == expected(transposed))
        #expect(gpu.wrong == "")
    }

    @Test("scale, what was there, and a bias are in the result")
    func scaled() throws {
        let gpu = EmulatedGPU()
        let device = try gpu.open()
        let before = (0..<Self.M * Self.N).map { Float($0) }
        let (x, y, z) = (device.upload(a), device.upload(b), device.upload(bias))
        let d = device.upload(before)
        let kind = Self.kind((false, true), hasBias: true)
        for _ in 0..<2 {
            _ = try device.products.multiply(
                kind, a: x, b: y, d: d, bias: z, scale: 0.5, addend: 1)
        }
        let product = expected((false, true))
        #expect(
            device.floats(d, count: before.count)
                == before.indices.map { before[$0] + product[$0] + 2 * bias[$0 % Self.N] })
        #expect(gpu.wrong == "")
    }

    @Test("ever new sizes drop the plans of earlier ones, and each product stays right")
    func manySizes() throws {
        let gpu = EmulatedGPU()
        let device = Device.cuda(try gpu.open())
        guard case .cuda(let cuda) = device else { return }
        let most = MatrixProducts.mostPlans + 2
        let x = Tensor((0..<most).map(Float.init), shape: [most, 1], on: device)
        let (weight, y) = (
            Tensor([2], shape: [1, 1], on: device), Tensor(zeros: [most, 1], on: device)
        )
        for rows in 1...most {
            // The size before comes again, when its plan is there and when it was dropped just now.
            for rows in [rows, max(1, rows - 1)] {
                cuda.matrixProduct(
                    x.rows(0..<rows), weight, isBTransposed: true, into: y.rows(0..<rows))
            }
        }
        #expect(y.toArray() == (0..<most).map { 2 * Float($0) })
        #expect(gpu.wrong == "")
    }

    @Test("a product that fails is told with its shapes")
    func failure() throws {
        let gpu = EmulatedGPU()
        let device = try gpu.open()
        let (x, y, d) = (device.upload(a), device.upload(b), device.upload(a + a))
        gpu.failProduct(1, status: 15)
        #expect {
            _ = try device.products.multiply(
                Self.kind((false, true)), a: x, b: y, d: d, bias: nil, scale: 1, addend: 0)
        } throws: {
            "\($0)".hasPrefix(
                "cublasLtMatmul for [3, 5] = [3, 4] [5, 4]ᵀ (float32 to float32) failed: ")
        }
    }

    /// The emulated choice, and how often it was asked for.
    private struct Heuristic: @unchecked Sendable {
        var count = 0
        var functions: cd_cublaslt?
    }
    private static let heuristic = Mutex(Heuristic())

    @Test("a bias that cuBLASLt has no algorithm for is added by a kernel")
    func biasByKernel() throws {
        let gpu = EmulatedGPU()
        var products = gpu.products
        Self.heuristic.withLock { $0 = Heuristic(functions: gpu.products) }
        unsafe products.cublasLtMatmulAlgoGetHeuristic = {
            let asked = Self.heuristic.withLock { heuristic in
                heuristic.count += 1
                return heuristic
            }
            guard asked.count > 1, let functions = asked.functions else {
                return Int32(CD_PRODUCTS_NOT_SUPPORTED)
            }
            return unsafe functions.cublasLtMatmulAlgoGetHeuristic(
                $0, $1, $2, $3, $4, $5, $6, $7, $8, $9)
        }
        let device = Device.cuda(
            try CUDADevice(
                CUDALibraries(driver: gpu.driver, compiler: gpu.compiler, products: products),
                cacheFolder: nil))
        guard case .cuda(let cuda) = device else { return }
        let (M, N, K) = (Self.M, Self.N, Self.K)
        let d = Tensor(zeros: [M, N], on: device)
        cuda.matrixProduct(
            Tensor(a, shape: [M, K], on: device), Tensor(b, shape: [N, K], on: device),
            isBTransposed: true, into: d, bias: Tensor(bias, shape: [N], on: device))
        let product = expected((false, true))
        #expect(d.toArray() == product.indices.map { product[$0] + bias[$0 % N] })
        #expect(gpu.wrong == "")
    }
}
