import HTTPServer
import JSON
import Wire

/// Getting a token: sign a challenge with the key of whoever wants to read.
extension Gateway {
    static let sessionRoutes: [Route] = [
        Route(
            .post, "/v1/challenges", "makeChallenge", "sessions",
            "Gives bytes to be signed, under a domain tag of their own: they could never be a transaction.",
            body: Route.Body(schema: Form<Claimant>.claimant.schema, bytesMax: 4096),
            answers: [
                Route.Answer(
                    status: 201, about: "Sign signingBytes within two minutes.",
                    content: .json(Form<WithBytes<Challenge>>.challenge.schema))
            ]
        ) { call in
            let claimant = try call.body(Form<Claimant>.claimant)
            let challenge = call.gateway.sessions.challenge(claimant)
            call.answer(
                Form<WithBytes<Challenge>>.challenge.write(
                    WithBytes(
                        challenge,
                        Challenge.signedBytes(genesis: call.chain.genesisHash, challenge: challenge.bytes))),
                call.chain.stamp, status: 201)
        },
        Route(
            .post, "/v1/tokens", "makeToken", "sessions",
            "Gives a token for a signed challenge. It is bound to the key and this node, and dies with either.",
            body: Route.Body(schema: Form<TokenRequest>.tokenRequest.schema, bytesMax: 8192),
            answers: [
                Route.Answer(
                    status: 201, about: "To be sent as Authorization: Bearer TOKEN.",
                    content: .json(Form<Token>.token.schema))
            ], problems: [401], keepsAnswers: false
        ) { call in
            let token = try call.gateway.sessions.token(try call.body(Form<TokenRequest>.tokenRequest))
            call.answer(Form<Token>.token.write(token), call.chain.stamp, status: 201)
        },
    ]

    /// All routes that there are.
    static let routes: [Route] =
        chainRoutes + governanceRoutes + transactionRoutes + operationRoutes + accountRoutes + snapshotRoutes
        + reportRoutes
        + sessionRoutes + peerRoutes
}
