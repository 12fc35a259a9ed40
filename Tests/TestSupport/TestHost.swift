/// Where processes of a test run.
public struct TestHost: Sendable {
    /// What others reach it by.
    public let address: String
    /// A program with its words that runs another program there; none for the machine itself.
    public let wrapper: [String]

    public init(address: String, wrapper: [String]) {
        self.address = address
        self.wrapper = wrapper
    }

    public static let loopback = TestHost(address: "127.0.0.1", wrapper: [])
}
