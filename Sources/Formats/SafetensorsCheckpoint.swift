/// The weights of a model folder: one `model.safetensors`, or shards that
/// `model.safetensors.index.json` lists.
package struct SafetensorsCheckpoint: Sendable {
    /// The folder.
    package let directory: String
    /// The shards in the order of their names; one element when there is no index.
    package let files: [SafetensorsFile]
    /// File names of `files`.
    package let fileNames: [String]
    /// The tensors' names: in the order of the index, or of the bytes when there is one file.
    package let names: [String]
    /// Whether the weights are split over files that an index lists.
    package let isSharded: Bool

    private let shardOfName: [String: Int]

    /// Name of a checkpoint's only file.
    package static let fileName = "model.safetensors"
    /// Name of the table of shards.
    package static let indexName = "model.safetensors.index.json"

    /// Maps the files of a folder; throws when one is missing or broken, or lacks a tensor of the
    /// index.
    package init(directory: String) throws(FormatError) {
        let single = "\(directory)/\(Self.fileName)"
        let index = "\(directory)/\(Self.indexName)"
        if fileExists(single) {
            try self.init(directory: directory, file: SafetensorsFile(path: single))
        } else if fileExists(index) {
            try self.init(directory: directory, indexPath: index)
        } else {
            throw FormatError(
                "\(directory) holds no weights: there is neither \(Self.fileName) nor "
                    + Self.indexName
            )
        }
    }

    private init(directory: String, file: SafetensorsFile) {
        self.directory = directory
        files = [file]
        fileNames = [Self.fileName]
        names = file.names
        isSharded = false
        shardOfName = file.tensors.mapValues { _ in 0 }
    }

    private init(directory: String, indexPath: String) throws(FormatError) {
        guard let map = try JSON(contentsOfFile: indexPath)["weight_map"]?.object else {
            throw FormatError(
                "\(indexPath): \"weight_map\" must be an object from tensors to files")
        }
        var places: [(name: String, file: String)] = []
        for (name, value) in map {
            guard let file = value.string, !file.isEmpty, !file.contains("/"), file != ".." else {
                throw FormatError(
                    "\(indexPath): the file of \"\(name)\" must be a name in the same folder")
            }
            places.append((name, file))
        }
        let fileNames = Set(places.map(\.file)).sorted()
        var shards: [String: Int] = [:]
        var files: [SafetensorsFile] = []
        for (position, fileName) in fileNames.enumerated() {
            let path = "\(directory)/\(fileName)"
            guard fileExists(path) else {
                throw FormatError("\(indexPath) lists \(fileName), which is not in the folder")
            }
            files.append(try SafetensorsFile(path: path))
            shards[fileName] = position
        }
        var shardOfName: [String: Int] = [:]
        for (name, fileName) in places {
            guard let shard = shards[fileName], files[shard].tensors[name] != nil else {
                throw FormatError(
                    "\(indexPath) places the tensor \"\(name)\" in \(fileName), which lacks it")
            }
            shardOfName[name] = shard
        }
        self.directory = directory
        self.files = files
        self.fileNames = fileNames
        names = places.map(\.name)
        isSharded = true
        self.shardOfName = shardOfName
    }

    /// The tensor of a name with the file that holds it; nil when the checkpoint lacks it.
    package func find(_ name: String) -> (file: SafetensorsFile, entry: SafetensorsEntry)? {
        guard let shard = shardOfName[name], let entry = files[shard].tensors[name] else {
            return nil
        }
        return (files[shard], entry)
    }

    /// The tensor of a name with the file that holds it; throws when the checkpoint lacks it.
    package func entry(
        _ name: String
    ) throws(FormatError) -> (file: SafetensorsFile, entry: SafetensorsEntry) {
        if let found = find(name) { return found }
        let place = isSharded ? "\(directory)/\(Self.indexName)" : files[0].path
        throw FormatError("\(place): there is no tensor \"\(name)\"")
    }
}
