import Settings

/// Where a run starts: `trainer.resume_mode` and `trainer.resume_from_path`.
package enum ResumeSettings: Sendable, Equatable {
    /// At the newest checkpoint of the run's folder, or at the beginning when there is none.
    case auto
    /// At the beginning.
    case never
    /// At this checkpoint, a folder named `global_step_N`.
    case from(String)

    /// Reads both keys.
    init(_ reader: SettingsReader) throws(SettingsError) {
        let mode = try reader.choice(
            "resume_mode", default: "auto", of: ["auto", "disable", "resume_path"],
            "Go on from the folder's newest checkpoint, from none, or from resume_from_path.")
        let path = try reader.optionalPath(
            "resume_from_path", "Checkpoint (global_step_N) from which the run goes on.")
        switch (mode, path) {
        case ("resume_path", let path?):
            guard path.contains("global_step_") else {
                throw reader.invalid(
                    "resume_from_path", "must be a checkpoint's folder, named global_step_N")
            }
            self = .from(path)
        case ("resume_path", nil):
            throw reader.conflict(
                ["resume_mode", "resume_from_path"], "set resume_from_path to a checkpoint")
        case ("disable", _): self = .never
        default: self = .auto
        }
        if mode != "resume_path", path != nil {
            reader.unused("resume_from_path", because: "resume_mode is \(mode), not resume_path")
        }
    }
}
