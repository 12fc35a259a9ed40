// The module against a real node: what it builds is taken, what the node answers has the form that it expects, and what
// is proved holds. The fake node of the other tests is held against the real one, and the pages' headers are looked at.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import * as lf from "../../Web/lianfen.js";
import { FakeNode } from "./fake.mjs";
import { Mall, RealNode } from "./node.mjs";

const { hex, unhex } = lf;
let node;
let mall;

before(async () => {
  node = await RealNode.start();
  mall = await new Mall(node).begin();
}, { timeout: 120_000 });

after(async () => {
  await node?.stop();
  if (node) assert.ok(!existsSync(node.folder));
});

/** One request as it is written here: `fetch` would unpack, keep and tidy up. */
function raw(path, { method = "GET", headers = {} } = {}) {
  const { hostname, port } = new URL(node.base);
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, method, headers }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve(
        { status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
    });
    asked.on("error", reject);
    asked.end();
  });
}

test("points are issued, given, spent and proved", async () => {
  const [ann, bo] = mall.people;
  const issued = await mall.accrue(mall.line(ann, 500), mall.line(bo, 70, { pending: true }));
  assert.equal(issued.transaction.state, "certified");
  assert.deepEqual(issued.receipt.outcomes, [{ outcome: "lines", done: 2, exceptions: [] }]);
  assert.deepEqual(Object.keys(issued.receipt).sort(), ["code", "outcomes", "result", "transaction"]);

  const given = await mall.pay(ann, bo, "120");
  const [{ portions }] = given.receipt.outcomes;
  assert.deepEqual(portions.map((p) => [p.amount, p.class, p.restriction]), [["120", "granted", 0]]);
  assert.ok(BigInt(portions[0].expiry) > BigInt(Date.now()));

  const proven = await ann.client.provenReceipt(given.transaction.id);
  // The node's own words are the proven receipt, member for member.
  assert.deepEqual(proven.receipt, given.receipt);
  assert.equal(proven.height, given.transaction.place.height);
  assert.equal(proven.stateRoot, given.stateRoot);
  assert.deepEqual([proven.quorum, proven.validators], [3, 4]);

  const spent = await ann.client.submitAndProve(await ann.client.build(
    [{ party: { account: ann.account }, key: ann.key }],
    [{ kind: "redeem", account: ann.account, unit: "POINTS", amount: "80", reference: "coffee 1" }]));
  assert.equal(spent.receipt.result, "done");

  const balance = await ann.client.provenBalance(ann.account, "POINTS");
  assert.deepEqual([balance.available, balance.held, balance.pending, balance.debt], ["300", "0", "0", "0"]);
  assert.ok(BigInt(balance.height) >= BigInt(spent.height));
  const said = await ann.client.balance(ann.account, "POINTS");
  assert.deepEqual(said.balance, { unit: "POINTS", available: "300", held: "0", pending: "0", debt: "0" });
  bo.client ??= await mall.signedIn(bo);
  const other = await bo.client.provenBalance(bo.account, "POINTS");
  assert.deepEqual([other.available, other.pending], ["120", "70"]);
  const program = { unit: "NONE", currency: "CNY", faceMinor: "1", facePoints: "1" };
  await mall.issue([{ kind: "publish", issuer: 1, program }]);
  assert.equal((await bo.client.provenBalance(bo.account, "NONE")).available, "0");
  await assert.rejects(bo.client.provenBalance(bo.account, "UNHEARD"), { code: "unit-not-found", status: 404 });
  const { items } = await ann.client.balances(ann.account);
  assert.deepEqual(items.map((item) => [item.unit, item.available]), [["POINTS", "300"]]);
  const lots = (await ann.client.lots(ann.account, "POINTS")).items;
  assert.deepEqual(lots.map((lot) => lot.remaining), ["300"]);
  const seen = (await ann.client.account(ann.account)).account;
  assert.deepEqual([seen.id, seen.role, seen.credentials[0].key], [ann.account, "consumer", ann.key.publicKey]);
});

