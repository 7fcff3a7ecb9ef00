import Foundation

@testable import Formats

/// The files under `Fixtures`.
enum FixtureFiles {
    /// The path of a file or a folder.
    static func path(_ name: String) throws -> String {
        guard let resources = Bundle.module.resourceURL else {
            throw FormatError("the tests come without their fixtures")
        }
        return resources.appendingPathComponent("Fixtures/\(name)").path
    }

    /// The bytes of a file.
    static func bytes(_ name: String) throws -> [UInt8] {
        try Array(Data(contentsOf: URL(fileURLWithPath: path(name))))
    }

    /// The text of a file.
    static func text(_ name: String) throws -> String {
        try String(decoding: bytes(name), as: UTF8.self)
    }

    /// The values of a file with one on each line.
    static func lines(_ name: String) throws -> [JSON] {
        try bytes(name).split(separator: 0x0A).map { try JSON(parsing: Array($0), name: name) }
    }
}
