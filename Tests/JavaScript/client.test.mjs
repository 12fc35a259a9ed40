// The client against a node that misbehaves on purpose.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as lf from "../../Web/lianfen.js";
import { FakeNode, problem } from "./fake.mjs";
import * as vectors from "./vectors.mjs";

const { hex, unhex } = lf;
const genesis = vectors.read("genesis").genesis[0].hash;

/** Runs a test with a node and a client whose pauses take no time and are noted. */
async function within(options, body) {
  const node = await FakeNode.start(options);
  const pauses = [];
  const sleep = async (milliseconds, signal) => {
    pauses.push(milliseconds);
    await new Promise((resolve) => { setTimeout(resolve, 1); });
    if (signal?.aborted) throw signal.reason;
  };
  try {
    await body({ node, pauses, client: (more = {}) => new lf.LianfenClient(node.base, { genesis, sleep, ...more }) });
  } finally {
    await node.stop();
  }
}

async function transfer(client) {
  const key = await lf.SecretKey.fromSeed(new Uint8Array(32).fill(0x29));
  const account = lf.accountText(new Uint8Array(16).fill(1));
  const to = lf.accountText(new Uint8Array(16).fill(2));
  return client.build([{ party: { account }, key }], [{ kind: "transfer", from: account, to, unit: "POINTS", amount: "5" }]);
}

const json = (status, value) => ({ status, headers: { "content-type": "application/json" }, body: JSON.stringify(value) });

test("a busy node gets the same bytes again, after at least as long as it asked for", () => within({}, async (at) => {
  const client = at.client({ random: () => 0 });
  const transaction = await transfer(client);
  const answers = [
    () => problem(429, "too-many-requests", { retryable: true }, { "retry-after": "3" }),
    () => problem(503, "pool-full", { retryable: true }),
    () => "hang up",
    () => problem(409, "idempotency-in-flight"),
    () => json(200, { transaction: { id: transaction.id, state: "certified" } }),
  ];
  at.node.requests.length = 0;
  at.pauses.length = 0;
  at.node.intercept = ({ path }) => (path === "/v1/transactions" ? answers.shift()() : null);
  const answer = await client.submit(transaction, { wait: 7 });
  assert.equal(answer.transaction.state, "certified");
  const sent = at.node.requests.filter((request) => request.path === "/v1/transactions");
  assert.equal(sent.length, 5);
  for (const { body, headers } of sent) {
    assert.equal(hex(body), hex(transaction.bytes));
    assert.equal(headers["content-type"], "application/octet-stream");
    assert.equal(headers.prefer, "wait=7");
  }
  // 200, 400, 800 and 1,600 ms, of which random() = 0 leaves half; the first is what the node asked for instead.
  assert.deepEqual(at.pauses, [3000, 200, 400, 800]);
}));

test("waits and attempts are bounded", () => within({}, async (at) => {
  const client = at.client({ random: () => 1, attemptsMax: 9, backoffMax: 1000 });
  at.node.intercept = () => problem(503, "node-starting", { retryable: true }, { "retry-after": "999999" });
  await assert.rejects(client.status(), { code: "node-starting", status: 503, retryable: true, retryAfter: 999_999_000 });
  assert.equal(at.node.requests.length, 9);
  assert.ok(at.pauses.every((pause) => pause === 60_000), `${at.pauses}`);
  at.node.intercept = () => "hang up";
  at.pauses.length = 0;
  await assert.rejects(client.status(), { code: "unreachable", retryable: true });
  assert.deepEqual(at.pauses, [200, 400, 800, 1000, 1000, 1000, 1000, 1000]);
}));

