import Bench
import Glibc
import Terminal

/// `Soak`: a node under steady load for so long that whatever grows would show.
let soak = Tool(
    Command(
        "Soak", "run a node under steady mixed load and see whether it grows",
        details: """
            Makes a chain in a directory of its own, starts a node there as a user would, and leans on it over HTTP: \
            transfers, batches, readings, event streams, wrong requests, connections that come and go. Every ten \
            seconds it notes what the node holds; at the end it compares two windows and says with its exit code \
            whether they are alike (docs/performance.md).
            """,
        options: [
            .path("lianfen", placeholder: "FILE", .required, help: "the tool, from a release build"),
            .path("dir", placeholder: "DIR", .fallback(".build/soak"), help: "where the chain is made, anew each time"),
            .integer("minutes", in: 1...10_080, .fallback("20"), help: "how long the load lasts"),
        ], answersJSON: false
    ) { parsed, console in
        let minutes = parsed.requiredNumber("minutes")
        let directory = try BenchDirectory(parsed.requiredText("dir"))
        let node = try SoakNode(
            tool: parsed.requiredText("lianfen"), directory, secondsMax: minutes * 60 + SoakNode.graceSeconds)
        console.pass("\(Machine.description); \(minutes) minutes\n\(Sample.head)")
        var samples: [Sample] = []
        var load = try SoakLoad(node)
        try load.run(seconds: Double(minutes * 60)) { sample in
            samples.append(sample)
            if samples.count % Sample.aMinute == 0 { console.pass(sample.row) }
        }
        console.pass(load.totals)
        try node.stop()
        let verdict = Verdict(samples, minutes: Double(minutes))
        console.pass(verdict.text)
        return verdict.holds ? .ok : .refused
    }, version: "1"
) { error in
    (error as? BenchError).map { CommandError(code: $0.code, reason: $0.description, exit: .environment) }
}

soak.main()
