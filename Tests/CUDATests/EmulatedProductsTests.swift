import CDrivers
import EmulatedGPU
import Testing

/// Products of the emulated cuBLASLt against sums taken here, in numbers whose sums are exact.
struct EmulatedProductsTests {
    /// A column-major matrix with room between its columns, of f32 or bf16.
    struct Matrix {
        let rows: Int
        let columns: Int
        let isBF16: Bool
        let batch: Int
        var leading: Int { rows + 3 }
        var stride: Int { leading * columns + 2 }
        var type: Int32 { Int32(isBF16 ? CD_TYPE_BF16 : CD_TYPE_F32) }

        func index(_ row: Int, _ column: Int, _ member: Int) -> Int {
            member * stride + column * leading + row
        }
    }

    struct Product: CustomTestStringConvertible {
        var transposesA = false
        var transposesB = false
        var inputIsBF16 = false
        var outputIsBF16 = false
        var hasBias = false
        var scale: Float = 1
        var kept: Float = 0
        var batch = 1
        let M = 5
        let N = 4
        let K = 6

        var a: Matrix {
            Matrix(
                rows: transposesA ? K : M, columns: transposesA ? M : K, isBF16: inputIsBF16,
                batch: batch)
        }
        var b: Matrix {
            Matrix(
                rows: transposesB ? N : K, columns: transposesB ? K : N, isBF16: inputIsBF16,
                batch: batch)
        }
        var d: Matrix { Matrix(rows: M, columns: N, isBF16: outputIsBF16, batch: batch) }
        var testDescription: String {
            "\(transposesA ? "T" : "N")\(transposesB ? "T" : "N") \(inputIsBF16) \(outputIsBF16)"
        }
    }

    private let device: BareDevice

    init() throws { device = try BareDevice() }

    private func upload(_ values: [Float], as matrix: Matrix) -> UInt64 {
        matrix.isBF16 ? device.array(values.map(bf16)) : device.array(values)
    }

    private func download(_ address: UInt64, as matrix: Matrix, count: Int) -> [Float] {
        guard matrix.isBF16 else { return device.elements(address, count: count) }
        let halves: [UInt16] = device.elements(address, count: count)
        return halves.map { Float(bitPattern: UInt32($0) << 16) }
    }

    private func layout(_ matrix: Matrix) throws -> cd_layout {
        let products = device.gpu.products
        var layout: cd_layout?
        _ = unsafe products.cublasLtMatrixLayoutCreate(
            &layout, matrix.type, UInt64(matrix.rows), UInt64(matrix.columns),
            Int64(matrix.leading))
        let made = unsafe try #require(layout)
        var (batch, stride) = (Int32(matrix.batch), Int64(matrix.stride))
        _ = unsafe products.cublasLtMatrixLayoutSetAttribute(
            made, Int32(CD_LAYOUT_BATCH_COUNT), &batch, 4)
        _ = unsafe products.cublasLtMatrixLayoutSetAttribute(
            made, Int32(CD_LAYOUT_STRIDED_BATCH_OFFSET), &stride, 8)
        return unsafe made
    }

    private func matmul(_ product: Product, bias: UInt64) throws -> cd_matmul {
        let products = device.gpu.products
        var matmul: cd_matmul?
        _ = unsafe products.cublasLtMatmulDescCreate(
            &matmul, Int32(CD_COMPUTE_F32), Int32(CD_TYPE_F32))
        let made = unsafe try #require(matmul)
        func set(_ attribute: Int, _ value: Int) {
            var value = Int32(value)
            _ = unsafe products.cublasLtMatmulDescSetAttribute(made, Int32(attribute), &value, 4)
        }
        set(CD_MATMUL_TRANSPOSE_A, product.transposesA ? CD_OPERATION_TRANSPOSE : 0)
        set(CD_MATMUL_TRANSPOSE_B, product.transposesB ? CD_OPERATION_TRANSPOSE : 0)
        if product.hasBias {
            set(CD_MATMUL_EPILOGUE, CD_EPILOGUE_BIAS)
            set(CD_MATMUL_BIAS_DATA_TYPE, Int(product.d.type))
            var address = bias
            _ = unsafe products.cublasLtMatmulDescSetAttribute(
                made, Int32(CD_MATMUL_BIAS_POINTER), &address, 8)
        }
        return unsafe made
    }

