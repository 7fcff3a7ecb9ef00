import ArgumentParser

@main
struct Lorikeet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "lorikeet")
}
