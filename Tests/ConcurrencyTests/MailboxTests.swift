import Concurrency
import Testing

@Suite struct MailboxTests {
    /// One by one or all at once, in whatever mixture: what came first goes first.
    @Test func itemsGoInTheOrderInWhichTheyCame() {
        let box = Mailbox<Int>(countMax: 10)
        for item in 0..<4 { #expect(box.post(item)) }
        #expect(box.takeOne() == 0)
        for item in 4..<7 { #expect(box.post(item)) }
        #expect(box.takeOne() == 1)
        #expect(box.take(within: 0) == [2, 3, 4, 5, 6])
        #expect(box.take(within: 0) == [])
        #expect(box.post(7))
        #expect(box.takeOne() == 7)
        #expect(box.post(8))
        #expect(box.take(within: 0) == [8])
    }

    @Test func itemsThatWereSetAsideCountTowardsTheBound() {
        let box = Mailbox<Int>(countMax: 3)
        for item in 0..<3 { #expect(box.post(item)) }
        #expect(!box.post(3))
        #expect(box.takeOne() == 0)
        #expect(box.post(3))
        #expect(!box.post(4))
        box.insist(5)
        #expect(box.take(within: 0) == [1, 2, 3, 5])
    }

    @Test func aClosedBoxGivesWhatItHasAndTakesNothing() {
        let box = Mailbox<Int>(countMax: 3)
        for item in 0..<3 { #expect(box.post(item)) }
        #expect(box.takeOne() == 0)
        box.close()
        #expect(!box.post(9))
        box.insist(9)
        #expect(box.takeOne() == 1)
        #expect(box.take(within: nil) == [2])
        #expect(box.takeOne() == nil)
        #expect(box.take(within: nil) == nil)
    }
}
