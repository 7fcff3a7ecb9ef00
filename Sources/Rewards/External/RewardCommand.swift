import Formats
import Foundation

/// The command line that runs a user's reward.
struct RewardCommand {
    /// The program's full path.
    let executable: String
    /// Its arguments.
    let arguments: [String]
    /// Whether it says that it is ready, or why not, before it is asked anything.
    let announcesItself: Bool

    /// The command for a file: `python3` with our driver for `.py`, else the file itself.
    ///
    /// - Throws: when the file or python3 is missing, or the file may not be run.
    init(
        path: String, functionName: String, arguments: JSONObject, searchPath: String
    ) throws(RewardError) {
        let target = URL(filePath: path).resolvingSymlinksInPath().path
        let kind = try? FileManager.default.attributesOfItem(atPath: target)[.type]
        guard let kind = kind as? FileAttributeType, kind != .typeDirectory else {
            throw RewardError(
                "custom_reward_function.path: \(path) is "
                    + "\(kind == nil ? "not there" : "a folder, not a file").")
        }
        if path.hasSuffix(".py") {
            executable = try Self.python(in: searchPath, path: path)
            self.arguments = [
                "-u", "-c", PythonDriver.source, path, functionName,
                JSON.object(arguments).serialized(.compact),
            ]
            announcesItself = true
            return
        }
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw RewardError(
                "custom_reward_function.path: \(path) is neither a .py file nor executable "
                    + "(chmod +x makes it so).")
        }
        guard arguments.isEmpty else {
            throw RewardError(
                "custom_reward_function.reward_kwargs is for Python functions only, "
                    + "and \(path) is no .py file.")
        }
        executable = path
        self.arguments = []
        announcesItself = false
    }

    private static func python(in searchPath: String, path: String) throws(RewardError) -> String {
        let candidates = searchPath.split(separator: ":").map { "\($0)/python3" }
        guard let python = candidates.first(where: FileManager.default.isExecutableFile) else {
            throw RewardError("The reward \(path) needs python3, which is not in the PATH.")
        }
        return python
    }
}