test("the next node gets what one does not answer, the same bytes at once, and is stayed with", () => within({},
  async (at) => {
    const second = await FakeNode.start();
    try {
      const client = new lf.LianfenClient([at.node.base, `${second.base}/`],
        { genesis, sleep: async (milliseconds) => { at.pauses.push(milliseconds); } });
      const transaction = await transfer(client);
      const sent = (node) => node.requests.filter(({ path }) => path === "/v1/transactions");
      const answers = ["hang up", problem(503, "pool-full", { retryable: true }, { "retry-after": "9" })];
      for (const answer of answers) {
        at.node.intercept = () => answer;
        second.intercept = ({ path }) => (path === "/v1/transactions"
          ? json(200, { transaction: { id: transaction.id, state: "certified" } }) : null);
        assert.equal((await client.submit(transaction)).transaction.state, "certified");
        assert.equal(client.node, second.base);
        const before = at.node.requests.length;
        await client.status();
        assert.equal(at.node.requests.length, before);
        // Back, for the next answer.
        at.node.intercept = null;
        second.intercept = () => "hang up";
        await client.status();
        assert.equal(client.node, at.node.base);
      }
      for (const { body } of [...sent(at.node), ...sent(second)]) assert.equal(hex(body), hex(transaction.bytes));
      assert.deepEqual(at.pauses, []);
      // Who is told to send less waits where he was told so.
      second.requests.length = 0;
      at.node.intercept = () => {
        at.node.intercept = null;
        return problem(429, "too-many-requests", { retryable: true }, { "retry-after": "3" });
      };
      await client.status();
      assert.deepEqual([at.pauses, second.requests.length, client.node], [[3000], 0, at.node.base]);
      // Where none answers, each is asked as often as it would be alone.
      at.node.requests.length = 0;
      at.pauses.length = 0;
      at.node.intercept = second.intercept;
      await assert.rejects(client.status(), { code: "unreachable", retryable: true });
      assert.equal(at.pauses.length, 4);
      assert.ok(at.node.requests.length >= 5 && second.requests.length >= 5);
    } finally {
      await second.stop();
    }
  }));

test("each node gives a token of its own, and events go on at the next one", () => within({}, async (at) => {
  const second = await FakeNode.start();
  try {
    const client = new lf.LianfenClient([at.node.base, second.base], { genesis, sleep: async () => {} });
    const key = await lf.SecretKey.generate();
    const account = lf.randomAccount();
    const { validator } = await client.status();
    const challenge = hex(lf.concat(lf.challengePrefix(genesis, validator, { account }, key.publicKey), new Uint8Array(56)));
    const seen = [];
    const answering = (name) => ({ path, headers }) => {
      if (path === "/v1/challenges") return json(201, { challenge, expiresAt: "1" });
      if (path === "/v1/tokens") return json(201, { token: name, expiresAt: String(Date.now() + 3_600_000) });
      if (!path.endsWith("/balances")) return null;
      seen.push([name, headers.authorization]);
      return json(200, { items: [], next: null, height: "1", stateRoot: "00" });
    };
    at.node.intercept = answering("first");
    second.intercept = answering("second");
    await client.signIn({ account }, key);
    await client.balances(account);
    at.node.intercept = () => "hang up";
    await client.balances(account);
    second.intercept = () => "hang up";
    at.node.intercept = answering("first");
    await client.balances(account);
    assert.deepEqual(seen, [["first", "Bearer first"], ["second", "Bearer second"], ["first", "Bearer first"]]);
    assert.equal(at.node.requests.filter(({ path }) => path === "/v1/tokens").length, 1);
    // Both have a block; the second goes on where the first breaks off.
    second.intercept = null;
    await at.node.advance();
    await second.advance();
    const heights = [];
    for await (const { id } of client.events({ after: "0" })) {
      heights.push(id);
      if (heights.length === 3) break;
      at.node.intercept = () => "hang up";
      await second.advance();
      at.node.loseStreams();
    }
    assert.deepEqual(heights, ["1", "2", "3"]);
    assert.equal(client.node, second.base);
  } finally {
    await second.stop();
  }
}));

