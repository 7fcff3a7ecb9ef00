/// A chat template.
package struct ChatTemplate: Sendable {
    package init(source: String, name: String) throws(FormatError) {}
}