    /// What the heuristic puts first.
    private func algorithm(
        _ multiplier: cd_products, _ matmul: cd_matmul, _ layouts: (cd_layout, cd_layout, cd_layout)
    ) throws -> cd_algorithm {
        let products = device.gpu.products
        var preference: cd_preference?
        _ = unsafe products.cublasLtMatmulPreferenceCreate(&preference)
        let made = unsafe try #require(preference)
        var workspace = 1 << 16
        _ = unsafe products.cublasLtMatmulPreferenceSetAttribute(
            made, Int32(CD_PREFERENCE_MAX_WORKSPACE_BYTES), &workspace, 8)
        var best = cd_heuristic()
        var count: Int32 = 0
        let status = unsafe products.cublasLtMatmulAlgoGetHeuristic(
            multiplier, matmul, layouts.0, layouts.1, layouts.2, layouts.2, made, 1, &best, &count)
        #expect(status == 0 && count == 1)
        return best.algorithm
    }

    /// What d should be, with what was there before.
    private func expected(
        _ product: Product, _ a: [Float], _ b: [Float], _ c: [Float], _ bias: [Float]
    ) -> [Float] {
        var d = c
        for member in 0..<product.batch {
            for column in 0..<product.N {
                for row in 0..<product.M {
                    let sum = (0..<product.K).reduce(Float(0)) { sum, k in
                        let left = product.transposesA ? (k, row) : (row, k)
                        let right = product.transposesB ? (column, k) : (k, column)
                        return sum + a[product.a.index(left.0, left.1, member)]
                            * b[product.b.index(right.0, right.1, member)]
                    }
                    let at = product.d.index(row, column, member)
                    d[at] =
                        product.scale * sum + (product.kept == 0 ? 0 : product.kept * c[at])
                        + (product.hasBias ? bias[row] : 0)
                }
            }
        }
        return d
    }

    @Test(
        "A product is the sum, whatever the layouts and types",
        arguments: [
            Product(), Product(transposesA: true), Product(transposesB: true),
            Product(transposesA: true, transposesB: true, scale: 0.5, kept: 2),
            Product(hasBias: true, kept: 1, batch: 3), Product(inputIsBF16: true, hasBias: true),
            Product(transposesA: true, inputIsBF16: true, outputIsBF16: true, hasBias: true),
            Product(inputIsBF16: true, outputIsBF16: true, kept: 0.5, batch: 2),
        ])
    func product(_ product: Product) throws {
        func numbers(_ count: Int, _ step: Int) -> [Float] {
            (0..<count).map { Float(($0 * step) % 7 - 3) * 0.5 }
        }
        let a = numbers(product.a.stride * product.batch, 3)
        let b = numbers(product.b.stride * product.batch, 5)
        let c = numbers(product.d.stride * product.batch, 2)
        let bias = numbers(product.M, 1)
        let addresses = (upload(a, as: product.a), upload(b, as: product.b))
        let d = upload(c, as: product.d)
        let description = unsafe try matmul(product, bias: upload(bias, as: product.d))
        let layouts = unsafe (
            try layout(product.a), try layout(product.b), try layout(product.d)
        )
        var handle: cd_products?
        _ = unsafe device.gpu.products.cublasLtCreate(&handle)
        let multiplier = unsafe try #require(handle)
        var (scale, kept) = (product.scale, product.kept)
        var algorithm = unsafe try algorithm(multiplier, description, layouts)
        let status = unsafe device.gpu.products.cublasLtMatmul(
            multiplier, description, &scale, addresses.0, layouts.0, addresses.1, layouts.1,
            &kept, d, layouts.2, d, layouts.2, &algorithm, device.emptyArray(count: 1 << 14),
            1 << 16, device.stream.handle)
        #expect(device.synchronize() == 0)
        #expect(status == 0)
        #expect(
            download(d, as: product.d, count: c.count) == expected(product, a, b, c, bias))
        #expect(device.gpu.wrong.isEmpty)
        #expect(device.gpu.productCount == 1)
    }

    @Test("Layouts that do not fit are told")
    func wrongLayouts() throws {
        let product = Product()
        let address = device.emptyArray(count: 1000)
        let description = unsafe try matmul(product, bias: 0)
        let (a, b) = unsafe (try layout(product.a), try layout(product.b))
        var handle: cd_products?
        _ = unsafe device.gpu.products.cublasLtCreate(&handle)
        let multiplier = unsafe try #require(handle)
        var one: Float = 1
        var algorithm = cd_algorithm()
        let status = unsafe device.gpu.products.cublasLtMatmul(
            multiplier, description, &one, address, a, address, b, &one, address, a, address, a,
            &algorithm, 0, 0, device.stream.handle)
        #expect(status == 7)
        #expect(device.gpu.wrong == "the layouts of a product do not fit")
    }
}
