import Settings

/// How long supervised fine-tuning goes on and what it leaves behind: the keys `trainer.*`.
package struct SFTTrainerSettings: Sendable {
    /// What it shares with reinforcement learning.
    package let run: RunSettings
    /// What checkpoints hold.
    package let checkpoint: CheckpointSettings

    /// Reads `trainer.*`, and `checkpoint.*` where verl has it since.
    init(_ reader: SettingsReader, checkpoint group: SettingsReader) throws(SettingsError) {
        run = try RunSettings(reader, .supervised)
        let earlier = try CheckpointSettings(reader.scope("checkpoint").derived())
        let present = try CheckpointSettings(group.derived())
        checkpoint = reader.isGiven("checkpoint.save_contents") ? earlier : present
        if earlier != present, reader.isGiven("checkpoint.save_contents"),
            group.isGiven("save_contents")
        {
            throw SettingsError(
                "'\(reader.fullKey("checkpoint.save_contents"))' and"
                    + " '\(group.fullKey("save_contents"))' are the same setting, so keep one.")
        }
    }
}