test("a refusal is an error with its code, place and sentences, and is not tried again", () => within({}, async (at) => {
  const client = at.client();
  const transaction = await transfer(client);
  at.node.requests.length = 0;
  at.node.intercept = () => problem(409, "balance-insufficient",
    { field: "$.operations[0].amount", number: 38, operation: 0, transaction: transaction.id });
  await assert.rejects(client.submit(transaction), (error) => {
    assert.ok(error instanceof lf.LianfenError);
    assert.deepEqual([error.code, error.status, error.field, error.retryable],
      ["balance-insufficient", 409, "$.operations[0].amount", false]);
    assert.equal(error.problem.number, 38);
    assert.equal(error.text("zh-CN"), "原因：balance-insufficient。");
    assert.equal(error.text("en"), "It was balance-insufficient.");
    return true;
  });
  assert.equal(at.node.requests.length, 1);
  at.node.intercept = () => ({ status: 418, headers: { "content-type": "text/html" }, body: "<h1>no</h1>" });
  await assert.rejects(client.status(), { code: "http-418", status: 418, retryable: false });
}));

test("an answer about another transaction is not believed", () => within({}, async (at) => {
  const client = at.client();
  const transaction = await transfer(client);
  at.node.intercept = () => json(200, { transaction: { id: "0".repeat(64), state: "certified" } });
  await assert.rejects(client.submit(transaction), { code: "answer-mismatch" });
}));

test("a number that JSON would round is refused", () => within({}, async (at) => {
  for (const body of ['{"height":9007199254740993}', '{"amount":0.5}', '{"a":[1e400]}', "no", "\xff"]) {
    at.node.intercept = () => ({ status: 200, headers: { "content-type": "application/json" }, body });
    await assert.rejects(at.client({ genesis: null }).status(), { code: "answer-malformed" }, body);
  }
}));

test("an answer without end is cut off", () => within({}, async (at) => {
  at.node.intercept = () => ({ status: 200, headers: {}, body: Buffer.alloc(9 << 20) });
  await assert.rejects(at.client().status(), { code: "answer-too-large" });
}));

test("another genesis is noticed wherever it shows", () => within({ genesisNumber: 1 }, async (at) => {
  await assert.rejects(at.client().chain(), { code: "genesis-mismatch" });
  await assert.rejects(at.client().status(), { code: "genesis-mismatch" });
  const client = at.client({ genesis: null });
  assert.notEqual((await client.chain()).hash, genesis);
}));

test("a transaction that is only accepted is asked for until it is certified", () => within({}, async (at) => {
  const client = at.client();
  const id = "ab".repeat(32);
  const states = [problem(404, "transaction-not-found"), json(200, { transaction: { id, state: "accepted" } }),
    json(200, { transaction: { id, state: "certified" } })];
  at.node.intercept = () => states.shift();
  assert.equal((await client.wait(id)).transaction.state, "certified");
  at.node.intercept = () => json(200, { transaction: { id, state: "accepted" } });
  let now = 0;
  const hurried = at.client({ now: () => (now += 400) });
  await assert.rejects(hurried.wait(id, { timeout: 3000 }), { code: "timeout", retryable: true });
}));

