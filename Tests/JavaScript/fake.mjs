// A node that is none: serves the pages of Web/ and answers the HTTP interface from a chain that it signs itself, with
// the genesis and the voting keys of the golden vectors. For tests of the client and of the pages.
//
// By hand: node Tests/JavaScript/fake.mjs [PORT] [MILLISECONDS A BLOCK]

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import * as lf from "../../Web/lianfen.js";
import * as vectors from "./vectors.mjs";

const { hex, unhex } = lf;
const web = new URL("../../Web/", import.meta.url);
const types = { html: "text/html; charset=utf-8", js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8",
  svg: "image/svg+xml" };
const ZERO = "0".repeat(64);
const POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

export const problem = (status, code, more = {}, headers = {}) => ({
  status, headers: { "content-type": "application/problem+json", ...headers },
  body: JSON.stringify({ type: `urn:lianfen:problem:${code}`, title: code, status, detail: `It was ${code}.`, code,
    message: { en: `It was ${code}.`, zh: `原因：${code}。` }, retryable: false, ...more }),
});

export class FakeNode {
  /** Requests as they came: `{method, path, headers, body}`. */
  requests = [];
  /** Called with each request before anything else; what it gives is the answer, nothing lets the request through. */
  intercept = null;
  blocks = [];
  streams = new Set();
  transactions = new Map();

  /** @param options `certifyEvery`: a certificate for every so many heights */
  static async start({ port = 0, certifyEvery = 1, genesisNumber = 0 } = {}) {
    const node = new FakeNode();
    node.certifyEvery = certifyEvery;
    node.chain = new lf.Chain(unhex(vectors.read("genesis").genesis[genesisNumber].bytes));
    node.keys = await Promise.all([1, 2, 3, 4].map((n) => lf.SecretKey.fromSeed(new Uint8Array(32).fill(n))));
    node.server = createServer((request, response) => node.#handle(request, response));
    await new Promise((resolve) => { node.server.listen(port, "127.0.0.1", resolve); });
    node.base = `http://127.0.0.1:${node.server.address().port}`;
    await node.advance();
    return node;
  }

  async stop() {
    clearInterval(this.timer);
    this.loseStreams();
    this.server.closeAllConnections?.();
    await new Promise((resolve) => { this.server.close(resolve); });
  }

  loseStreams() { for (const stream of this.streams) stream.destroy(); }

  get height() { return this.blocks.length - 1; }
  get certified() { return this.blocks.findLastIndex((block) => block.certificate); }

  /** Makes the next block, of transactions `{id?, kinds, code?}`. */
  async advance(transactions = []) {
    const parent = this.blocks.at(-1);
    const height = this.blocks.length;
    const listed = transactions.map(({ id, kinds = ["transfer"], code = 0 }, index) => ({
      id: id ?? hex(lf.sha256(lf.utf8(`${height}/${index}`))), index, kinds, result: lf.resultName(code), code,
    }));
    const time = String(Math.max(Date.now(), Number(parent?.header.time ?? 0) + 1));
    const header = {
      height: String(height), parent: parent?.hash ?? ZERO, entry: parent ? hex(lf.sha256(lf.utf8(time))) : this.chain.hash,
      transactions: lf.countedRoot(listed.map((t) => t.id)), receipts: ZERO, state: hex(lf.sha256(lf.utf8(`s${height}`))),
      validators: this.chain.validatorsHash, nextValidators: this.chain.validatorsHash, rulesVersion: 1, time,
      certificate: parent?.certificate ? lf.certificateHash(parent.certificate) : ZERO,
    };
    const block = { header, hash: lf.headerHash(header), transactions: listed, certificate: null };
    if (height > 0 && height % this.certifyEvery === 0) {
      const vote = { epoch: 0, height: header.height, round: 0, phase: 0, header: block.hash };
      const signatures = [];
      for (const [i, key] of this.keys.entries()) {
        if (i === height % 4) continue;
        const signed = lf.voteSignedBytes(this.chain.hash, { ...vote, time });
        signatures.push({ validator: i + 1, time, signature: await key.sign(signed) });
      }
      block.certificate = { ...vote, signatures };
    }
    this.blocks.push(block);
    for (const t of listed) this.transactions.set(t.id, { ...t, place: { height: String(height), index: t.index }, time });
    for (const stream of this.streams) this.#send(stream);
    return block;
  }

  /** A block every so many milliseconds, with transactions that look like a mall's. */
  live(milliseconds) {
    const kinds = [["transfer"], ["accrue"], ["redeem"], ["accrue", "vest"], ["reserve"], ["commit"], ["open"]];
    let busy = false;
    this.timer = setInterval(async () => {
      if (busy) return;
      busy = true;
      const n = this.blocks.length;
      await this.advance(Array.from({ length: (n * 7) % 6 }, (_, i) => ({
        kinds: kinds[(n + i) % kinds.length], code: (n + 3 * i) % 11 === 0 ? 38 : 0,
      })));
      busy = false;
    }, milliseconds);
  }

  #summary(height) {
    const { header, hash, transactions } = this.blocks[height];
    return { hash, header, transactions };
  }

