import Formats
import Foundation
import OracleFixtures
import Testing

@testable import Training

/// verl's `use_shm` copies a checkpoint to /dev/shm, and takes an old copy for the new one. Here
/// nothing is copied.
@Suite("use_shm")
struct SharedMemoryTests {
    private static let folder = "/dev/shm"

    private func copyModel(to path: String, changingWeights: Bool = false) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for name in try FileManager.default.contentsOfDirectory(atPath: RunFolder.model) {
            var bytes = try [UInt8](contentsOfFile: "\(RunFolder.model)/\(name)")
            // The last bytes are weights: their lowest bits make another model.
            if changingWeights, name == "model.safetensors" {
                for index in stride(from: bytes.count - 4000, to: bytes.count, by: 4) {
                    bytes[index + 2] ^= 1
                }
            }
            try AtomicFile.write(bytes, to: "\(path)/\(name)")
        }
    }

    private func names() throws -> Set<String> {
        guard FileManager.default.fileExists(atPath: Self.folder) else { return [] }
        return Set(try FileManager.default.contentsOfDirectory(atPath: Self.folder))
    }

    @Test("a checkpoint that was replaced is the one that is trained, and nothing is copied")
    func neverStale() async throws {
        try await withTemporaryFolder { path in
            let runs = try RunFolder(path)
            let before = try names()
            let model = "actor_rollout_ref.model.path=\(path)/model"
            let shared = "actor_rollout_ref.model.use_shm=true"
            try copyModel(to: "\(path)/model")
            try await runs.train("first", model, shared, "trainer.total_training_steps=1")
            try copyModel(to: "\(path)/model", changingWeights: true)
            try await runs.train("second", model, shared, "trainer.total_training_steps=1")
            try await runs.train("plain", model, "trainer.total_training_steps=1")
            let files = try ["first", "second", "plain"].map {
                try runs.bytes(RunFolder.adapterFile($0, step: 1))
            }
            #expect(files[0] != files[1])
            #expect(files[1] == files[2])
            let after = try names()
            #expect(!after.subtracting(before).contains { $0.contains("verl") })
        }
    }

    @Test(
        "a checkpoint that lies in /dev/shm is trained where it lies",
        .enabled(if: FileManager.default.isWritableFile(atPath: folder)))
    func inSharedMemory() async throws {
        let model = "\(Self.folder)/lorikeet-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: model) }
        try copyModel(to: model)
        try await withTemporaryFolder { path in
            let runs = try RunFolder(path)
            try await runs.train(
                "a", "actor_rollout_ref.model.path=\(model)", "trainer.total_training_steps=1")
            try await runs.train("b", "trainer.total_training_steps=1")
            let files = try ["a", "b"].map { try runs.bytes(RunFolder.adapterFile($0, step: 1)) }
            #expect(files[0] == files[1])
        }
    }
}