test("a token is asked for with what the client itself puts together, and once more when it is refused",
  () => within({}, async (at) => {
    const client = at.client();
    const key = await lf.SecretKey.generate();
    const account = lf.randomAccount();
    let tokens = 0;
    let refuse = true;
    const { validator } = await client.status();
    let of = key.publicKey;
    const asked = () => hex(lf.concat(lf.challengePrefix(genesis, validator, { account }, of), new Uint8Array(56)));
    at.node.intercept = async ({ path, body, headers }) => {
      if (path === "/v1/challenges") {
        assert.deepEqual(JSON.parse(Buffer.from(body)), { principal: { account }, key: key.publicKey });
        // The node's own idea of what is to be signed is not looked at.
        return json(201, { challenge: asked(), signingBytes: "00", expiresAt: "1" });
      }
      if (path === "/v1/tokens") {
        const { signature, challenge } = JSON.parse(Buffer.from(body));
        const message = lf.concat(lf.domainTag("session"), unhex(genesis), unhex(asked()));
        assert.equal(challenge, asked());
        assert.equal(await lf.verifySignature(key.publicKey, signature, message), true);
        tokens += 1;
        return json(201, { token: `token-${tokens}`, expiresAt: String(Date.now() + 3_600_000) });
      }
      if (!path.endsWith("/balances")) return null;
      assert.equal(headers.authorization, `Bearer token-${tokens}`);
      if (refuse) {
        refuse = false;
        return problem(401, "token-invalid");
      }
      return json(200, { items: [], next: null, height: "1", stateRoot: "00" });
    };
    await assert.rejects(client.balances(account), { code: "token-missing" });
    // One that was made for another key is not signed.
    of = (await lf.SecretKey.generate()).publicKey;
    await assert.rejects(client.signIn({ account }, key), { code: "answer-mismatch" });
    assert.equal(tokens, 0);
    of = key.publicKey;
    await client.signIn({ account }, key);
    assert.deepEqual((await client.balances(account)).items, []);
    assert.equal(tokens, 2);
    at.node.intercept = ((inner) => (request) =>
      (request.path.endsWith("/balances") ? problem(401, "token-invalid") : inner(request)))(at.node.intercept);
    await assert.rejects(client.balances(account), { code: "token-invalid", status: 401 });
    assert.equal(tokens, 3);
  }));

test("a proof is believed once it holds, is about what was asked, and is not from before",
  () => within({}, async (at) => {
    const proofs = vectors.read("proofs").proofs;
    const of = (name) => proofs.find((proof) => proof.name === name);
    const subject = of("balance").subject;
    const account = vectors.account(subject.account);
    const client = at.client();
    const key = await lf.SecretKey.generate();
    let bytes = unhex(of("balance").bytes);
    const { validator } = await client.status();
    const prefix = lf.challengePrefix(genesis, validator, { account }, key.publicKey);
    at.node.intercept = ({ path }) => {
      if (path === "/v1/challenges") {
        return json(201, { challenge: hex(lf.concat(prefix, new Uint8Array(56))), expiresAt: "1" });
      }
      if (path === "/v1/tokens") return json(201, { token: "t", expiresAt: String(Date.now() + 3_600_000) });
      return path.endsWith("/proof") ? FakeNode.bytes(bytes) : null;
    };
    await client.signIn({ account }, key);
    const found = await client.provenBalance(account, "POINTS");
    assert.deepEqual([found.available, found.held, found.height, found.signers.length],
      [subject.summary.available, subject.summary.held, "3", 3]);
    assert.equal(client.newestVerified, "3");
    await assert.rejects(client.provenBalance(lf.randomAccount(), "POINTS"), { code: "answer-mismatch" });
    await assert.rejects(client.provenBalance(account, "OTHER"), { code: "answer-mismatch" });
    await assert.rejects(client.provenBalance(account, "POINTS", { notBefore: 4n }), { code: "proof-too-old" });
    const nothing = of("no balance");
    bytes = unhex(nothing.bytes);
    const none = await client.provenBalance(vectors.account(nothing.subject.account), nothing.subject.unit);
    assert.deepEqual([none.available, none.held, none.pending, none.debt], ["0", "0", "0", "0"]);
    bytes = unhex(of("balance").bytes);
    await assert.rejects(client.provenBalance(account, "POINTS"), { code: "proof-too-old", retryable: true });
    bytes[700] ^= 1;
    await assert.rejects(client.provenBalance(account, "POINTS"), { code: "bytes-invalid" });
    const receipt = of("receipt of a refusal");
    bytes = unhex(receipt.bytes);
    const proven = await client.provenReceipt(receipt.subject.receipt.transaction);
    assert.deepEqual(proven.receipt, vectors.receipt(receipt.subject.receipt));
    await assert.rejects(client.provenReceipt("0".repeat(64)), { code: "answer-mismatch" });
  }));