test("every kind of operation in the interface's JSON is what the module writes in bytes", async () => {
  const [ann, bo, cai] = mall.people;
  const key = { source: "till-7", order: "A 1", line: 3, kind: 0 };
  const other = (await lf.SecretKey.generate()).publicKey;
  const chain = await mall.mine.chain();
  const line = { account: lf.randomAccount(), role: "store", credential: other, guardian: null };
  const ticket = await chain.signTicket(1, line, "9999999999999", mall.key);
  const terms = { unit: "STARS", decimals: 2, currency: "CNY", faceMinor: "1", facePoints: "7" };
  const held = { kind: "reserve", account: ann.account, unit: "POINTS", amount: "1", organisation: 2, deadline: "9" };
  const operations = [
    { kind: "publish", issuer: 1, program: { ...terms, expiry: { yearEnds: 1, zone: { 0: 480, 1700000000000: 540 } } } },
    { kind: "publish", issuer: 1, program: { ...terms, expiry: null } },
    { kind: "open", organisation: 1, all: true, lines: [line] },
    { kind: "open-by-ticket", line, ticket },
    { kind: "claim", account: ann.account, credential: other },
    { kind: "add-credential", account: ann.account, credential: { key: other, from: "9", to: null } },
    { kind: "rotate-credential", account: ann.account, old: ann.key.publicKey, new: other },
    { kind: "revoke-credential", account: ann.account, key: other },
    { kind: "accrue", unit: "POINTS", all: false, lines: [{ account: ann.account, key, amount: "5", pending: true }] },
    { kind: "vest", unit: "POINTS", all: false, lines: [{ key, total: "5" }] },
    { kind: "void", unit: "POINTS", all: false, lines: [{ key, total: "5" }] },
    { kind: "claw-back", unit: "POINTS", all: true, lines: [{ key, total: "5" }] },
    { kind: "transfer", from: ann.account, to: bo.account, unit: "POINTS", amount: "18446744073709551615" },
    { kind: "redeem", account: ann.account, unit: "POINTS", amount: "1", reference: "hex:e88194" },
    { ...held, use: { redeem: "R-1" } },
    { ...held, use: { transfer: cai.account } },
    { kind: "commit", hold: "ab".repeat(32), amount: "1" },
    { kind: "release", hold: "ab".repeat(32) },
    { kind: "freeze", account: ann.account },
    { kind: "unfreeze", account: ann.account },
  ];
  assert.equal(new Set(operations.map((operation) => operation.kind)).size, 18);
  for (const operation of operations) {
    const asked = {
      nonce: "7", validUntil: "1999999999999", signers: [{ party: { organisation: 1 }, key: mall.key.publicKey }],
      operations: [operation],
    };
    const response = await fetch(`${node.base}/v1/transactions/prepare`,
      { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(asked) });
    const answer = await response.json();
    assert.equal(response.status, 200, JSON.stringify(answer));
    const bytes = lf.TransactionBody.encode(asked);
    assert.equal(answer.prepared.bytes, hex(bytes), operation.kind);
    assert.equal(answer.prepared.id, lf.transactionId(bytes));
    assert.equal(answer.prepared.signingBytes, hex(lf.transactionSignedBytes(node.genesis, bytes)));
    // And back: what the node writes is what the module reads from the bytes.
    assert.deepEqual(answer.prepared.body, lf.TransactionBody.decode(bytes), operation.kind);
  }
});

test("a reservation is made, read and used", async () => {
  const [ann] = mall.people;
  await mall.accrue(mall.line(ann, 40));
  const deadline = String(Date.now() + 3_600_000);
  const made = await mall.act(ann, [{
    kind: "reserve", account: ann.account, unit: "POINTS", amount: "30", organisation: 1, use: { redeem: "R-1" }, deadline,
  }]);
  const [{ hold }] = made.receipt.outcomes;
  assert.match(hold, /^[0-9a-f]{64}$/);
  assert.equal((await ann.client.provenBalance(ann.account, "POINTS")).held, "30");
  const used = await mall.issue([{ kind: "commit", hold, amount: "30" }]);
  assert.equal(used.receipt.outcomes[0].portions[0].amount, "30");
  assert.equal((await ann.client.provenBalance(ann.account, "POINTS", { notBefore: used.height })).held, "0");
});

test("a refusal says why, in both languages, and is proved as a receipt", async () => {
  const [, , cai] = mall.people;
  cai.client ??= await mall.signedIn(cai);
  const transaction = await cai.client.build([{ party: { account: cai.account }, key: cai.key }],
    [{ kind: "transfer", from: cai.account, to: mall.people[0].account, unit: "POINTS", amount: "5" }]);
  await assert.rejects(cai.client.submit(transaction), (error) => {
    assert.deepEqual([error.code, error.status, error.retryable], ["balance-insufficient", 409, false]);
    assert.equal(error.text("zh-CN"), lf.resultText(38, "zh"));
    assert.equal(error.problem.transaction, transaction.id);
    return true;
  });
  const { receipt } = await cai.client.provenReceipt(transaction.id);
  assert.deepEqual([receipt.result, receipt.operation, "line" in receipt], ["balance-insufficient", 0, false]);
  const { transaction: view } = await cai.client.transaction(transaction.id);
  assert.deepEqual(view.whole.receipt, receipt);
  assert.deepEqual(view.whole.transaction, { ...transaction.body, signatures: transaction.signatures });
});

