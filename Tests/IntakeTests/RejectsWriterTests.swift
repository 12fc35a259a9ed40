import Foundation
import Intake
import TestSupport
import Testing

@Suite struct RejectsWriterTests {
    private func reject(_ record: String) -> Reject {
        Reject(file: "a.csv", line: 2, reason: "is not right", record: record)
    }

    @Test func whatIsWrittenCanBeRead() throws {
        try withTemporaryDirectory { directory in
            let path = directory.appendingPathComponent("rejects.csv").path
            try "older".write(toFile: path, atomically: true, encoding: .utf8)
            let records = ["x,\"a\"\"\nb\"", "=1+1", "＝SUM(A1)", "@x", "  -3", "积分", "\t=1"]
            let writer = try RejectsWriter(path: path)
            for record in records { try writer.write(reject(record)) }
            #expect(writer.count == records.count)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "older")
            try writer.finish()

            let reader = try CSVReader(path: path)
            #expect(reader.columns == ["file", "line", "reason", "record"])
            var found: [String] = []
            while try reader.next() == .record {
                #expect(reader.record.fields[0] == "a.csv")
                #expect(reader.record.fields[1] == "2")
                found.append(reader.record.fields[3])
            }
            #expect(found == ["x,\"a\"\"\nb\"", "'=1+1", "'＝SUM(A1)", "'@x", "'  -3", "积分", "'\t=1"])
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["rejects.csv"])
        }
    }

    @Test func withoutAnEndNothingIsLeft() throws {
        try withTemporaryDirectory { directory in
            do {
                let writer = try RejectsWriter(path: directory.appendingPathComponent("rejects.csv").path)
                try writer.write(reject("x"))
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
        }
    }

    @Test func aMissingDirectory() throws {
        let error = #expect(throws: IntakeError.self) { try RejectsWriter(path: "/nonexistent/rejects.csv") }
        #expect(error?.code == .notFound)
    }
}
