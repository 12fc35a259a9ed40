public import Chain
public import Crypto
public import Ledger
public import Ordering
public import Storage

/// What can happen to a node. Time comes beside each event; the core asks for none.
public enum Event: Sendable {
    /// A client brings a transaction; `request` names the answer.
    case submit(Transaction, request: UInt64)
    /// A client wants it in writing that a transaction of this envelope was taken up; after its submission.
    case promise(Digest, request: UInt64)
    /// Results of a ``Effect/verify(_:)``.
    case signatures(SignaturePool.Results)
    /// The order says that there may be something new.
    case wake
    case log(LogRange)
    /// A read of the order failed; it is tried again.
    case logFailed(OrderingError)
    case appended(position: UInt64, AppendResult)
    /// Block, header and vote lock of this height are on stable storage.
    case locked(height: UInt64)
    /// The tables stand at this height.
    case committed(height: UInt64)
    /// A peer's vote.
    case vote(Vote)
    /// A certificate that a peer holds, after ``Effect/fetch(above:)``.
    case certificate(Certificate)
    /// What a peer answered to ``Effect/fetchFinals(above:)``; nothing where nobody did.
    case finals([FinalBlocks])
    /// A voting key of this node's organisation, after ``Effect/findKey(_:)``.
    case votingKey(SecretKey)
    /// Asks for a proof of a holding at the newest committed height.
    case prove(account: AccountID, unit: UnitCode, request: UInt64)
    /// Where this node and the others came apart, after ``Effect/compare(_:)``.
    case differs(Divergence.Difference)
    /// The directory failed.
    case failed(StorageError)
    /// Time has passed.
    case tick
}

/// What a node wants done. Effects of one step are carried out in order; those of one kind never overtake each other.
public enum Effect: Sendable {
    /// Check all signatures of these, on as many cores as there are, and read ahead what those of many lines will need.
    case verify([SignaturePool.Unchecked])
    case append([UInt8], position: UInt64)
    case read(from: UInt64, max: Int)
    /// Let the order forget what stands below this position. Nothing is lost where it does not come about.
    case trim(below: UInt64)
    /// Write this with a sync, then say ``Event/locked(height:)``. Nothing of the height leaves the node before.
    case lock(WriteBatch, height: UInt64)
    /// Write this after all locks before it, then say ``Event/committed(height:)``.
    case commit(WriteBatch, height: UInt64)
    case send(Vote)
    /// Put these votes of this node's own, which were sent already, on the ``VoteBoard``, where there is one.
    case post([Vote])
    /// Look there for votes of these validators on these heights, and say ``Event/vote(_:)`` for each. Nothing is lost
    /// where that does not come about: it is asked again.
    case look(for: [OrganisationID], heights: ClosedRange<UInt64>)
    /// Ask any peer for its first certificate above this height (``BlockStore/certificate(above:)``), and say
    /// ``Event/certificate(_:)`` if there is one. Nothing is lost where nobody answers: it is asked again.
    case fetch(above: UInt64)
    /// Ask any peer for the final blocks above this height (``BlockStore/finals(above:bytesMax:)``), and say
    /// ``Event/finals(_:)`` in any case: the order begins higher up, and until then nothing else is read.
    case fetchFinals(above: UInt64)
    /// Ask peers for the certified header of this height and its sub-roots, until one has them, and say
    /// ``Event/differs(_:)``. What they answer is believed only where it is what was certified.
    case compare(Divergence)
    /// Look for the voting key whose public one this is, and say ``Event/votingKey(_:)`` if it is there: the chain
    /// lists it for this node's organisation. It is asked again while it is missing.
    case findKey(PublicKey)
    /// All heights before the first one on which this key votes are final: it takes the place of the one before it.
    case keyHolds(PublicKey)
    case answer(request: UInt64, Answer)
    /// A block is final and stands in the tables.
    case certified(CertifiedBlock)
    /// Say ``Event/tick`` at this time, or earlier.
    case wakeAt(UInt64)
    /// The node serves nothing any more.
    case halt(Halt)
}

/// What a request gets.
public enum Answer: Sendable, Equatable {
    /// The transaction's receipt in a certified block.
    case receipt(Receipt, place: Place)
    case refused(AdmissionRefusal)
    /// It was taken up, and is well signed.
    case promise(SubmissionReceipt)
    case proof(Proof)
}

/// Why a node does not take a transaction up. None of these is a result on the chain: the same transaction may be
/// sent again.
public enum AdmissionRefusal: Sendable, Equatable, CustomStringConvertible {
    case signatureInvalid
    /// Its validUntil has passed before it was ordered.
    case expired
    /// The node holds as many transactions as it may. Try again later.
    case poolFull
    /// This sender has as many transactions under way as it may. Wait for answers.
    case senderBusy(Party)
    /// The node has stopped.
    case halted
    /// The node does not vote, so it can order nothing.
    case follower
    /// Nothing of this envelope is under way here, so nothing can be promised.
    case notHere
    /// What was taken up here before waits too long to be ordered, so nothing is promised.
    case delayed
    /// It holds what only a later version of the rules has; `holds` is the one by which the next height is executed.
    case rulesVersion(needed: UInt32, holds: UInt32)