test("everybody sees kinds and result, and who is concerned sees what is theirs", async () => {
  const [ann, bo] = mall.people;
  const batch = await mall.accrue(mall.line(ann, 11), mall.line(bo, 22));
  const { id } = batch.transaction;
  const stranger = (await mall.client().transaction(id)).transaction;
  assert.deepEqual([stranger.kinds, stranger.result, stranger.code, "whole" in stranger, "excerpts" in stranger],
    [["accrue"], "done", 0, false, false]);
  bo.client ??= await mall.signedIn(bo);
  const [excerpt] = (await bo.client.transaction(id)).transaction.excerpts;
  assert.deepEqual(excerpt.lines, [1]);
  assert.deepEqual(excerpt.operation.lines.map((line) => [line.account, line.amount]), [[bo.account, "22"]]);
  assert.equal((await bo.client.transactions(bo.account, { limit: 1 })).items[0].id, id);
  ann.client ??= await mall.signedIn(ann);
  await assert.rejects(ann.client.balances(bo.account), { status: 403 });
  await assert.rejects(mall.client().balances(bo.account), { code: "token-missing" });
  await assert.rejects(ann.client.provenReceipt(id), { status: 403 });
});

test("headers verify from the genesis on, and a client with another genesis believes nothing", async () => {
  const client = mall.client();
  const { certified } = await client.status();
  for (const height of ["0", "1", certified]) {
    const found = await client.verifiedHeader(height);
    assert.equal(found.hash, (await client.block(height)).block.hash);
  }
  await assert.rejects(mall.client({ genesis: "1".repeat(64) }).verifiedHeader("1"), { code: "genesis-mismatch" });
});

test("the stream brings each block once, and an account its transactions", { timeout: 60_000 }, async () => {
  const [ann, bo] = mall.people;
  bo.client ??= await mall.signedIn(bo);
  const { certified } = await mall.mine.status();
  const ends = new AbortController();
  const heights = [];
  const blocks = (async () => {
    for await (const { event, data } of mall.client().events({ after: "0", signal: ends.signal })) {
      assert.equal(event, "block");
      heights.push(Number(data.header.height));
      assert.equal(lf.headerHash(data.header), data.hash);
    }
  })();
  const mine = (async () => {
    const path = `/v1/accounts/${bo.account}/events`;
    for await (const { event, data } of bo.client.events({ path, session: true, after: certified })) {
      return [event, data];
    }
    return null;
  })();
  const sent = await mall.pay(ann, bo, "1");
  const [event, data] = await mine;
  assert.deepEqual([event, data.id, data.excerpts[0].operation.amount], ["transaction", sent.transaction.id, "1"]);
  while (!heights.includes(Number(sent.height))) await new Promise((resolve) => { setTimeout(resolve, 20); });
  ends.abort();
  await blocks;
  assert.deepEqual(heights, heights.map((_, i) => i + 1));
});

/** The members of a value, however deep, without the values; of a list those of its items together. */
function shape(value) {
  if (Array.isArray(value)) return [...new Set(value.map((item) => JSON.stringify(shape(item))))].sort();
  if (value === null || typeof value !== "object") return typeof value;
  // An organisation that does not vote has no key to vote by; the real chain of these tests has none such.
  return Object.fromEntries(Object.keys(value).sort()
    .map((name) => [name, name === "votingKey" ? "key" : shape(value[name])]));
}

test("the fake node answers in the real one's form", async () => {
  const fake = await FakeNode.start();
  try {
    const one = await fake.advance([{ kinds: ["accrue"] }]);
    const [ann] = mall.people;
    const { transaction } = await mall.accrue(mall.line(ann, 1));
    const { height } = transaction.place;
    const pairs = [
      ["/v1/chain"], ["/v1/genesis"], ["/v1/validators"], ["/v1/blocks/1/header"], ["/v1/blocks/1/certificate"],
      ["/v1/blocks/0/certificate"], ["/v1/blocks/999999999"], [`/v1/transactions/${"0".repeat(64)}`], ["/v1/none"],
      [`/v1/blocks/${height}`, "/v1/blocks/1"], [`/v1/blocks?limit=1&cursor=${height}`, "/v1/blocks?limit=1&cursor=1"],
      [`/v1/transactions/${transaction.id}`, `/v1/transactions/${one.transactions[0].id}`],
    ];
    for (const [path, other = path] of pairs) {
      const [theirs, ours] = await Promise.all([fetch(node.base + path), fetch(fake.base + other)]);
      assert.equal(ours.status, theirs.status, path);
      assert.equal(ours.headers.get("content-type"), theirs.headers.get("content-type"), path);
      const [real, made] = [await theirs.json(), await ours.json()];
      if (theirs.ok) assert.deepEqual(shape(made), shape(real), path);
      else assert.deepEqual([made.type, made.code, made.status], [real.type, real.code, real.status], path);
    }
    const headers = await Promise.all([node, fake].map(async ({ base }) => (await fetch(`${base}/`)).headers));
    const policies = headers.map((each) => each.get("content-security-policy"));
    assert.equal(policies[1], policies[0]);
  } finally {
    await fake.stop();
  }
});

