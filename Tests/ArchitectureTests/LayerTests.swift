import Foundation
import Testing

/// The table of targets in Documentation/Architecture.md, and the sources that it speaks of.
private struct Layers {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// What each Swift target may import of this package or of another.
    let allowed: [String: Set<String>]

    init() throws {
        let page = Self.root.appendingPathComponent("Documentation/Architecture.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        var allowed: [String: Set<String>] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("| ") {
            let cells = line.split(separator: "|").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            guard cells.count == 4, Int(cells[0]) != nil else { continue }
            let target = cells[1].replacingOccurrences(of: " (C)", with: "")
            allowed[target] = Set(
                cells[3].split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
                    .filter { $0 != "-" })
        }
        self.allowed = allowed
    }

    /// The Swift files of a folder below the repository's root.
    static func swiftFiles(_ folder: String) throws -> [URL] {
        let files = FileManager.default.enumerator(
            at: root.appendingPathComponent(folder), includingPropertiesForKeys: nil)
        return (files?.allObjects as? [URL] ?? []).filter { $0.pathExtension == "swift" }
    }

    /// The modules that a file imports: what stands before its first declaration.
    static func imports(of file: URL) throws -> [String] {
        var modules: [String] = []
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
            let words = line.split(separator: " ")
            let isAside = line.hasPrefix("//") || words[0].hasPrefix("#")
            guard !isAside else { continue }
            guard let place = words.firstIndex(of: "import"), place <= 1, words.count == place + 2
            else { break }
            modules.append(String(words[place + 1]))
        }
        return modules
    }
}

@Suite("Layers")
struct LayerTests {
    /// Modules of the system and of the toolchain.
    private static let system: Set<String> = [
        "Foundation", "FoundationEssentials", "Glibc", "Musl", "Darwin", "Synchronization",
        "Dispatch",
    ]

    @Test("every folder of Sources has its row in the table, and every row its folder")
    func folders() throws {
        let layers = try Layers()
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: Layers.root.appendingPathComponent("Sources").path)
        #expect(Set(folders) == Set(layers.allowed.keys))
    }

    @Test("every file imports only what the table allows its target")
    func imports() throws {
        let layers = try Layers()
        for (target, allowed) in layers.allowed {
            for file in try Layers.swiftFiles("Sources/\(target)") {
                let found = Set(try Layers.imports(of: file)).subtracting(Self.system)
                #expect(
                    found.isSubset(of: allowed),
                    "\(target)/\(file.lastPathComponent) imports \(found.subtracting(allowed))")
            }
        }
    }

    @Test("no file is longer than 600 lines, or named after nothing")
    func files() throws {
        let vague = ["Utils", "Helper", "Common", "Manager", "Impl", "Misc"]
        for file in try Layers.swiftFiles("Sources") + Layers.swiftFiles("Tests") {
            let lines = try String(contentsOf: file, encoding: .utf8).split(
                separator: "\n", omittingEmptySubsequences: false
            ).count
            #expect(lines <= 600, "\(file.lastPathComponent) has \(lines) lines")
            let name = file.deletingPathExtension().lastPathComponent
            #expect(!vague.contains(where: name.contains), "\(file.lastPathComponent)")
        }
    }

    @Test("pointers stay in kernels, tensors and mapped files")
    func unsafeCode() throws {
        let places: Set = ["Tensors", "Formats", "Models"]
        for target in try Layers().allowed.keys where !places.contains(target) {
            for file in try Layers.swiftFiles("Sources/\(target)") {
                let text = try String(contentsOf: file, encoding: .utf8)
                #expect(
                    !text.contains("UnsafeMutable") && !text.contains("UnsafePointer")
                        && !text.contains("UnsafeRaw"), "\(target)/\(file.lastPathComponent)")
            }
        }
    }
}