test("a header is verified up to the certificate that makes it final", () => within({ certifyEvery: 3 }, async (at) => {
  for (let i = 0; i < 9; i += 1) await at.node.advance();
  const client = at.client();
  const steps = [];
  const found = await client.verifiedHeader("4", (name) => steps.push(name));
  assert.equal(found.headers.length, 3);
  assert.equal(found.certificate.height, "6");
  assert.deepEqual(steps, ["header", "headers", "certificate", "signature", "signature", "signature", "quorum"]);
  // Nobody votes for the genesis: it is what the first certificate's headers lead back to.
  assert.equal((await client.verifiedHeader("0")).headers.length, 4);
  const lie = (change) => ({ path, headers }) => {
    if (path !== "/v1/blocks/5/header" || headers.accept !== "application/octet-stream") return null;
    return FakeNode.bytes(lf.Header.encode({ ...at.node.blocks[5].header, ...change }));
  };
  at.node.intercept = lie({ state: "0".repeat(64) });
  await assert.rejects(client.verifiedHeader("4"), { code: "proof-invalid", refusal: "headers" });
  at.node.intercept = ({ path }) => (path === "/v1/blocks/4/header"
    ? FakeNode.bytes(lf.Header.encode(at.node.blocks[5].header)) : null);
  await assert.rejects(client.verifiedHeader("4"), { code: "answer-mismatch" });
}));

test("the stream goes on after a break where it was, without a gap and without a repeat", () => within({}, async (at) => {
  for (let i = 0; i < 3; i += 1) await at.node.advance();
  const ends = new AbortController();
  const states = [];
  const seen = [];
  const client = at.client();
  for await (const { id, event, data } of client.events({
    after: "0", signal: ends.signal, onState: (state) => states.push(state),
  })) {
    assert.equal(event, "block");
    assert.equal(data.header.height, id);
    seen.push(id);
    if (seen.length === 3) {
      at.node.loseStreams();
      await at.node.advance();
      await at.node.advance();
    }
    if (seen.length === 5) {
      at.node.loseStreams();
      setTimeout(() => at.node.advance([{ kinds: ["transfer"] }]), 20);
    }
    if (seen.length === 6) ends.abort();
  }
  assert.deepEqual(seen, ["1", "2", "3", "4", "5", "6"]);
  assert.deepEqual(states, ["open", "lost", "open", "lost", "open"]);
  const opened = at.node.requests.filter((request) => request.path === "/v1/events");
  assert.deepEqual(opened.map((request) => request.headers["last-event-id"]), ["0", "3", "5"]);
}));

test("a stream that breaks between two transactions of one block loses neither", () => within({}, async (at) => {
  const one = (height, id) => `id: ${height}\nevent: transaction\ndata: ${JSON.stringify({ id })}\n\n`;
  const streams = [one(4, "a") + one(5, "b"), one(5, "b") + one(5, "c") + one(6, "d"), one(6, "d") + one(7, "e")];
  at.node.intercept = ({ path }) => (path === "/v1/events"
    ? { status: 200, headers: { "content-type": "text/event-stream" }, body: streams.shift() } : null);
  const seen = [];
  for await (const { id, data } of at.client().events({ after: 3n })) {
    seen.push(`${id}${data.id}`);
    if (seen.length === 5) break;
  }
  assert.deepEqual(seen, ["4a", "5b", "5c", "6d", "7e"]);
  const opened = at.node.requests.filter((request) => request.path === "/v1/events");
  assert.deepEqual(opened.map((request) => request.headers["last-event-id"]), ["3", "4", "5"]);
}));

