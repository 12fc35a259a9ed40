import Chain
import Ledger
import Node
import Ordering
import Wire

/// How the node is, for those who look after one: validators and observers, by their key.
extension Gateway {
    static let reportRoutes: [Route] = [
        Route(
            .get, "/v1/report", "getReport", "chain",
            "How this node is: heads, lag, peers, the ordering cluster, disk, certificates, backups. For validators "
                + "and observers, by their key.", access: .token,
            answers: [.ok(Form<NodeReport>.nodeReport.stamped("report"))], problems: [403]
        ) { call in
            try call.requireWholeBlocks()
            call.answer(Form.nodeReport.stamped("report"), Stamped(call.gateway.report, call.chain.stamp))
        }
    ]

    private var report: NodeReport {
        let status = chain.node.status
        let network = configuration.network()
        return NodeReport(
            program: configuration.program, organisation: configuration.validator, startedAt: startedAt,
            heads: NodeReport.Heads(
                log: status.logHead, executed: status.executed, certified: status.certified,
                committed: status.committed, time: status.time, isOverdue: status.isOverdue(now: configuration.clock()),
                signingStopped: status.signingStopped, halted: status.halted.map { "\($0)" }),
            validators: NodeReport.Validators(
                voting: status.validators.validators.map(\.id), quorum: UInt32(status.validators.quorum)),
            ordering: network?.ordering.map { order in
                OrderingReport(
                    complaint: order.complaint, bytes: order.bytes, bytesMax: order.bytesMax,
                    isFilling: order.isFilling, isClosed: order.isClosed,
                    members: order.members.map { member in
                        OrderingReport.Member(
                            url: member.url, isAnswering: member.isAnswering, silentSince: member.silentSince,
                            failure: member.failure)
                    })
            },
            peers: (network?.peers ?? []).map { peer in
                PeerReport(
                    organisation: peer.organisation, url: peer.url, height: peer.height, isAnswering: peer.isAnswering,
                    answeredAt: peer.answeredAt, failure: peer.failure)
            }, host: configuration.host())
    }
}
