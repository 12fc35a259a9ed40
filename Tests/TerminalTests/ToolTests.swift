import Testing

@testable import Terminal

@Suite struct ToolTests {
    private static let good = ["wallet", "send", "--dir=d", "lf1", "5"]

    @Test func answersGoToOutputAndNotesToErrors() {
        let call = Call(Self.good)
        #expect(call.code == .ok)
        #expect(call.output == "sent 5 to lf1\n")
        #expect(call.errors == "sending\n")
    }

    @Test func underJSONEveryLineIsAnObject() {
        let call = Call(Self.good + ["--json"])
        #expect(call.code == .ok)
        #expect(call.output == #"{"to":"lf1","amount":5}"# + "\n")
        #expect(call.errors == #"{"note":"sending"}"# + "\n")
    }

    @Test func faultsHaveCodesForTheShell() {
        #expect(Call(["fail", "known"]).errors == "error: AMOUNT: only 3 are there\n")
        #expect(Call(["fail", "known"]).code == .refused)
        #expect(Call(["fail", "disk"]).code == .environment)
        #expect(Call(["fail", "strange"]).code == .refused)
        #expect(Call(["silent"]).code == .refused)
        #expect(Call(["nothing"]).errors.hasSuffix("Help: lianfen help\n"))
        #expect(Call(["wallet", "sned"]).errors.hasSuffix("Help: lianfen help wallet\n"))
        #expect(Call(["wallet", "--dir", "d", "send", "--tga"]).errors.hasSuffix("Help: lianfen help wallet send\n"))
    }

    @Test func faultsUnderJSONAreOneObjectOnErrors() {
        let known = Call(["fail", "known", "--json"])
        #expect(known.output.isEmpty)
        #expect(
            known.errors
                == #"{"error":{"code":"insufficient","field":"AMOUNT","reason":"only 3 are there"}}"# + "\n")
        let usage = Call(["--json", "wallet", "sned"])
        #expect(usage.code == .usage)
        #expect(usage.errors.hasPrefix(#"{"error":{"code":"unknown-command","field":null,"#))
        #expect(usage.errors.split(separator: "\n").count == 1)
        #expect(Call(["wallet", "--json"]).errors.contains(#""code":"missing-command""#))
    }

    @Test func aClosedOutputIsNotSuccess() {
        let errors = Recorder()
        let closed = Streams(output: Sink { _ in false }, errors: errors.sink, errorsAreTerminal: false, columns: 80)
        #expect(Samples.tool.run(Self.good, streams: closed) == .environment)
        #expect(errors.text == "sending\n")
    }
}