test("pages are served whole, packed, tagged and fenced in", async () => {
  const web = new URL("../../Web/", import.meta.url);
  const files = readdirSync(web).filter((name) => !name.startsWith("."));
  assert.ok(files.includes("index.html") && files.length >= 5);
  for (const [path, name] of [["/", "index.html"], ...files.map((file) => [`/${file}`, file])]) {
    const bytes = readFileSync(new URL(name, web));
    const plain = await raw(path);
    assert.equal(plain.status, 200, path);
    // The program has the files in it: after a change to them it is to be built again.
    assert.ok(plain.body.equals(bytes), `${path} is not the file in Web/`);
    assert.equal(plain.headers["content-encoding"], undefined);
    for (const [header, value] of [["x-content-type-options", "nosniff"], ["referrer-policy", "no-referrer"],
      ["cross-origin-opener-policy", "same-origin"], ["cache-control", "no-cache"], ["vary", "Accept-Encoding"]]) {
      assert.equal(plain.headers[header], value, `${path} ${header}`);
    }
    const policy = plain.headers["content-security-policy"].split("; ");
    for (const wanted of ["default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'"]) {
      assert.ok(policy.includes(wanted), `${path} ${wanted}`);
    }
    assert.ok(!policy.some((part) => part.includes("unsafe")), path);

    const packed = await raw(path, { headers: { "accept-encoding": "br;q=1, gzip;q=0.8" } });
    if (packed.headers["content-encoding"] === "gzip") {
      assert.ok(packed.body.length < bytes.length);
      assert.ok(gunzipSync(packed.body).equals(bytes), path);
      assert.notEqual(packed.headers.etag, plain.headers.etag);
    } else {
      // A picture of a few hundred bytes may stay as it is; what makes a page slow may not.
      assert.ok(bytes.length < 1024 && packed.body.equals(bytes), path);
    }
    for (const [first, accepts] of [[plain, {}], [packed, { "accept-encoding": "gzip" }]]) {
      const again = await raw(path, { headers: { ...accepts, "if-none-match": first.headers.etag } });
      assert.deepEqual([again.status, again.body.length, again.headers.etag], [304, 0, first.headers.etag], path);
      assert.equal(again.headers["content-security-policy"], plain.headers["content-security-policy"]);
      const changed = await raw(path, { headers: { ...accepts, "if-none-match": "\"another\"" } });
      assert.equal(changed.status, 200);
      const head = await raw(path, { method: "HEAD", headers: accepts });
      assert.deepEqual([head.status, head.body.length, head.headers.etag], [200, 0, first.headers.etag], path);
      assert.equal(head.headers["content-length"], String(first.body.length), path);
    }
  }
  for (const path of ["/none.js", "/../Web/lianfen.js", "/%2e%2e/lianfen.js", "/Lianfen.js", "/index.html/"]) {
    const answer = await raw(path);
    assert.deepEqual([answer.status, answer.headers["content-type"]], [404, "application/problem+json"], path);
    assert.equal(answer.headers["x-content-type-options"], "nosniff");
  }
  assert.equal((await raw("/", { method: "DELETE" })).status, 405);
});

test("the description of the interface names every path that the module asks for", async () => {
  const { paths, openapi } = await (await fetch(`${node.base}/openapi.json`)).json();
  assert.match(openapi, /^3\.1/);
  const source = readFileSync(new URL("../../Web/lianfen.js", import.meta.url), "utf8");
  const asked = [...source.matchAll(/[`"](\/v1\/[a-z]+)/g)].map((match) => match[1]);
  assert.ok(new Set(asked).size >= 8);
  for (const path of asked) assert.ok(Object.keys(paths).some((known) => `${known}/`.startsWith(`${path}/`)), path);
});

test("bytes asked for are the bytes that JSON spells", async () => {
  for (const [path, of] of [["/v1/blocks/1/header", (v) => v.header.bytes], ["/v1/genesis", (v) => v.genesis.bytes],
    ["/v1/blocks/1/certificate", (v) => v.certificate.bytes]]) {
    const answer = await fetch(node.base + path, { headers: { accept: "application/octet-stream" } });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    assert.equal(of(await (await fetch(node.base + path)).json()), hex(bytes), path);
  }
  const { header } = await (await fetch(`${node.base}/v1/blocks/1/header`)).json();
  assert.deepEqual(lf.Header.decode(unhex(header.bytes)), header.header);
});
