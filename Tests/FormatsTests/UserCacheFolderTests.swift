import Testing

@testable import Formats

@Suite("User cache folder")
struct UserCacheFolderTests {
    @Test("the folder is that of the environment")
    func folder() {
        func folder(_ environment: [String: String]) -> String? {
            userCacheFolder(environment: environment)
        }
        #expect(folder(["HOME": "/home/ada"]) == "/home/ada/.cache/lorikeet")
        #expect(folder(["HOME": "/home/ada", "XDG_CACHE_HOME": "/big"]) == "/big/lorikeet")
        #expect(
            folder(["HOME": "/home/ada", "XDG_CACHE_HOME": "x"]) == "/home/ada/.cache/lorikeet")
        #expect(folder([:]) == nil)
    }
}
