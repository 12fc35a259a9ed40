import Bench
import Canonical
import Intake
import JSON
import SQLite
import Storage
import Terminal
import Wallet

/// The command-line tool.
public enum LianfenTool {
    public static let version = "0.1.0"

    static let tool = Tool(
        Command(
            "lianfen", "a points ledger that rival malls share and none can falsify 联分",
            subcommands: [
                InitCommand.command, NodeCommand.command, DemoCommand.command, LoadCommand.command,
                WalletCommands.command, ImportCommand.command, ConsortiumCommands.command, EpochCommands.command,
                AuditCommand.command, ProofCommands.command, ValidatorCommands.command, SnapshotCommands.command,
                BackupCommands.command, PassphraseCommand.command, StatusCommand.command, TxCommands.command,
                BenchCommand.command,
            ]),
        version: version, explain: explain)

    /// Runs with the arguments of the process and ends it.
    public static func main() -> Never { tool.main() }

    /// What errors of the rooms below mean to a person.
    static func explain(_ error: any Error) -> CommandError? {
        switch error {
        case let error as LedgerRefusal: Submission.explain(error)
        case let error as NodeClientError: Submission.explain(error)
        case let error as StorageError:
            CommandError(
                code: "storage-\(error.code.rawValue)", field: error.place, reason: error.reason, exit: .environment)
        case let error as MappingError:
            CommandError(code: "mapping-invalid", field: error.path, reason: error.reason)
        case let error as IntakeError:
            CommandError(
                code: "file-\(error.code.rawValue)", field: error.place, reason: error.reason,
                exit: [.denied, .inputOutput].contains(error.code) ? .environment : .refused)
        case let error as BenchError:
            CommandError(code: error.code, reason: error.description, exit: .environment)
        case let error as SQLiteError:
            CommandError(code: "people", field: error.place, reason: error.reason, exit: .environment)
        default: nil
        }
    }
}
