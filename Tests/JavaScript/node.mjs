// A real `lianfen node` with four validators on a chain of its own, and a mall's business on it by the module itself.
//
// By hand: node Tests/JavaScript/node.mjs [MILLISECONDS BETWEEN TRANSFERS]; it ends with its standard input.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as lf from "../../Web/lianfen.js";

const tool = process.env.LIANFEN ?? fileURLToPath(new URL("../../.build/debug/lianfen", import.meta.url));
const START_MILLISECONDS_MAX = 60_000;

export class RealNode {
  static async start() {
    const node = new RealNode();
    node.folder = mkdtempSync(join(tmpdir(), "lianfen-node-"));
    node.chainFolder = join(node.folder, "chain");
    try {
      execFileSync(tool, ["init", "--dev", "--validators", "4", "--chain", "mall", "--dir", node.chainFolder],
        { stdio: ["ignore", "ignore", "pipe"] });
      node.process = spawn(tool, ["node", "--dir", node.chainFolder, "--listen", "127.0.0.1:0", "--drain", "0"],
        { stdio: ["ignore", "ignore", "pipe"] });
      node.base = await node.#address();
      await node.#ready();
    } catch (error) {
      await node.stop();
      throw error;
    }
    return node;
  }

  /** Where it listens, as its log says. What else it says is kept for whoever looks into a failure. */
  async #address() {
    const lines = createInterface({ input: this.process.stderr });
    this.log = [];
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no node: ${this.log.join("\n")}`)), START_MILLISECONDS_MAX);
      this.process.on("exit", (code) => reject(new Error(`the node ended with ${code}: ${this.log.join("\n")}`)));
      lines.on("line", (line) => {
        if (this.log.length < 1000) this.log.push(line);
        if (!line.startsWith("{")) return;
        const said = JSON.parse(line);
        if (said.event !== "listening") return;
        clearTimeout(timer);
        resolve(`http://${said.address}:${said.port}`);
      });
    });
  }

  async #ready() {
    for (const end = Date.now() + START_MILLISECONDS_MAX; ;) {
      if ((await fetch(`${this.base}/readyz`)).ok) return;
      if (Date.now() > end) throw new Error("the node does not get ready");
      await new Promise((resolve) => { setTimeout(resolve, 50); });
    }
  }

  async stop() {
    if (this.process && this.process.exitCode === null) {
      const ended = new Promise((resolve) => { this.process.once("exit", resolve); });
      this.process.kill("SIGTERM");
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  get genesis() { return lf.genesisHash(readFileSync(join(this.chainFolder, "genesis"))); }

  /** An organisation's issuing key. The file of a development chain holds the seed in the clear, at a fixed place. */
  async issuer(organisation) {
    const bytes = readFileSync(join(this.chainFolder, "keys", `${organisation}-issuing.key`));
    const key = await lf.SecretKey.fromSeed(bytes.subarray(7, 39));
    if (key.publicKey !== lf.hex(bytes.subarray(39))) throw new Error("the key file has another form");
    return key;
  }
}

/** A mall's people and its points on a chain: what the tests, and the pages' pictures, are about. */
export class Mall {
  constructor(node) {
    this.node = node;
    this.organisation = 1;
    this.orders = 0;
  }

  client(more = {}) { return new lf.LianfenClient(this.node.base, { genesis: this.node.genesis, ...more }); }

  async begin() {
    this.key = await this.node.issuer(this.organisation);
    this.mine = this.client();
    await this.mine.signIn({ organisation: this.organisation }, this.key);
    await this.issue([{ kind: "publish", issuer: this.organisation, program: {
      unit: "POINTS", currency: "CNY", faceMinor: "1", facePoints: "100", expiry: { months: 24, zone: { 0: 480 } },
    } }]);
    this.people = [];
    for (let i = 0; i < 3; i += 1) this.people.push({ account: lf.randomAccount(), key: await lf.SecretKey.generate() });
    await this.issue([{ kind: "open", organisation: this.organisation,
      lines: this.people.map(({ account, key }) => ({ account, credential: key.publicKey })) }]);
    return this;
  }

  /** A transaction of the mall's own. */
  async issue(operations) {
    return this.mine.submit(await this.mine.build([{ party: { organisation: this.organisation }, key: this.key }], operations));
  }

  line(person, amount, more = {}) {
    this.orders += 1;
    return { account: person.account, key: { source: "till-7", order: `${this.orders}` }, amount: String(amount), ...more };
  }

  accrue(...lines) { return this.issue([{ kind: "accrue", unit: "POINTS", lines }]); }

  /** A transaction of a person's own, by a client that is signed in as them. */
  async act(person, operations) {
    person.client ??= await this.signedIn(person);
    return person.client.submit(await person.client.build([{ party: { account: person.account }, key: person.key }], operations));
  }

  async signedIn(person) {
    const client = this.client();
    await client.signIn({ account: person.account }, person.key);
    return client;
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const node = await RealNode.start();
  const end = async () => {
    await node.stop();
    process.exit(0);
  };
  process.stdin.on("end", end);
  process.stdin.resume();
  try {
    const mall = await new Mall(node).begin();
    const [ann, bo, cai] = mall.people;
    const pay = (from, to, amount) =>
      mall.act(from, [{ kind: "transfer", from: from.account, to: to.account, unit: "POINTS", amount }]);
    await mall.accrue(mall.line(ann, 50_000), mall.line(bo, 50_000), mall.line(cai, 800, { pending: true }));
    await mall.act(ann, [
      { kind: "redeem", account: ann.account, unit: "POINTS", amount: "300", reference: "coffee" },
      { kind: "transfer", from: ann.account, to: bo.account, unit: "POINTS", amount: "20" },
    ]);
    // A refusal stands in a block as well.
    await pay(cai, bo, "1000000").catch((error) => { if (error.code !== "balance-insufficient") throw error; });
    console.log(node.base);
    for (let round = 0; ; round += 1) {
      const [from, to] = round % 2 ? [ann, bo] : [bo, ann];
      // Some blocks with several, some with none.
      if (round % 4 === 0) await Promise.all([pay(from, to, "2"), pay(to, from, "3"), mall.accrue(mall.line(cai, 5))]);
      else await pay(from, to, "1");
      await new Promise((resolve) => { setTimeout(resolve, Number(process.argv[2] ?? 500)); });
    }
  } catch (error) {
    console.error(error, node.log.slice(-5));
    await node.stop();
    process.exit(1);
  }
}
