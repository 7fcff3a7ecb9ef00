import Formats
import Tensors

extension SafetensorsCheckpoint {
    /// What tells the content of this checkpoint from that of any other, in a line a file: name,
    /// size, time of the last change in nanoseconds, and checksums of the table and of samples.
    ///
    /// The samples are of the tensors' bytes and take no time to speak of. They tell files apart
    /// that a build or an archive gave one and the same time: two trainings of one model differ
    /// everywhere.
    var fingerprint: String {
        zip(fileNames, files).map { name, file in
            let table = file.file.withBytes(in: 0..<file.dataStart) { checksum(of: $0) }
            return "\(name) \(file.file.count) \(file.file.modificationTime) "
                + "\(hexadecimal(table)) \(hexadecimal(file.sampledChecksum))"
        }.joined(separator: "\n")
    }
}

extension SafetensorsFile {
    /// The checksum of 64 pages that lie evenly over the tensors' bytes.
    fileprivate var sampledChecksum: UInt64 {
        let (count, page) = (64, 4096)
        let size = file.count - dataStart
        guard size > count * page else {
            return file.withBytes(in: dataStart..<file.count) { checksum(of: $0) }
        }
        let sums = (0..<count).map { sample in
            let start = dataStart + (size - page) * sample / (count - 1)
            return file.withBytes(in: start..<start + page) { checksum(of: $0) }
        }
        return checksum(of: sums.map(hexadecimal).joined())
    }
}
