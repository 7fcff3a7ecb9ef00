#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A file with given text in a folder of its own, which goes when the value is no longer used.
final class TemporaryFile {
    let path: String
    private let folder: String

    init(_ name: String, _ text: String) {
        folder =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("lorikeet-\(UUID().uuidString)").path
        path = folder + "/" + name
        try? FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try? Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder)
    }
}
