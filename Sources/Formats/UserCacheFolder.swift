/// Where the program keeps what it can make again: `$XDG_CACHE_HOME/lorikeet` or
/// `~/.cache/lorikeet`; nil where the environment has no home.
package func userCacheFolder(environment: [String: String]) -> String? {
    if let base = environment["XDG_CACHE_HOME"], base.hasPrefix("/") {
        return "\(base)/lorikeet"
    }
    guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
    return "\(home)/.cache/lorikeet"
}
