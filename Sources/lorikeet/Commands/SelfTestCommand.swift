import ArgumentParser
import Foundation
import SelfTest
import Tensors

struct SelfTestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "selftest",
        abstract: "Hold every op and the whole step of a device against the host's.",
        discussion: """
            Numbers and models are made on the spot: no files are needed. With --device cpu the \
            processor's own kernels are held against those that every processor can run. Each check \
            is named before it runs; a table ends the run, and the exit status is 1 where a bound \
            was missed.
            """)

    enum Kind: String, ExpressibleByArgument, CaseIterable {
        case cuda
        case cpu
    }

    @Option(help: "What is tested.")
    var device: Kind

    @Option(help: "Run only the checks whose name contains this, such as \"attention: bf16\".")
    var only: String?

    @Option(help: "Threads that compute; 0 for one a core.")
    var threads: Int = 0

    func validate() throws {
        guard threads >= 0, threads <= 4096 else {
            throw ValidationError("--threads is \(threads); it must be from 0 to 4096.")
        }
    }

    func run() throws {
        Threads.setCount(threads)
        let (device, description) = try opened()
        let test = SelfTest(device, sizes: .full)
        write("\(description), against \(reference)\n")
        let report = test.run(only: only, write: write)
        guard !report.outcomes.isEmpty else {
            throw CommandError(
                "--only: no check's name contains \"\(only ?? "")\"; they are called as in "
                    + "\"\(test.checkNames.first ?? "")\".")
        }
        write("\n\(report.table)\n\n\(report.summary)\n")
        if !report.misses.isEmpty { throw ExitCode.failure }
    }

    private func opened() throws -> (Device, String) {
        switch device {
        case .cpu: return (.cpu, "CPU (\(Processor.instructionSet), \(Threads.count) threads)")
        case .cuda:
            let cuda = try CUDADevice.open(environment: ProcessInfo.processInfo.environment)
            return (.cuda(cuda), cuda.properties.name)
        }
    }

    private var reference: String {
        device == .cpu
            ? "the portable kernels"
            : "the CPU (\(Processor.instructionSet), \(Threads.count) threads)"
    }

    /// Writes text at once, without waiting for the end of a line.
    private func write(_ text: String) {
        try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    }
}