    public var description: String {
        switch self {
        case .signatureInvalid: ResultCode.signatureInvalid.text!.english
        case .expired: ResultCode.expired.text!.english
        case .poolFull: "The node holds as many transactions as it may. Send it again later."
        case .senderBusy(let party): "\(party) has as many transactions under way as it may. Wait for answers first."
        case .halted: "The node has stopped and takes nothing up."
        case .follower: "The node only follows the chain. Send it to a validator."
        case .notHere: "Nothing of this transaction is under way here any more. Look it up by its id."
        case .delayed: "What this node took up before waits to be ordered for long, so it promises nothing now."
        case .rulesVersion(let needed, let holds):
            "It takes version \(needed) of the rules, and this chain's have version \(holds). Let the members decide "
                + "on version \(needed) first."
        }
    }
}

/// A block and what makes it final.
public struct CertifiedBlock: Sendable {
    public let block: Executor.Block
    /// Of this height, or of a later one that makes it final.
    public let certificate: Certificate
}

/// Why a node stopped. It keeps its directory as it is.
public enum Halt: Sendable, Equatable, CustomStringConvertible {
    /// A quorum certified another header; `difference` is where they come apart, once a peer has shown enough to tell.
    case diverged(height: UInt64, own: Digest, certified: Digest, difference: Divergence.Difference? = nil)
    /// The order shows other bytes at a position that was executed.
    case logDiffers(position: UInt64)
    /// The order's head lies below a position that was executed.
    case logBehind(head: UInt64, executed: UInt64)
    /// A stored block gives another header than the stored one.
    case replayDiffers(height: UInt64)
    /// From that height on the chain's rules have a version that this program does not execute; `known` is the newest
    /// that it does.
    case rulesVersion(UInt32, from: UInt64, known: UInt32)
    case storage(StorageError)

    public var description: String {
        switch self {
        case .diverged(let height, let own, let certified, let difference):
            "at height \(height) this node computed header \(own) and a quorum certified \(certified); "
                + (difference.map(Self.explanation) ?? "no peer has shown yet in which table they come apart")
                + "; run an audit of this directory, then let it join afresh"
        case .logDiffers(let position):
            "the order shows other bytes at position \(position) than were executed here; \(Self.lost)"
        case .logBehind(let head, let executed):
            "the order ends at position \(head), below \(executed), which was executed here; \(Self.lost)"
        case .replayDiffers(let height): "the stored block \(height) does not give its stored header; run an audit"
        case .rulesVersion(let version, let height, let known):
            "from height \(height) on the chain's rules have version \(version), and this program knows them up to "
                + "version \(known); install a release that knows version \(version) and start it on this directory, "
                + "where it goes on"
        case .storage(let error): "\(error)"
        }
    }

    private static func explanation(_ difference: Divergence.Difference) -> String {
        guard let roots = difference.roots else {
            return "they come apart in \(difference.part) of the header, as the node of \(difference.peer) shows"
        }
        return "they come apart in the table \(difference.part), whose sub-root is \(roots.own) here and "
            + "\(roots.certified) as the node of \(difference.peer) shows"
    }

    /// The same in Chinese, where members have to tell each other of it.
    public var chinese: String? {
        if case .rulesVersion(let version, let height, let known) = self {
            return "自高度 \(height) 起，本链规则为第 \(version) 版，本程序最高只支持第 \(known) 版；请安装支持第 \(version) 版的程序，"
                + "并以同一目录启动，即可继续。"
        }
        guard case .diverged(let height, let own, let certified, let difference) = self else { return nil }
        let apart =
            switch difference {
            case .some(let difference):
                switch difference.roots {
                case .some(let roots):
                    "分歧在表 \(difference.part)：本节点的子根为 \(roots.own)，组织 \(difference.peer.number) 的节点出示的为 "
                        + "\(roots.certified)"
                case nil: "分歧在区块头的 \(difference.part)，由组织 \(difference.peer.number) 的节点出示"
                }
            case nil: "尚无其他节点出示分歧在哪个表"
            }
        return "在高度 \(height)，本节点算出的区块头为 \(own)，法定数认证的为 \(certified)；\(apart)。请审计本目录，再重新加入。"
    }

    private static let lost =
        "its cluster is another one, or was restored from an old copy: point the node at the right one, or begin the "
        + "order anew with `lianfen epoch`"
}
