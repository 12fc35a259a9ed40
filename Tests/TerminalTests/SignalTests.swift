import Concurrency
import Glibc
import Testing

@testable import Terminal

@Suite struct SignalTests {
    @Test func aRequestIsSeenByFlagWaitAndHandlers() {
        let stop = StopRequest()
        let calls = Locked(0)
        stop.onRequest { calls.withLock { $0 += 1 } }
        #expect(!stop.isRequested)
        #expect(!stop.wait(milliseconds: 1))
        stop.request()
        stop.request()
        stop.onRequest { calls.withLock { $0 += 10 } }
        #expect(stop.isRequested)
        #expect(stop.wait(milliseconds: 0))
        #expect(stop.wait(milliseconds: 0))
        #expect(calls.withLock { $0 } == 11)
    }

    @Test func theFirstSignalAsksForACleanEnd() async {
        await #expect(processExitsWith: .exitCode(7)) {
            let stop = Signals.install()
            kill(getpid(), SIGTERM)
            if stop.wait(milliseconds: 10_000) { exit(7) }
            exit(1)
        }
    }

    @Test func theSecondSignalEndsAtOnce() async {
        await #expect(processExitsWith: .exitCode(4)) {
            let stop = Signals.install()
            kill(getpid(), SIGINT)
            guard stop.wait(milliseconds: 10_000) else { exit(1) }
            kill(getpid(), SIGINT)
            sleep(10)
        }
    }

    @Test func aClosedPipeIsAFailedWrite() async {
        await #expect(processExitsWith: .exitCode(5)) {
            Signals.ignoreBrokenPipes()
            let (reading, writing) = StopRequest.openPipe()
            close(reading)
            exit(Sink.descriptor(writing).write([1]) ? 1 : 5)
        }
    }
}
