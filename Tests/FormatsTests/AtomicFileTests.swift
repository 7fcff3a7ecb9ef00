import Testing

@testable import Formats

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif
#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

private func text(_ path: String) throws -> String {
    try String(decoding: [UInt8](contentsOfFile: path), as: UTF8.self)
}

/// From here on this process cannot write a file longer than some bytes: a full disk that needs no
/// rights.
private func limitFileSize(to bytes: UInt) {
    _ = signal(SIGXFSZ, SIG_IGN)
    var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t(bytes))
    #if canImport(Glibc)
        let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
    #else
        let resource = RLIMIT_FSIZE
    #endif
    precondition(unsafe setrlimit(resource, &limit) == 0)
}

@Suite struct AtomicFileTests {
    @Test func `a file is made and replaced, and nothing else is left in the folder`() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/a.txt"
        try AtomicFile.write("first", to: path)
        #expect(try text(path) == "first")
        try AtomicFile.write("2nd", to: path)
        #expect(try text(path) == "2nd")
        #expect(try folder.names() == ["a.txt"])
    }

    @Test func `a file that is not committed stays as it was`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("a.txt", "old")
        do {
            let file = try AtomicFile(replacing: path)
            try file.write(Array("new".utf8))
            #expect(try text(path) == "old")
        }
        #expect(try text(path) == "old")
        #expect(try folder.names() == ["a.txt"])
    }

    @Test func `a file that cannot be written is named with the reason`() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/missing/a.txt"
        #expect(
            failure { () throws(FormatError) in try AtomicFile.write("x", to: path) }
                == "cannot write \(path): No such file or directory")
    }

    @Test func `a full disk leaves the previous file and nothing else`() async {
        await #expect(processExitsWith: .success) {
            let folder = try TemporaryFolder()
            let path = try folder.file("a.bin", "previous")
            limitFileSize(to: 1000)
            let message = failure { () throws(FormatError) in
                try AtomicFile.write([UInt8](repeating: 7, count: 5000), to: path)
            }
            #expect(message == "cannot write \(path): File too large")
            #expect(try text(path) == "previous")
            #expect(try folder.names() == ["a.bin"])
        }
    }

    #if os(Linux)
        @Test func `the reason of a full disk is told`() throws {
            let full = try OpenFile("/dev/full", for: .replacing)
            #expect(throws: FormatError("cannot write /dev/full: No space left on device")) {
                try full.write([1, 2, 3])
            }
        }
    #endif

    @Test func `a folder is made with its parents, and replaced as a whole`() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/run/checkpoint"
        for content in ["one", "two"] {
            let replacement = try AtomicFolder(replacing: path)
            try AtomicFile.write(content, to: "\(replacement.partialPath)/\(content).txt")
            try replacement.commit()
            #expect(try text("\(path)/\(content).txt") == content)
        }
        #expect(!fileExists("\(path)/one.txt"))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/run") == [
                "checkpoint"
            ])
    }

    @Test func `a folder that is not committed stays as it was`() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/checkpoint"
        let first = try AtomicFolder(replacing: path)
        try AtomicFile.write("one", to: "\(first.partialPath)/a.txt")
        try first.commit()
        do {
            let second = try AtomicFolder(replacing: path)
            try AtomicFile.write("two", to: "\(second.partialPath)/a.txt")
        }
        #expect(try text("\(path)/a.txt") == "one")
        #expect(try folder.names() == ["checkpoint"])
    }

    @Test func `a full disk leaves the previous folder`() async {
        await #expect(processExitsWith: .success) {
            let folder = try TemporaryFolder()
            let path = "\(folder.path)/checkpoint"
            let first = try AtomicFolder(replacing: path)
            try AtomicFile.write("one", to: "\(first.partialPath)/a.txt")
            try first.commit()
            limitFileSize(to: 1000)
            do {
                let second = try AtomicFolder(replacing: path)
                try AtomicFile.write("two", to: "\(second.partialPath)/a.txt")
                try AtomicFile.write(
                    [UInt8](repeating: 7, count: 5000), to: "\(second.partialPath)/b.bin")
                Issue.record("the disk should be full")
            } catch {}
            #expect(try text("\(path)/a.txt") == "one")
            #expect(try folder.names() == ["checkpoint"])
        }
    }

    @Test func `a folder in whose place a file lies is an error`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("checkpoint", "a file")
        #expect(
            failure { () throws(FormatError) in
                let replacement = try AtomicFolder(replacing: path)
                try replacement.commit()
            } == "cannot write \(path): Not a directory")
        #expect(try folder.names() == ["checkpoint"])
    }
}

@Suite struct MappedFileTests {
    @Test func `bytes are read in place`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("a.bin", [1, 2, 3, 4, 5])
        let file = try MappedFile(path: path)
        #expect(file.count == 5)
        #expect(file.copy(of: 1..<4) == [2, 3, 4])
        #expect(file.withBytes(in: 0..<5) { $0.byteCount } == 5)
        // Replacing the file by renaming does not touch what is mapped.
        try AtomicFile.write("xyz", to: path)
        #expect(file.copy(of: 0..<5) == [1, 2, 3, 4, 5])
    }

    @Test func `a missing, an empty and a wrong kind of file are told apart`() throws {
        let folder = try TemporaryFolder()
        let missing = "\(folder.path)/missing.bin"
        func message(_ path: String) -> String? {
            failure { () throws(FormatError) in _ = try MappedFile(path: path) }
        }
        #expect(message(missing) == "cannot read \(missing): No such file or directory")
        let empty = try folder.file("empty.bin", "")
        #expect(message(empty) == "\(empty) is empty")
        #expect(message(folder.path) == "cannot read \(folder.path): it is a folder")
        #expect(message("/dev/null") == "cannot read /dev/null: it is no regular file")
    }
}
