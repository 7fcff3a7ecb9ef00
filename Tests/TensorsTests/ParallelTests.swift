import CKernels
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What the tasks of one parallel call leave behind.
private final class Ledger: Sendable {
    let runs: Mutex<[Int]>
    let inner = Atomic<Int>(0)

    init(tasks: Int) { runs = Mutex(Array(repeating: 0, count: tasks)) }
}

private func ledger(_ context: UnsafeMutableRawPointer?) -> Ledger? {
    unsafe context.map { unsafe Unmanaged<Ledger>.fromOpaque($0).takeUnretainedValue() }
}

/// Runs `tasks` tasks that each note themselves in the ledger.
private func runNoted(tasks: Int) -> Ledger {
    let notes = Ledger(tasks: tasks)
    withExtendedLifetime(notes) {
        unsafe ck_parallel(
            tasks,
            { context, task in unsafe ledger(context)?.runs.withLock { $0[task] += 1 } },
            Unmanaged.passUnretained(notes).toOpaque())
    }
    return notes
}

struct ParallelTests {
    @Test("Every task runs once, however many", arguments: [0, 1, 2, 3, 7, 1000])
    func once(tasks: Int) {
        KernelConditions.forEach { conditions in
            for _ in 0..<20 {
                let runs = runNoted(tasks: tasks).runs.withLock { $0 }
                #expect(runs == Array(repeating: 1, count: tasks), "\(conditions)")
            }
        }
    }

    @Test("A call from inside a task does its tasks there and then")
    func nested() {
        KernelConditions.forEach { conditions in
            let notes = Ledger(tasks: 5)
            withExtendedLifetime(notes) {
                unsafe ck_parallel(
                    5,
                    { context, task in
                        unsafe ck_parallel(
                            4,
                            { context, _ in
                                _ = unsafe ledger(context)?.inner.add(1, ordering: .relaxed)
                            }, context)
                        unsafe ledger(context)?.runs.withLock { $0[task] += 1 }
                    },
                    Unmanaged.passUnretained(notes).toOpaque())
            }
            #expect(notes.runs.withLock { $0 } == [1, 1, 1, 1, 1], "\(conditions)")
            #expect(notes.inner.load(ordering: .relaxed) == 20, "\(conditions)")
        }
    }

    @Test("Several threads may call at once")
    func concurrentCallers() async {
        let wrong = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    (0..<500).count { _ in
                        runNoted(tasks: 6).runs.withLock { $0 } != [1, 1, 1, 1, 1, 1]
                    }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(wrong == 0)
    }

    @Test("Scratch is aligned, kept, and grows")
    func scratch() {
        let small = unsafe ck_scratch(6, 1000)
        #expect(UInt(bitPattern: small) % 64 == 0)
        let again = unsafe ck_scratch(6, 500)
        #expect(unsafe small == again)
        let before = ck_scratch_total()
        let large = unsafe ck_scratch(6, 5 << 20)
        unsafe memset(large, 1, 5 << 20)
        #expect(UInt(bitPattern: large) % 64 == 0)
        #expect(ck_scratch_total() >= before)
    }

    @Test("The instruction set can be lowered and set back")
    func instructionSet() {
        KernelConditions.unchanged {
            let detected = ck_isa_detected()
            #expect(ck_isa_limit(CK_ISA_PORTABLE) == CK_ISA_PORTABLE)
            #expect(ck_isa_in_use() == CK_ISA_PORTABLE)
            #expect(ck_isa_limit(CK_ISA_AVX512) == detected)
        }
    }
}
