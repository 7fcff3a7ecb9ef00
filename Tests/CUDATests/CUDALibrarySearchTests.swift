import Foundation
import Testing

@testable import Tensors

@Suite("CUDA library search")
struct CUDALibrarySearchTests {
    /// Makes empty files below `folder`.
    private func make(_ paths: [String], in folder: String) throws {
        for path in paths {
            let url = URL(fileURLWithPath: "\(folder)/\(path)")
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data().write(to: url)
        }
    }

    /// What is found below `folder`, relative to it.
    private func found(
        _ library: CUDALibrary, _ environment: [String: String], driverMajor: Int? = nil,
        in folder: String
    ) throws -> [String] {
        try CUDALibrarySearch(environment: environment)
            .candidates(library, driverMajor: driverMajor)
            .filter { $0.hasPrefix(folder) }.map { String($0.dropFirst(folder.count + 1)) }
    }

    @Test("the named folders come first, then wheels, then toolkits")
    func order() throws {
        try withTemporaryFolder { folder in
            let files = [
                "own/libnvrtc.so.13", "packages/nvidia/cu13/lib/libnvrtc.so.13",
                "venv/lib/python3.12/site-packages/nvidia/cu13/lib/libnvrtc.so.13",
                "toolkit/lib64/libnvrtc.so.13",
            ]
            try make(files, in: folder)
            let environment = [
                "LORIKEET_CUDA_LIBRARIES": "\(folder)/own",
                "PYTHONPATH": "\(folder)/empty:\(folder)/packages",
                "VIRTUAL_ENV": "\(folder)/venv", "CUDA_HOME": "\(folder)/toolkit",
            ]
            #expect(try found(.compiler, environment, in: folder) == files)
        }
    }

    @Test("the wheels of the python3 that PATH finds are looked in")
    func python() throws {
        try withTemporaryFolder { folder in
            let library = "env/lib/python3.11/site-packages/nvidia/cublas/lib/libcublasLt.so.12"
            try make(["env/bin/python3", library], in: folder)
            let environment = ["PATH": "\(folder)/none:\(folder)/env/bin"]
            #expect(try found(.products, environment, in: folder) == [library])
        }
    }

    @Test("libraries newer than the driver serves are left out")
    func driverVersion() throws {
        try withTemporaryFolder { folder in
            try make(["libnvrtc.so.12", "libnvrtc.so.13"], in: folder)
            let environment = ["LORIKEET_CUDA_LIBRARIES": folder]
            #expect(
                try found(.compiler, environment, driverMajor: 12, in: folder)
                    == ["libnvrtc.so.12"])
            #expect(
                try found(.compiler, environment, driverMajor: 13, in: folder)
                    == ["libnvrtc.so.13", "libnvrtc.so.12"])
        }
    }

    @Test("the loader is asked at last")
    func loader() throws {
        let search = try CUDALibrarySearch(environment: [:])
        #expect(search.candidates(.driver).contains("libcuda.so.1"))
        #expect(search.candidates(.products).last == "libcublasLt.so.12")
    }

    @Test("a named folder that is not there is refused")
    func missingFolder() {
        #expect(
            throws: CUDAError(
                "LORIKEET_CUDA_LIBRARIES names the folder /no/such, which does not exist.")
        ) {
            try CUDALibrarySearch(environment: ["LORIKEET_CUDA_LIBRARIES": "/no/such"])
        }
    }

    @Test("a file that is no library is told, and what can be done")
    func unusable() throws {
        try withTemporaryFolder { folder in
            try make(["libnvrtc.so.12", "libnvrtc.so.13"], in: folder)
            let environment = ["LORIKEET_CUDA_LIBRARIES": folder]
            let search = CUDALibraries.search(try CUDALibrarySearch(environment: environment))
            guard case .missing(let why) = search.findings[.compiler] else {
                // A compiler of this machine's own was found behind the two.
                return
            }
            // Of the two the driver of this machine, where it has one, may rule out the newer.
            #expect(why.hasPrefix("libnvrtc was not found: \(folder)/libnvrtc.so."))
            #expect(why.contains("\(folder)/libnvrtc.so.12: "))
            #expect(why.contains("nvidia-cuda-nvrtc"))
        }
    }
}
