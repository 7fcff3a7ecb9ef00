internal import Formats

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A library of the GPU's vendor.
package enum CUDALibrary: CaseIterable, Sendable {
    /// The driver's own, which comes with it.
    case driver
    /// NVRTC, the compiler of kernels.
    case compiler
    /// cuBLASLt, products of matrices.
    case products

    /// The file's name for a major version of CUDA.
    func fileName(major: Int) -> String {
        switch self {
        case .driver: "libcuda.so.1"
        case .compiler: "libnvrtc.so.\(major)"
        case .products: "libcublasLt.so.\(major)"
        }
    }

    /// Its folder below `nvidia` in the Python wheels of a major version of CUDA.
    fileprivate func wheelFolder(major: Int) -> String? {
        switch (self, major) {
        case (.driver, _): nil
        case (.compiler, ...12): "cuda_nvrtc/lib"
        case (.products, ...12): "cublas/lib"
        default: "cu\(major)/lib"
        }
    }
}

/// Where the vendor's libraries may lie, as the environment and the file system say.
///
/// In this order: the folders that `LORIKEET_CUDA_LIBRARIES` names; Python wheels (of
/// `PYTHONPATH`, an active environment, the `python3` of `PATH`, the user's own); CUDA toolkits; and
/// what the loader knows itself.
package struct CUDALibrarySearch: Sendable {
    /// The variable that names folders to look in first, separated by colons.
    package static let variable = "LORIKEET_CUDA_LIBRARIES"
    /// The newest version of CUDA that was there when this was written.
    static let newestMajor = 13
    /// The oldest whose libraries have all that is called.
    static let oldestMajor = 12

    private let environment: [String: String]
    /// The folders of `variable`.
    private let override: [String]

    /// - Throws: `CUDAError` when the variable names a folder that is not there.
    package init(environment: [String: String]) throws(CUDAError) {
        self.environment = environment
        override = Self.list(environment[Self.variable])
        for folder in override where !fileExists(folder) {
            throw CUDAError("\(Self.variable) names the folder \(folder), which does not exist.")
        }
    }

    /// Paths of files that are there, and bare names for the loader, best first.
    ///
    /// - Parameter driverMajor: the CUDA version that the driver serves; newer libraries cannot
    ///   work with it. Nil where it is not known.
    package func candidates(_ library: CUDALibrary, driverMajor: Int? = nil) -> [String] {
        if library == .driver {
            let system = ["/usr/local/nvidia/lib64", "/usr/lib/wsl/lib"]
            let name = library.fileName(major: 1)
            return (override.map { "\($0)/\(name)" }).filter(fileExists) + [name]
                + system.map { "\($0)/\(name)" }.filter(fileExists)
        }
        let newest = max(driverMajor ?? Self.newestMajor, Self.oldestMajor)
        return (Self.oldestMajor...newest).reversed().flatMap { major in
            let name = library.fileName(major: major)
            var folders = override
            if let wheel = library.wheelFolder(major: major) {
                folders += wheelRoots.map { "\($0)/\(wheel)" }
            }
            folders += toolkitFolders
            return folders.map { "\($0)/\(name)" }.filter(fileExists) + [name]
        }
    }

    /// The folders `nvidia` that Python wheels were installed to.
    private var wheelRoots: [String] {
        let installed = Self.list(environment["PYTHONPATH"]).map { "\($0)/nvidia" }
        let packages = pythonPrefixes.flatMap { prefix in
            ["site-packages", "dist-packages"].flatMap {
                paths(matching: "\(prefix)/lib/python3*/\($0)/nvidia")
            }
        }
        return installed + packages
    }

    private var pythonPrefixes: [String] {
        var prefixes = ["VIRTUAL_ENV", "CONDA_PREFIX"].compactMap { environment[$0] }
        let commands = Self.list(environment["PATH"])
        if let folder = commands.first(where: { fileExists("\($0)/python3") }) {
            let prefix = folder.hasSuffix("/bin") ? String(folder.dropLast(4)) : folder
            prefixes.append(prefix)
            if prefix == "/usr" { prefixes.append("/usr/local") }
        }
        if let home = environment["HOME"] { prefixes.append("\(home)/.local") }
        return prefixes.filter { !$0.isEmpty }
    }

    private var toolkitFolders: [String] {
        var roots = ["CUDA_HOME", "CUDA_PATH", "CUDA_ROOT"].compactMap { environment[$0] }
        roots.append("/usr/local/cuda")
        roots += paths(matching: "/usr/local/cuda-1[2-9]*").reversed()
        roots += ["/opt/cuda", "/usr/lib/cuda"]
        let folders = [
            "lib64", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib", "lib",
        ]
        return roots.filter { !$0.isEmpty }.flatMap { root in folders.map { "\(root)/\($0)" } }
    }

    /// The parts of a variable that colons separate.
    private static func list(_ value: String?) -> [String] {
        (value ?? "").split(separator: ":").map(String.init)
    }
}

/// The paths that a shell's pattern names, sorted.
private func paths(matching pattern: String) -> [String] {
    var found = unsafe glob_t()
    defer { unsafe globfree(&found) }
    guard unsafe glob(pattern, 0, nil, &found) == 0 else { return [] }
    return (0..<Int(unsafe found.gl_pathc)).compactMap { index in
        unsafe found.gl_pathv[index].map { unsafe String(cString: $0) }
    }
}