test("a transaction's time is one that the chain takes, whatever this clock says", () => within({}, async (at) => {
  const { time } = await at.client().status();
  const window = BigInt((await at.client().chain()).genesis.parameters.replayWindowMilliseconds);
  const until = async (now) => BigInt((await transfer(at.client({ now: () => now }))).body.validUntil) - BigInt(time);
  const day = 86_400_000;
  assert.equal(await until(0), window < 120_000n ? window : 120_000n);
  assert.equal(await until(Number(time) + 30 * day), window);
  const soon = await until(Number(time) + 5000);
  assert.equal(soon, window < 125_000n ? window : 125_000n);
}));

test("a silent stream is lost, a refused one ends", () => within({}, async (at) => {
  const states = [];
  const ends = new AbortController();
  const client = at.client({ silence: 30 });
  const reading = (async () => {
    for await (const _ of client.events({ signal: ends.signal, onState: (state) => states.push(state) })) assert.fail();
  })();
  while (states.length < 4) await new Promise((resolve) => { setTimeout(resolve, 5); });
  ends.abort();
  await reading;
  assert.deepEqual(states.slice(0, 4), ["open", "lost", "open", "lost"]);
  at.node.intercept = () => problem(403, "not-allowed");
  await assert.rejects(client.events().next(), { code: "not-allowed" });
}));

test("events are found however the bytes are cut", () => {
  const text = ": hello\r\n\r\nid: 7\r\nevent: block\r\ndata: {\"名\":1}\r\n\r\nid: 8\ndata: a\ndata:b\nretry: 5\n\ndata: c\n\n:\n\nid\n";
  const bytes = new TextEncoder().encode(text);
  const expected = [{ id: "7", event: "block", data: "{\"名\":1}" }, { id: "8", event: "message", data: "a\nb" },
    { id: "8", event: "message", data: "c" }];
  for (let size = 1; size <= bytes.length; size += 1) {
    const parser = new lf.EventParser();
    const found = [];
    for (let at = 0; at < bytes.length; at += size) found.push(...parser.feed(bytes.subarray(at, at + size)));
    assert.deepEqual(found, expected, `pieces of ${size}`);
  }
  const parser = new lf.EventParser();
  assert.throws(() => { for (;;) parser.feed(new Uint8Array(1 << 16).fill(97)); }, { code: "answer-too-large" });
});

test("a proof after a change of the validators is believed once the change is followed", () => within({}, async (at) => {
  const file = vectors.read("light");
  const bytes = (body) => ({ status: 200, headers: { "content-type": "application/octet-stream" }, body });
  const encoded = (steps) => Buffer.from(lf.LightSteps.encode(steps));
  const steps = file.steps.map((step) => lf.LightStep.decode(unhex(step.bytes)));
  const { receipt } = lf.Proof.decode(unhex(file.proof.bytes)).subject.receipt;
  const forged = file.forgeries.find((one) => one.name === "signed by the next set before the change");
  let shown = steps.slice(0, 5);
  let asked = 0;
  at.node.intercept = ({ path, url }) => {
    if (path.endsWith("/proof")) return bytes(Buffer.from(unhex(file.proof.bytes)));
    if (path !== "/v1/validators/changes") return null;
    asked += 1;
    const after = BigInt(url.searchParams.get("after"));
    return bytes(encoded(shown.filter((step) => BigInt(step.headers[0].height) > after)));
  };
  const client = at.client();
  // Asked for by many at once, the changes are followed once.
  const found = await Promise.all(
    Array.from({ length: 5 }, () => client.provenReceipt(receipt.transaction)));
  for (const proven of found) assert.deepEqual([proven.height, proven.signers], ["7", file.proof.signers]);
  assert.ok(asked <= 4, `${asked}`);
  const light = await client.followValidators();
  assert.equal(lf.validatorsHash(light.validators), file.steps[4].validators);

  shown = [];
  await assert.rejects(at.client().provenReceipt(receipt.transaction), { code: "proof-invalid", refusal: "validators" });
  shown = [lf.LightStep.decode(unhex(forged.bytes))];
  await assert.rejects(at.client().provenReceipt(receipt.transaction),
    { code: "certificate-invalid", refusal: forged.refusal });
}));
