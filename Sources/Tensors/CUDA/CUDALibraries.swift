package import CDrivers

/// The functions of the vendor's libraries, and which files they are of.
package struct CUDALibraries: @unchecked Sendable {
    // The functions may be called by any thread.
    let driver: cd_cuda
    let compiler: cd_nvrtc
    let products: cd_cublaslt

    /// Tables that somebody else has filled.
    package init(driver: cd_cuda, compiler: cd_nvrtc, products: cd_cublaslt) {
        self.driver = driver
        self.compiler = compiler
        self.products = products
    }

    /// What came of the search for one library.
    package enum Finding: Sendable, Equatable {
        /// The file that was loaded, links resolved.
        case found(String)
        /// One sentence that says what was tried.
        case missing(String)
    }

    /// What came of the search for all.
    package struct Search: Sendable {
        /// The tables, where all three were found.
        package let libraries: CUDALibraries?
        package let findings: [CUDALibrary: Finding]
        /// The newest version of CUDA that the driver serves: 1000 * major + 10 * minor.
        package let driverVersion: Int?
    }

    /// Loads what there is of the three.
    package static func search(_ search: CUDALibrarySearch) -> Search {
        let (driver, driverFinding) = unsafe load(
            search.candidates(.driver), as: cd_cuda.self, .driver, cd_open_cuda)
        var version: Int32 = 0
        if let driver = driver { _ = unsafe driver.cuDriverGetVersion(&version) }
        let major = version > 0 ? Int(version) / 1000 : nil
        let (compiler, compilerFinding) = unsafe load(
            search.candidates(.compiler, driverMajor: major), as: cd_nvrtc.self, .compiler,
            cd_open_nvrtc)
        let (products, productsFinding) = unsafe load(
            search.candidates(.products, driverMajor: major), as: cd_cublaslt.self, .products,
            cd_open_cublaslt)
        var libraries: CUDALibraries?
        if let driver = driver, let compiler = compiler,
            let products = products
        {
            libraries = CUDALibraries(
                driver: driver, compiler: compiler, products: products)
        }
        let findings: [CUDALibrary: Finding] = [
            .driver: driverFinding, .compiler: compilerFinding, .products: productsFinding,
        ]
        return Search(
            libraries: libraries, findings: findings,
            driverVersion: version > 0 ? Int(version) : nil)
    }

    /// What comes of the search for the driver alone.
    static func driver(_ search: CUDALibrarySearch) -> Finding {
        unsafe load(search.candidates(.driver), as: cd_cuda.self, .driver, cd_open_cuda).finding
    }

    private typealias Open<Table> = (
        UnsafeMutablePointer<Table>, UnsafePointer<UnsafePointer<CChar>?>?, Int32,
        UnsafeMutablePointer<CChar>, Int
    ) -> Bool

    /// Fills a table from the first of `candidates` that can be used.
    private static func load<Table>(
        _ candidates: [String], as _: Table.Type, _ library: CUDALibrary, _ open: Open<Table>
    ) -> (table: Table?, finding: Finding) {
        let table = UnsafeMutablePointer<Table>.allocate(capacity: 1)
        defer { unsafe table.deallocate() }
        let capacity = 16 << 10
        var isOpen = false
        let report = unsafe withCStrings(candidates) { paths in
            unsafe String(unsafeUninitializedCapacity: capacity) { buffer in
                guard let start = buffer.baseAddress else { return 0 }
                return unsafe start.withMemoryRebound(to: CChar.self, capacity: capacity) {
                    isOpen = unsafe open(table, paths, Int32(candidates.count), $0, capacity)
                    return unsafe String(cString: $0).utf8.count
                }
            }
        }
        guard isOpen else {
            return (
                nil, .missing("\(library.description) was not found: \(report).\(library.hint)")
            )
        }
        return unsafe (table.pointee, .found(report))
    }
}

extension CUDALibrary: CustomStringConvertible {
    /// The file's name without its version where that depends on CUDA's.
    package var description: String {
        switch self {
        case .driver: "libcuda.so.1"
        case .compiler: "libnvrtc"
        case .products: "libcublasLt"
        }
    }

    /// What a user can do where the library is missing.
    fileprivate var hint: String {
        switch self {
        case .driver: ""
        case .compiler: " \(Self.hint(wheel: "nvidia-cuda-nvrtc"))"
        case .products: " \(Self.hint(wheel: "nvidia-cublas"))"
        }
    }

    private static func hint(wheel: String) -> String {
        "It is in the CUDA toolkit and in the Python wheel \(wheel); "
            + "\(CUDALibrarySearch.variable) may name its folder."
    }
}

/// Calls `body` with the strings as C has them; they are gone after it.
func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result
) -> Result {
    let bytes = strings.flatMap { Array($0.utf8CString) }
    return unsafe bytes.withUnsafeBufferPointer { bytes in
        var next = bytes.baseAddress
        let pointers = unsafe strings.map { string in
            defer { unsafe next = next.map { unsafe $0 + string.utf8.count + 1 } }
            return unsafe next
        }
        return unsafe pointers.withUnsafeBufferPointer { unsafe body($0.baseAddress) }
    }
}
