/// Reads the files of a tokenizer, which are small enough to be read whole.
enum TokenizerDirectory {
    /// The bytes of a file, or nil when it is missing or cannot be read.
    static func bytes(of name: String, in directory: String) -> [UInt8]? {
        try? [UInt8](contentsOfFile: directory + "/" + name)
    }
}
