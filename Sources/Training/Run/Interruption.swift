import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The user's wish to stop: Ctrl-C, or the termination signal of a scheduler.
///
/// The first signal asks for an orderly end (the present micro-batch is finished, the adapter is
/// saved); a second one ends the process at once.
package enum Interruption {
    /// The number of the signal that came; 0 before.
    private static let received = Atomic<Int32>(0)

    /// From now on the signals only leave a note, which `check` reads.
    package static func listen() {
        for number in [SIGINT, SIGTERM] {
            _ = signal(number) { number in
                Interruption.received.store(number, ordering: .relaxed)
                _ = signal(number, SIG_DFL)
            }
        }
    }

    /// Whether a signal has come.
    package static var requested: Bool { received.load(ordering: .relaxed) != 0 }

    /// The exit status of a run that was stopped, as shells have it: 130 after Ctrl-C, 143 after a
    /// termination signal, so that a script does not go on as if the run had ended by itself.
    package static var exitStatus: Int32 { 128 + received.load(ordering: .relaxed) }

    /// - Throws: `Interrupted` when a signal has come.
    package static func check() throws(Interrupted) {
        if requested { throw Interrupted() }
    }
}

/// Thrown where work is left because the user asked to stop.
package struct Interrupted: Error, CustomStringConvertible {
    package init() {}

    package var description: String { "stopped by the user" }
}
