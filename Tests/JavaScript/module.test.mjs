// What vectors cannot show: numbers that lost digits, strictness, round trips, signatures that some libraries take.

import assert from "node:assert/strict";
import { createHash, webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as lf from "../../Web/lianfen.js";
import * as vectors from "./vectors.mjs";

const { hex, unhex } = lf;

/** Numbers of a seed, the same on every run (mulberry32). */
function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const seed = Number(process.env.LIANFEN_SEED ?? Date.now() % 1e9);
const random = randomOf(seed);
const below = (count) => Math.floor(random() * count);
const some = (count) => Uint8Array.from({ length: count }, () => below(256));

test("SHA-256 is that of the platform, at every length around a block's end", () => {
  for (let count = 0; count < 300; count += 1) {
    const bytes = some(count);
    assert.equal(hex(lf.sha256(bytes)), createHash("sha256").update(bytes).digest("hex"), `seed ${seed}, ${count}`);
  }
  const large = some(1 << 20);
  assert.equal(hex(lf.sha256(large)), createHash("sha256").update(large).digest("hex"));
});

test("a number of 64 bits is digits or a BigInt, and never a Number", () => {
  assert.equal(lf.u64("18446744073709551615"), 2n ** 64n - 1n);
  assert.equal(lf.u64(5n), 5n);
  for (const bad of [5, 9007199254740993, 0.5, NaN, "", "05", "-1", "1.0", "1e3", " 1", "+1", "18446744073709551616",
    2n ** 64n, -1n, null, undefined, true, [], "١"]) {
    assert.throws(() => lf.u64(bad), { code: "value-invalid" }, String(bad));
  }
});

test("smaller numbers are whole and in range", () => {
  const encoder = new lf.Encoder();
  for (const bad of [-1, 256, 1.5, NaN, Infinity, "1", 1n, null]) {
    assert.throws(() => encoder.u8(bad), { code: "value-invalid" }, String(bad));
  }
  assert.throws(() => encoder.u32(2 ** 32), { code: "value-invalid" });
  assert.throws(() => encoder.length(2 ** 53), { code: "value-invalid" });
});

test("a refused value says its place", () => {
  const account = lf.randomAccount();
  const body = {
    nonce: "1", validUntil: "2", signers: [{ party: { account }, key: `01${"22".repeat(32)}` }],
    operations: [{ kind: "transfer", from: account, to: account, unit: "POINTS", amount: 5 }],
  };
  const encode = (change) => () => lf.TransactionBody.encode({ ...body, ...change });
  assert.throws(encode({}), { field: "$.operations[0].amount" });
  assert.throws(encode({ operations: [{ ...body.operations[0], amount: "5", memo: "x" }] }),
    { field: "$.operations[0].memo" });
  assert.throws(encode({ operations: [{ kind: "grant" }] }), { field: "$.operations[0].kind" });
  assert.throws(encode({ operations: [] }), { field: "$.operations" });
  assert.throws(encode({ signers: [] }), { field: "$.signers" });
  assert.throws(encode({ signers: [body.signers[0], body.signers[0]] }));
  assert.throws(encode({ fee: "1" }), { field: "$.fee" });
  assert.throws(() => lf.TransactionBody.encode({ ...body, nonce: undefined }), { field: "$.nonce" });
});

test("what may be left out has the ledger's own default", () => {
  const account = lf.randomAccount();
  const open = { kind: "open", organisation: 1, lines: [{ account }] };
  const whole = { ...open, lines: [{ account, role: "consumer", credential: null, guardian: null }], all: false };
  assert.deepEqual(lf.Operation.decode(lf.Operation.encode(open)), whole);
  const key = { source: "till-7", order: "1001" };
  assert.deepEqual(lf.NaturalKey.decode(lf.NaturalKey.encode(key)), { ...key, line: 0, kind: 0 });
});

test("what ends never has no end in text, and an expiry has its zone", () => {
  const base = { unit: "POINTS", currency: "CNY", faceMinor: "1", facePoints: "100" };
  const program = { ...base, decimals: 0, expiry: { months: 24, zone: { 0: 480, 1700000000000: 540 } } };
  assert.deepEqual(lf.Program.decode(lf.Program.encode(program)), program);
  const mixed = { ...program, expiry: { months: 24, zone: { 1700000000000: 540, 0: 480 } } };
  assert.equal(hex(lf.Program.encode(mixed)), hex(lf.Program.encode(program)));
  assert.deepEqual(lf.Program.decode(lf.Program.encode(base)), { ...base, decimals: 0, expiry: null });
  for (const [expiry, field] of [[{ months: 24 }, "$.expiry.zone"], [{ months: 24, zone: { 1: 480 } }, "$"],
    [{ months: 24, zone: { x: 480 } }, "$.expiry.zone"], [{ weeks: 1, zone: { 0: 480 } }, "$.expiry"],
    [{ months: 24, zone: [] }, "$.expiry.zone"]]) {
    assert.throws(() => lf.Program.encode({ ...base, expiry }), { code: "value-invalid", field }, JSON.stringify(expiry));
  }
  assert.throws(() => lf.Program.encode({ ...base, zone: {} }), { field: "$.zone" });
  const key = `01${"22".repeat(32)}`;
  const add = { kind: "add-credential", account: lf.randomAccount(), credential: { key, from: "5" } };
  assert.deepEqual(lf.Operation.decode(lf.Operation.encode(add)), { ...add, credential: { key, from: "5", to: null } });
});

test("bytes have one text, and the text gives them back", () => {
  for (const [text, bytes] of [["", ""], ["A 1", "412031"], ["hex:00", "00"], ["hex:6865783a", "6865783a"],
    ["hex:e88194", "e88194"]]) {
    assert.equal(lf.bytesText(unhex(bytes)), text);
    assert.equal(hex(lf.bytesOfText(text)), bytes);
  }
  for (const bad of ["联", "a\n", "hex:0", "hex:0G", "hex:AB", 5, null]) assert.throws(() => lf.bytesOfText(bad));
  for (let round = 0; round < 500; round += 1) {
    const bytes = some(below(20));
    assert.equal(hex(lf.bytesOfText(lf.bytesText(bytes))), hex(bytes), `seed ${seed}`);
  }
});

test("half a surrogate pair is no text", () => {
  for (const bad of ["\ud800", "a\udc00", "\udc00\ud800"]) assert.throws(() => lf.utf8(bad), { code: "value-invalid" });
  assert.equal(hex(lf.utf8("😀")), "f09f9880");
});

test("random operations come back, and random damage is refused or is another canonical value", () => {
  const operations = vectors.read("operations").operations.map(({ fields }) => vectors.operation(fields));
  for (let round = 0; round < 3000; round += 1) {
    const bytes = lf.Operation.encode(operations[below(operations.length)]);
    const changed = bytes.slice();
    changed[below(changed.length)] = below(256);
    try {
      // What is read at all is what the encoder writes: there is no second form.
      assert.equal(hex(lf.Operation.encode(lf.Operation.decode(changed))), hex(changed), `seed ${seed}`);
    } catch (error) {
      assert.equal(error.code, "bytes-invalid", `seed ${seed}: ${error.stack}`);
    }
  }
});

test("random bytes are refused without harm", () => {
  for (const type of [lf.Genesis, lf.Envelope, lf.Proof, lf.Certificate, lf.Entry, lf.Receipt, lf.StateProof]) {
    for (let round = 0; round < 300; round += 1) {
      const bytes = some(below(200));
      try {
        assert.equal(hex(type.encode(type.decode(bytes))), hex(bytes), `seed ${seed}`);
      } catch (error) {
        assert.equal(error.code, "bytes-invalid", `seed ${seed}: ${error.stack}`);
      }
    }
  }
});

test("accounts of random bytes come back; a changed or swapped character is found", () => {
  for (let round = 0; round < 200; round += 1) {
    const text = lf.randomAccount();
    assert.equal(lf.accountText(lf.accountBytes(text)), text);
    const at = 3 + below(text.length - 3);
    const other = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"[below(32)];
    if (other === text[at]) continue;
    assert.throws(() => lf.accountBytes(text.slice(0, at) + other + text.slice(at + 1)), { code: "value-invalid" });
  }
});

test("a key signs what it verifies, and cannot be taken out", async () => {
  const key = await lf.SecretKey.generate();
  const message = some(100);
  const signature = await key.sign(message);
  assert.equal(await lf.verifySignature(key.publicKey, signature, message), true);
  assert.equal(await lf.verifySignature(key.publicKey, signature, message.slice(1)), false);
  await assert.rejects(webcrypto.subtle.exportKey("pkcs8", key.stored.privateKey));
  const again = new lf.SecretKey(key.stored.privateKey, key.stored.publicKey);
  assert.equal(await again.sign(message), signature);
  const seeded = await lf.SecretKey.fromSeed(some(32));
  await assert.rejects(webcrypto.subtle.exportKey("jwk", seeded.stored.privateKey));
});

test("RFC 8032's own signatures", async () => {
  const rows = [
    ["9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
      + "d25bf5f0595bbe24655141438e7a100b"],
    ["4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
      + "387b2eaeb4302aeeb00d291612bb0c00"],
  ];
  for (const [secret, key, message, signature] of rows) {
    const made = await lf.SecretKey.fromSeed(unhex(secret));
    assert.equal(made.publicKey, `01${key}`);
    assert.equal(await made.sign(unhex(message)), `01${signature}`);
    assert.equal(await lf.verifySignature(`01${key}`, `01${signature}`, unhex(message)), true);
  }
});

test("keys and points of small order, other forms of a point, and S past the order are refused", async () => {
  const identity = `01${"00".repeat(31)}`;
  const forged = `${identity}${"00".repeat(32)}`;
  const message = some(40);
  // Node's own check takes this signature, for any message at all: hence the checks before it.
  assert.equal(await lf.verifySignature(`01${identity}`, `01${forged}`, message), false);
  const small = [
    "00".repeat(32), identity, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", `ec${"ff".repeat(30)}7f`,
    `ed${"ff".repeat(30)}7f`, `ee${"ff".repeat(30)}7f`,
  ];
  const key = await lf.SecretKey.generate();
  const good = await key.sign(message);
  for (const point of small.flatMap((p) => [p, p.slice(0, 62) + hex([parseInt(p.slice(62), 16) | 0x80])])) {
    assert.equal(await lf.verifySignature(`01${point}`, good, message), false, point);
    assert.equal(await lf.verifySignature(`01${point}`, `01${point}${"00".repeat(32)}`, message), false, point);
    assert.equal(await lf.verifySignature(key.publicKey, `01${point}${good.slice(66)}`, message), false, point);
  }
  // y at the prime and above.
  assert.equal(await lf.verifySignature(`01f0${"ff".repeat(30)}7f`, good, message), false);
  // S plus the order is the same number to who does not look.
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const s = BigInt(`0x${hex(unhex(good.slice(66)).reverse())}`) + order;
  const late = hex(unhex(s.toString(16).padStart(64, "0")).reverse());
  assert.equal(await lf.verifySignature(key.publicKey, good.slice(0, 66) + late, message), false);
});

test("results are those of the ledger", () => {
  const root = new URL("../../Sources/Ledger/", import.meta.url);
  const codes = new Map([...readFileSync(new URL("ResultCode.swift", root), "utf8")
    .matchAll(/static let (\w+) = ResultCode\(rawValue: (\d+)\)/g)].map((m) => [m[1], Number(m[2])]));
  const rows = [...readFileSync(new URL("ResultCode+Text.swift", root), "utf8")
    .matchAll(/row\(\s*\.(\w+),\s*"([^"]+)",\s*"([^"]+)",\s*"([^"]+)"\s*\)/g)]
    .map((m) => [codes.get(m[1]), m[2], m[3], m[4]]);
  assert.ok(rows.length === codes.size && rows.length > 40);
  assert.deepEqual([...lf.results], rows);
  assert.equal(lf.resultName(65535), "code-65535");
});

test("domain tags are those of the ledger, and the one of tokens", () => {
  const text = readFileSync(new URL("../../Sources/Crypto/Digest.swift", import.meta.url), "utf8");
  const tags = [...text.matchAll(/"lianfen\/1\/([a-z-]+)"/g)].map((m) => m[1]);
  assert.deepEqual([...new Set([...tags, "session"])], [...lf.domains]);
});
