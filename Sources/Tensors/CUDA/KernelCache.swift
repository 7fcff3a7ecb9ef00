internal import Formats

/// Compiled kernels on the disk, so that only the first start on a machine compiles.
///
/// A file is named after a hash of all that its code depends on: source and headers, architecture,
/// options, the compiler's version. It is put in its place whole; after the code comes its checksum,
/// and a file that does not fit it is made anew. Where the folder cannot be written, kernels are
/// compiled at each start.
package struct KernelCache: Sendable {
    /// Nil where nothing is kept.
    let folder: String?

    /// The folder of the environment's user: `$XDG_CACHE_HOME/lorikeet/kernels` or
    /// `~/.cache/lorikeet/kernels`.
    package static func standardFolder(environment: [String: String]) -> String? {
        userCacheFolder(environment: environment).map { "\($0)/kernels" }
    }

    /// The code of `description`, from the disk where it is there; else what `make` gives, which is
    /// then kept.
    ///
    /// - Parameter note: is given one sentence when the code could not be kept.
    /// - Throws: what `make` throws.
    func code(
        _ name: String, of description: String, note: (String) -> Void,
        make: () throws(CUDAError) -> [UInt8]
    ) throws(CUDAError) -> [UInt8] {
        guard let folder else { return try make() }
        let path = "\(folder)/\(name)-\(hexadecimal(checksum(of: description))).cubin"
        if let kept = Self.read(path) { return kept }
        let code = try make()
        do throws(FormatError) {
            try makeFolders(folder)
            try AtomicFile.write(code + Self.checksumBytes(code), to: path)
        } catch {
            note("Compiled kernels are not kept for the next start: \(error).")
        }
        return code
    }

    /// The code in a file; nil when there is none that can be used.
    private static func read(_ path: String) -> [UInt8]? {
        guard fileExists(path), let file = try? MappedFile(path: path), file.count > 8 else {
            return nil
        }
        let bytes = file.copy(of: 0..<file.count)
        let code = Array(bytes.dropLast(8))
        return checksumBytes(code).elementsEqual(bytes.suffix(8)) ? code : nil
    }

    private static func checksumBytes(_ code: [UInt8]) -> [UInt8] {
        let sum = checksum(of: unsafe code.span.bytes)
        return (0..<8).map { UInt8(truncatingIfNeeded: sum >> (8 * $0)) }
    }
}
