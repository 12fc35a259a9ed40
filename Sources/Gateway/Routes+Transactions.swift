import Canonical
import Chain
import Crypto
import HTTPServer
import JSON
import Ledger
import Node
import Storage
import Wire

/// Submitting, preparing, looking up.
extension Gateway {
    /// JSON of the largest transaction: a list's lines are wider there than in the canonical form.
    private static let transactionTextBytesMax = 4 << 20

    private static let submissionAnswers: [Route.Answer] = [
        .ok(
            Form<SubmissionAnswer>.submission,
            "It stands in a certified block and took effect. The same answer whenever it is sent again."),
        Route.Answer(
            status: 202, about: "It was taken up, and the wait is over; look it up by its id, or send it again.",
            content: .json(Form<SubmissionAnswer>.submission.schema)),
    ]

    private static let id = Route.Parameter.path("id", .digest, "A transaction's id.")

    /// One route a kind, made from the table of kinds.
    static let operationRoutes: [Route] = OperationForm.all.map { kind in
        let form = Form<TransactionText>.signed(kind)
        return Route(
            .post, kind.path, "submit\(kind.schemaName)", "operations", "\(kind.summary) \(kind.chinese)",
            body: Route.Body(schema: form.schema, isTransaction: true, bytesMax: transactionTextBytesMax),
            answers: submissionAnswers, problems: [401, 404, 409, 413, 422]
        ) { call in try call.submit() }
    }

    static let transactionRoutes: [Route] = [
        Route(
            .post, "/v1/transactions", "submitTransaction", "transactions",
            "Submits a signed transaction and waits until it is certified, or as long as Prefer: wait=SECONDS says. "
                + "With Prefer: respond-async it answers once the node took it up, with its signed word for that; it "
                + "gives none, and waits, where earlier ones have waited for long to be ordered.",
            body: Route.Body(
                schema: Form<TransactionText>.signed.schema, takesBytes: true, isTransaction: true,
                bytesMax: transactionTextBytesMax),
            answers: submissionAnswers, problems: [401, 404, 409, 413, 422]
        ) { call in try call.submit() },
        Route(
            .post, "/v1/transactions/prepare", "prepareTransaction", "transactions",
            "Gives the bytes to sign. Nothing is kept, and no key is ever sent.",
            body: Route.Body(schema: Form<TransactionText>.unsigned.schema, bytesMax: transactionTextBytesMax),
            answers: [.ok(Form<Prepared>.prepared.stamped("prepared"))], problems: [409, 413]
        ) { call in
            let text = try call.body(Form<TransactionText>.unsigned)
            let now = call.chain.clock()
            let body: TransactionBody
            do throws(TransactionText.Impossible) {
                body = try text.body(
                    nonce: randomBytes(8).reduce(0) { $0 << 8 | UInt64($1) }, validUntil: now + preparedMilliseconds)
            } catch {
                throw Problem(.transactionImpossible, error.reason, field: error.path)
            }
            call.answer(
                Form.prepared.stamped("prepared"),
                Stamped(Prepared(body: body, genesis: call.chain.genesisHash), call.chain.stamp))
        },
        Route(
            .get, "/v1/transactions/{id}", "getTransaction", "transactions",
            "A transaction: to everybody its id, kinds, result and place; with a token of whom it names, what is his.",
            access: .everybodyAndMore, parameters: [id],
            answers: [.ok(Form<TransactionView>.transactionView.stamped("transaction"))], problems: [401, 404]
        ) { call in
            let id = try call.path("id", .digest)
            let found = try call.chain.readOne { (tables) throws(StorageError) -> TransactionView? in
                guard let place = try tables.place(id), let block = try call.chain.block(place.height),
                    Int(place.index) < block.transactions.count
                else { return nil }
                return try Visibility(chain: call.chain, principal: call.principal).view(Int(place.index), of: block)
            }
            guard let view = found.value ?? call.gateway.submissions.view(id) else {
                throw call.transactionNotFound
            }
            call.answer(Form.transactionView.stamped("transaction"), Stamped(view, found.stamp))
        },
        Route(
            .get, "/v1/transactions/{id}/proof", "proveReceipt", "transactions",
            "Proves a transaction's receipt to anybody. For whom signed it.", access: .token, parameters: [id],
            answers: [.okOrBytes(Form<[UInt8]>.hexadecimal(1...Proof.bytesMax).stamped("proof"))],
            problems: [403, 404]
        ) { call in
            let id = try call.path("id", .digest)
            let found = try call.chain.readOne { (tables) throws(StorageError) -> (proof: Proof?, mine: Bool)? in
                guard let place = try tables.place(id), let block = try call.chain.block(place.height),
                    Int(place.index) < block.transactions.count
                else { return nil }
                let body = block.transactions[Int(place.index)].body
                let visibility = Visibility(chain: call.chain, principal: call.principal)
                guard visibility.seesAll(body) else { return (nil, false) }
                return (try tables.receiptProof(id, genesis: call.chain.genesisHash), true)
            }
            guard let value = found.value else { throw call.transactionNotFound }
            guard value.mine else { throw Problem(.notYours) }
            guard let proof = value.proof else { throw Problem(.notReady) }
            call.answer(proof: proof, found.stamp)
        },
    ]

