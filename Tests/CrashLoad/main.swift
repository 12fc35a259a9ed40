import CrashKit
import Glibc

// `CrashLoad create DIR VALIDATORS` makes a chain. `CrashLoad load DIR SEED [AGAIN]` loads it until it is killed;
// `CrashLoad settle DIR SEED` opens it, waits until all members stand at one height, and closes it. AGAIN is a file of
// transactions in hexadecimal. LIANFEN_CRASH_POINT=POINT:COUNT kills it at a point, as it does the tool itself;
// LIANFEN_PLANT=unsynced or =late plants a faulty store, which a campaign must find.

do {
    try CrashProcess.run(Array(CommandLine.arguments.dropFirst()))
} catch {
    Word.failed("\(error)").say()
    exit(2)
}