  #send(stream) {
    while (stream.next <= this.certified) {
      const summary = this.#summary(stream.next);
      stream.next += 1;
      stream.write(`id: ${summary.header.height}\nevent: block\ndata: ${JSON.stringify(summary)}\n\n`);
    }
  }

  async #handle(request, response) {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = new Uint8Array(Buffer.concat(parts));
    const url = new URL(request.url, this.base);
    const record = { method: request.method, path: url.pathname, url, headers: request.headers, body };
    this.requests.push(record);
    try {
      const answer = (await this.intercept?.(record)) ?? (await this.#answer(record, response));
      if (answer === "hang up") return request.socket.destroy();
      if (answer) {
        response.writeHead(answer.status, { "cache-control": "no-store", ...answer.headers });
        response.end(answer.body);
      }
    } catch (error) {
      response.writeHead(500);
      response.end(String(error.stack));
    }
    return undefined;
  }

  #json(value) {
    const at = this.blocks[this.certified < 0 ? 0 : this.certified].header;
    return { status: 200, headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...value, height: at.height, stateRoot: at.state }) };
  }

  static bytes(bytes) {
    return { status: 200, headers: { "content-type": "application/octet-stream" }, body: Buffer.from(bytes) };
  }

  async #answer({ method, path, url, headers }, response) {
    const wantsBytes = headers.accept === "application/octet-stream";
    const missing = (code) => problem(404, code);
    if (method !== "GET") return problem(405, "method-not-allowed");
    if (path === "/v1/chain") {
      return this.#json({ chain: {
        chain: this.chain.genesis.chain, genesis: this.chain.hash, validator: 1, rulesVersion: 1,
        time: this.blocks[Math.max(0, this.certified)].header.time, executed: String(this.height),
        certified: String(this.certified), validators: this.chain.validators.length, quorum: this.chain.quorum,
      } });
    }
    if (path === "/v1/genesis") {
      if (wantsBytes) return FakeNode.bytes(this.chain.bytes);
      const { chain, time, organisations } = this.chain.genesis;
      return this.#json({ genesis: { hash: this.chain.hash, chain, time, organisations, bytes: hex(this.chain.bytes) } });
    }
    if (path === "/v1/validators") {
      return this.#json({ validators: { hash: this.chain.validatorsHash, quorum: this.chain.quorum,
        faulty: this.chain.faulty, members: this.chain.validators } });
    }
    if (path === "/v1/validators/changes") return FakeNode.bytes(lf.LightSteps.encode([]));
    if (path === "/v1/events") {
      const last = headers["last-event-id"];
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      response.write(": hello\n\n");
      response.next = last === undefined ? this.certified + 1 : Number(last) + 1;
      this.streams.add(response);
      response.on("close", () => this.streams.delete(response));
      this.#send(response);
      return null;
    }
    if (path === "/v1/blocks") {
      const limit = Number(url.searchParams.get("limit") ?? 20);
      const from = Number(url.searchParams.get("cursor") ?? this.certified);
      const items = [];
      for (let h = from; h >= 0 && items.length < limit; h -= 1) items.push(this.#summary(h));
      return this.#json({ items, next: from - limit >= 0 ? String(from - limit) : null });
    }
    const found = path.match(/^\/v1\/blocks\/(\d+)(?:\/(header|certificate))?$/);
    if (found) {
      const height = Number(found[1]);
      const block = this.blocks[height];
      const certificate = this.blocks.slice(height).find((b) => b.certificate)?.certificate;
      // Nobody votes for the genesis, so there is no certificate of it.
      if (!block || !certificate || (height === 0 && found[2] === "certificate")) return missing("height-not-found");
      if (!found[2]) return this.#json({ block: this.#summary(height) });
      if (found[2] === "header") {
        const bytes = lf.Header.encode(block.header);
        return wantsBytes ? FakeNode.bytes(bytes) : this.#json({ header: { header: block.header, bytes: hex(bytes) } });
      }
      const bytes = lf.Certificate.encode(certificate);
      return wantsBytes ? FakeNode.bytes(bytes) : this.#json({ certificate: { certificate, bytes: hex(bytes) } });
    }
    const asked = path.match(/^\/v1\/transactions\/([0-9a-f]{64})$/);
    if (asked) {
      const transaction = this.transactions.get(asked[1]);
      if (!transaction) return missing("transaction-not-found");
      const { index: _, ...rest } = transaction;
      return this.#json({ transaction: { ...rest, state: "certified" } });
    }
    if (path.startsWith("/v1/")) return missing("path-unknown");
    try {
      const name = path === "/" ? "index.html" : path.slice(1);
      if (!/^[a-z.-]+$/.test(name)) return missing("path-unknown");
      return { status: 200, body: await readFile(new URL(name, web)),
        headers: { "content-type": types[name.split(".").at(-1)], "content-security-policy": POLICY } };
    } catch {
      return missing("path-unknown");
    }
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const node = await FakeNode.start({ port: Number(process.argv[2] ?? 0) });
  node.live(Number(process.argv[3] ?? 1000));
  // A word on standard input changes how it behaves, so that a test of pages can break things.
  process.stdin.on("data", (data) => {
    for (const word of String(data).split(/\s+/)) {
      if (word === "lose") {
        node.intercept = ({ path }) => (path === "/v1/events" ? problem(503, "node-busy", { retryable: true }) : null);
        node.loseStreams();
      }
      if (word === "heal") node.intercept = null;
      if (word === "forge") {
        node.intercept = ({ path, headers }) => {
          if (!path.endsWith("/certificate") || headers.accept !== "application/octet-stream") return null;
          const block = node.blocks[Number(path.split("/").at(-2))];
          const [first, ...others] = block.certificate.signatures;
          const forged = { ...first, signature: `${first.signature.slice(0, 40)}00${first.signature.slice(42)}` };
          return FakeNode.bytes(lf.Certificate.encode({ ...block.certificate, signatures: [forged, ...others] }));
        };
      }
    }
  });
  process.stdin.on("end", () => process.exit(0));
  console.log(node.base);
}