    private static let preparedMilliseconds: UInt64 = 120_000
}

extension Call {
    /// That no block here holds a transaction; where the blocks begin with a snapshot, from where on that is meant.
    fileprivate var transactionNotFound: Problem {
        let began = (try? chain.tables.beginning()) ?? 0
        return Problem(
            .transactionNotFound,
            began > 0 ? "This node began with a snapshot of height \(began) and knows none from before it." : nil,
            field: "id")
    }

    func answer(proof: Proof, _ stamp: Stamp) {
        let bytes = proof.canonicalBytes
        if wantsBytes { return answer(bytes: bytes, stamp) }
        answer(Form<[UInt8]>.hexadecimal(1...Proof.bytesMax).stamped("proof"), Stamped(bytes, stamp))
    }

    /// The transaction that the body is. Bytes are decoded, and what is read from JSON is brought into the same form,
    /// so that nothing is proposed that the ledger's decoder would not take.
    func transaction() throws(Problem) -> Transaction {
        if let decoded { return decoded }
        if MediaTypes.parse(request.header("Content-Type") ?? "").type == "application/octet-stream" {
            guard request.body.count <= Transaction.bytesMax else { throw Problem(.transactionTooLarge) }
            do throws(DecodingError) { return try Transaction(envelope: request.body) } catch {
                throw Problem(.bodyMalformed, "They are no transaction: \(error).")
            }
        }
        let form =
            OperationForm.all.first { $0.path == route.path }.map { Form<TransactionText>.signed($0) }
            ?? Form<TransactionText>.signed
        let text = try body(form)
        do throws(TransactionText.Impossible) { return try text.transaction() } catch {
            throw Problem(.transactionImpossible, error.reason, field: error.path)
        }
    }

    /// Submits the body, and answers when it is certified or the wait is over.
    func submit() throws(Problem) {
        let transaction = try transaction()
        exchange.setSubject("\(transaction.id)")
        gateway.log.note(.debug, "submitted", transaction, exchange.requestID)
        let seconds = waitSeconds
        let call = withoutBody
        let view = TransactionView(
            id: transaction.id, state: .accepted, kinds: transaction.body.operations.map(\.kind), result: nil,
            place: nil, time: nil)
        exchange.answer(after: Int(seconds) * 1000) { call.accepted(view, nil) }
        gateway.submissions.submit(transaction) { outcome in
            switch outcome {
            case .certified(let answer):
                call.gateway.metrics.note(result: answer.receipt?.result.name ?? "done")
                call.answer(Form.submission.write(answer), answer.stamp)
            case .refused(let problem, let stamp):
                call.gateway.metrics.note(result: problem.kind.code)
                // What names an operation has burnt the nonce, and is final.
                call.send(problem.response, stamp, staysTrue: problem.isFinal)
            case .problem(let problem): call.send(problem.response)
            }
        }
        guard prefers("respond-async") else { return }
        chain.node.promise(transaction.envelopeDigest) { answer in
            // What is not under way has been answered for, or is about to be.
            guard case .promise(let receipt) = answer else { return }
            call.exchange.answer(after: 0) { call.accepted(view, receipt) }
        }
    }

    /// Nothing is decided yet: the same may be sent again, and nothing else under its idempotency key.
    private func accepted(_ view: TransactionView, _ promise: SubmissionReceipt?) -> HTTPResponse {
        if let claim { gateway.idempotency.release(claim) }
        let stamp = chain.stamp
        let answer = SubmissionAnswer(transaction: view, receipt: nil, promise: promise, stamp: stamp)
        return gateway.dressed(
            HTTPResponse(
                status: 202,
                headers: [
                    ("Content-Type", "application/json"), ("Location", "/v1/transactions/\(view.id)"),
                    ("Retry-After", "1"),
                ], body: .bytes(Form.submission.write(answer).bytes)), stamp, request, exchange)
    }

    /// Whether a `Prefer` field names a preference that has no value.
    private func prefers(_ word: String) -> Bool {
        (request.header("Prefer") ?? "").split(whereSeparator: { $0 == "," || $0 == ";" }).contains {
            $0.drop { $0 == " " }.prefix { $0 != " " }.lowercased() == word
        }
    }

    /// What `Prefer: wait=SECONDS` asks for. A preference that cannot be read counts for nothing, and one that goes too
    /// far as far as it can, as RFC 7240 has it.
    private var waitSeconds: UInt32 {
        for part in (request.header("Prefer") ?? "").split(whereSeparator: { $0 == "," || $0 == ";" }) {
            let words = part.split(separator: "=", maxSplits: 1).map {
                $0.drop { $0 == " " || $0 == "\"" }.prefix { $0 != " " && $0 != "\"" }
            }
            guard words.count == 2, words[0].lowercased() == "wait",
                words[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), !words[1].isEmpty
            else { continue }
            return min(UInt32(words[1]) ?? .max, Submissions.waitSecondsMax)
        }
        return Submissions.waitSecondsMax
    }
}
