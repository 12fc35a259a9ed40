// The golden vectors by the module that pages and programs use: all but the proofs of side ledgers, which other ledgers
// check, and no page.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as lf from "../../Web/lianfen.js";
import * as vectors from "./vectors.mjs";

const { hex, unhex } = lf;
const refusedBytes = { code: "bytes-invalid" };

/** Fields give the bytes, the bytes give the fields, and what is cut short or goes on is refused. */
function agrees(type, fields, bytes, what) {
  assert.equal(hex(type.encode(fields)), bytes, what);
  const raw = unhex(bytes);
  assert.deepEqual(type.decode(raw), fields, what);
  assert.throws(() => type.decode(lf.concat(raw, [0])), refusedBytes, what);
  assert.throws(() => type.decode(raw.slice(0, -1)), refusedBytes, what);
}

test("every file of vectors is known here", () => {
  assert.deepEqual(vectors.names.map((name) => name.replace(".json", "")), [
    "accounts", "bcs", "certificates", "entries", "genesis", "headers", "light", "lists", "operations", "proofs",
    "receipts", "side-proofs", "state", "transactions", "votes",
  ]);
});

test("bcs", () => {
  const primitives = {
    u8: [(e, v) => e.u8(v), (d) => d.u8()],
    u16: [(e, v) => e.u16(v), (d) => d.u16()],
    u32: [(e, v) => e.u32(v), (d) => d.u32()],
    u64: [(e, v) => e.u64(v), (d) => d.u64().toString()],
    bool: [(e, v) => e.bool(v), (d) => d.bool()],
    length: [(e, v) => e.length(v), (d) => d.length()],
    string: [(e, v) => e.string(v), (d) => d.string(1000)],
    bytes: [(e, v) => e.byteString(unhex(v)), (d) => hex(d.byteString(1000))],
    "optional-u64": [
      (e, v) => { e.bool(v !== null); if (v !== null) e.u64(v); },
      (d) => (d.bool() ? d.u64().toString() : null),
    ],
  };
  const file = vectors.read("bcs");
  for (const { type, value, bytes } of file.values) {
    agrees(new lf.Type(...primitives[type]), value, bytes, `${type} ${value}`);
  }
  for (const { type, bytes } of file.refused) {
    assert.throws(() => new lf.Type(...primitives[type]).decode(unhex(bytes)), refusedBytes, `${type} ${bytes}`);
  }
  assert.ok(file.values.length > 40 && file.refused.length > 15);
});

test("accounts", () => {
  const file = vectors.read("accounts");
  for (const { bytes, text } of file.accounts) {
    assert.equal(lf.accountText(unhex(bytes)), text);
    assert.equal(hex(lf.accountBytes(text)), bytes);
    assert.equal(hex(lf.accountBytes(text.toUpperCase())), bytes);
  }
  for (const text of file.refused) assert.throws(() => lf.accountBytes(text), { code: "value-invalid" }, text);
});

test("genesis", () => {
  for (const { fields, bytes, hash, validators, validatorsHash } of vectors.read("genesis").genesis) {
    agrees(lf.Genesis, fields, bytes, fields.chain);
    const chain = new lf.Chain(unhex(bytes), hash);
    assert.equal(chain.hash, hash);
    assert.equal(chain.validatorsHash, validatorsHash);
    agrees(lf.ValidatorSet, chain.validators, validators, "validators");
    assert.throws(() => new lf.Chain(unhex(bytes), "0".repeat(64)), { code: "genesis-mismatch" });
  }
});

test("operations", () => {
  const file = vectors.read("operations");
  const kinds = new Set();
  for (const { fields, bytes } of file.operations) {
    kinds.add(fields.operation);
    agrees(lf.Operation, vectors.operation(fields), bytes, fields.operation);
  }
  assert.equal(kinds.size, 21);
});

test("transactions", async () => {
  const file = vectors.read("transactions");
  const genesisFile = vectors.read("genesis").genesis.find((g) => g.hash === file.genesis);
  const chain = new lf.Chain(unhex(genesisFile.bytes), file.genesis);
  for (const vector of file.transactions) {
    const fields = vectors.body(vector.fields);
    agrees(lf.TransactionBody, fields, vector.body, vector.id);
    assert.deepEqual(fields.signers[0].party, vectors.party(vector.fields.sender));
    const raw = unhex(vector.body);
    assert.equal(lf.transactionId(raw), vector.id);
    assert.equal(hex(lf.transactionSignedBytes(file.genesis, raw)), vector.signed);
    const keys = await Promise.all(vector.seeds.map((seed) => lf.SecretKey.fromSeed(unhex(seed))));
    assert.deepEqual(keys.map((key) => key.publicKey), fields.signers.map((signer) => signer.key));
    const signed = await chain.sign(fields, keys);
    assert.equal(signed.id, vector.id);
    assert.deepEqual(signed.signatures, vector.signatures);
    assert.equal(hex(signed.bytes), vector.envelope);
    assert.equal(lf.envelopeDigest(signed.bytes), vector.envelopeDigest);
    agrees(lf.Envelope, { ...fields, signatures: vector.signatures }, vector.envelope, vector.id);
    assert.equal(await chain.envelopeVerifies(signed.bytes), true);
    const changed = signed.bytes.slice();
    changed[changed.length - 40] ^= 1;
    assert.equal(await chain.envelopeVerifies(changed), false);
  }
  const { ticket } = file;
  const line = vectors.openLine(ticket.line);
  const key = await lf.SecretKey.fromSeed(unhex(ticket.seed));
  assert.equal(hex(lf.ticketSignedBytes(file.genesis, ticket.organisation, line, ticket.validUntil)), ticket.signed);
  const issued = await chain.signTicket(ticket.organisation, line, ticket.validUntil, key);
  assert.equal(issued.signature, ticket.signature);
  for (const vector of file.naturalKeys) {
    const fields = vectors.naturalKey(vector);
    agrees(lf.NaturalKey, fields, vector.bytes, "natural key");
    assert.equal(lf.naturalKeyDigest(vector.issuer, fields), vector.digest);
  }
});

test("receipts", () => {
  for (const { fields, bytes, leaf } of vectors.read("receipts").receipts) {
    const value = vectors.receipt(fields);
    agrees(lf.Receipt, value, bytes, fields.transaction);
    assert.equal(lf.receiptLeaf(value), leaf);
  }
});

test("entries", async () => {
  const file = vectors.read("entries");
  for (const { seed, bytes, hash, ...fields } of file.entries) {
    const raw = unhex(bytes);
    const signed = raw.slice(0, raw.length - 65);
    const key = await lf.SecretKey.fromSeed(unhex(seed));
    const signature = await key.sign(lf.entrySignedBytes(file.genesis, signed));
    agrees(lf.Entry, { ...fields, signature }, bytes, hash);
    assert.equal(lf.entryHash(raw), hash);
  }
});

test("headers and block time", () => {
  const file = vectors.read("headers");
  for (const { fields, bytes, hash } of file.headers) {
    agrees(lf.Header, fields, bytes, fields.height);
    assert.equal(lf.headerHash(fields), hash);
  }
  for (const { parent, times, time } of file.times) {
    const certificate = times && { signatures: times.map((t) => ({ time: t })) };
    assert.equal(lf.blockTime(parent, certificate), time);
  }
});

test("votes", async () => {
  const file = vectors.read("votes");
  const genesisFile = vectors.read("genesis").genesis.find((g) => g.hash === file.genesis);
  const chain = new lf.Chain(unhex(genesisFile.bytes), file.genesis);
  for (const { seed, signed, bytes, ...vote } of file.votes) {
    assert.equal(hex(lf.voteSignedBytes(file.genesis, vote)), signed);
    const key = await lf.SecretKey.fromSeed(unhex(seed));
    assert.equal(await key.sign(unhex(signed)), vote.signature);
    agrees(lf.Vote, vote, bytes, vote.height);
    assert.equal(await chain.verifyVote(vote), chain.validators.some(
      (v) => v.organisation === vote.validator && v.key === key.publicKey));
    assert.equal(await chain.verifyVote({ ...vote, height: String(BigInt(vote.height) ^ 1n) }), false);
  }
});

test("certificates", async () => {
  const file = vectors.read("certificates");
  const set = lf.ValidatorSet.decode(unhex(file.validators));
  const seen = new Set();
  for (const { fields, bytes, hash, medianTime, refusal } of file.certificates) {
    seen.add(refusal);
    assert.equal(lf.medianTime(fields), medianTime);
    if (refusal === "signerTwice" || fields.signatures.length === 0) {
      // Such a certificate has no byte form: it is refused when it is read, as by the ledger.
      assert.throws(() => lf.Certificate.decode(unhex(bytes)), refusedBytes);
      assert.throws(() => lf.Certificate.encode(fields), { code: "value-invalid" });
    } else {
      agrees(lf.Certificate, fields, bytes, hash);
      assert.equal(lf.certificateHash(fields), hash);
    }
    assert.equal(hex(lf.digestUnder("certificate", unhex(bytes))), hash);
    const verdict = lf.verifyCertificate(file.genesis, set, fields);
    if (refusal === null) await verdict;
    else await assert.rejects(verdict, { name: "LianfenError", code: "certificate-invalid", refusal });
  }
  assert.deepEqual([...seen].sort(), [null, "quorumMissed", "signatureInvalid", "signerTwice", "signerUnknown"].sort());
  for (const { n, f, q } of file.quorums) assert.deepEqual(lf.quorumOf(n), { faulty: f, quorum: q });
  assert.equal(file.quorums.length, 100);
});

test("lists", () => {
  for (const { leaves, root, countedRoot, paths } of vectors.read("lists").lists) {
    assert.equal(lf.merkleRoot(leaves), root);
    assert.equal(lf.countedRoot(leaves), countedRoot);
    for (const [index, bytes] of paths.entries()) {
      const path = lf.MerklePath.decode(unhex(bytes));
      assert.equal(path.index, String(index));
      assert.equal(path.count, String(leaves.length));
      agrees(lf.MerklePath, path, bytes, `path of ${index}`);
      assert.equal(lf.merklePathRoot(path, leaves[index]), root);
      assert.equal(lf.merklePathCountedRoot(path, leaves[index]), countedRoot);
      const longer = { ...path, count: String(leaves.length + 1) };
      assert.notEqual(lf.merklePathCountedRoot(longer, leaves[index]), countedRoot);
    }
  }
});

test("state", () => {
  const file = vectors.read("state");
  const other = "1".repeat(64);
  for (const { pairs, root, proofs } of file.trees) {
    assert.equal(lf.stateTreeRoot(pairs), root);
    for (const { key, value, proof: bytes } of proofs) {
      const proof = lf.StateProof.decode(unhex(bytes));
      agrees(lf.StateProof, proof, bytes, key);
      assert.equal(lf.stateProofHolds(proof, key, value, root), true);
      assert.equal(lf.stateProofHolds(proof, key, value === null ? other : null, root), false);
      assert.equal(lf.stateProofHolds(proof, key, other, root), false);
      assert.equal(lf.stateProofHolds(proof, key, value, other), false);
    }
  }
  for (const { roots, bytes, stateRoot } of file.subRoots) {
    agrees(lf.SubRoots, roots, bytes, stateRoot);
    assert.equal(lf.stateRoot(roots), stateRoot);
  }
  for (const vector of file.holdings) {
    agrees(lf.HoldingSummary, vector.summary, vector.bytes, vector.account);
    assert.equal(lf.holdingLeafKey(vectors.account(vector.account), vector.unit), vector.leafKey);
    assert.equal(lf.holdingLeafValue(vector.summary), vector.leafValue);
  }
});

test("proofs that hold, and none of them with any byte altered", async () => {
  const file = vectors.read("proofs");
  const chain = new lf.Chain(unhex(file.genesis));
  for (const vector of file.proofs) {
    const raw = unhex(vector.bytes);
    const found = await chain.verifyProof(raw);
    for (const name of ["height", "time", "stateRoot", "signers", "validators", "quorum"]) {
      assert.deepEqual(found[name], vector[name], `${vector.name} ${name}`);
    }
    const said = vector.subject;
    if ("account" in said) {
      const { account, unit, summary } = found.subject.balance;
      assert.deepEqual({ account, unit, summary }, { ...said, account: vectors.account(said.account) });
    } else {
      const { receipt, path } = found.subject.receipt;
      assert.deepEqual(receipt, vectors.receipt(said.receipt));
      assert.deepEqual([path.index, path.count], [String(said.index), String(said.count)]);
    }
    agrees(lf.Proof, lf.Proof.decode(raw), vector.bytes, vector.name);
    for (let index = 0; index < raw.length; index += 1) {
      const changed = raw.slice();
      changed[index] ^= 1 << (index % 8);
      await assert.rejects(chain.verifyProof(changed), { name: "LianfenError" }, `${vector.name}, byte ${index}`);
    }
  }
});

/** Every byte once more, with the closing digest made anew: then it is the checks themselves that must refuse. */
test("proofs altered and closed again say nothing else", async () => {
  const file = vectors.read("proofs");
  const chain = new lf.Chain(unhex(file.genesis));
  const statement = (found) => JSON.stringify(found);
  for (const vector of file.proofs) {
    const raw = unhex(vector.bytes);
    const content = raw.slice(0, -32);
    for (let index = 0; index < content.length; index += 1) {
      const changed = content.slice();
      changed[index] ^= 1 << ((index + 3) % 8);
      const closed = lf.concat(changed, lf.digestUnder("proof", changed));
      try {
        const found = await chain.verifyProof(closed);
        // One of absence may prove the absence of another account: true, and about that other one.
        assert.equal(found.subject.balance?.summary, null, `${vector.name}, byte ${index}: ${statement(found)}`);
        assert.notDeepEqual(
          [found.subject.balance.account, found.subject.balance.unit],
          [vectors.account(vector.subject.account), vector.subject.unit]);
      } catch (error) {
        assert.equal(error.name, "LianfenError", `${vector.name}, byte ${index}: ${error.stack}`);
      }
    }
  }
});

test("proofs that do not hold, each for its reason", async () => {
  const file = vectors.read("proofs");
  const chain = new lf.Chain(unhex(file.genesis));
  for (const { name, refusal, bytes } of file.refused) {
    await assert.rejects(chain.verifyProof(unhex(bytes)), (error) => {
      assert.equal(error.name, "LianfenError", name);
      // Signers out of order, or none, are no certificate already when they are read.
      if (refusal === "certificate") assert.ok(["certificate-invalid", "bytes-invalid"].includes(error.code), name);
      else assert.deepEqual([error.code, error.refusal], ["proof-invalid", refusal], name);
      return true;
    });
  }
});

test("a light client follows the changes of the validators", async () => {
  const file = vectors.read("light");
  const chain = new lf.Chain(unhex(file.genesis));
  const follow = async (client, steps) => {
    for (const { bytes, height, header, validators } of steps) {
      const step = lf.LightStep.decode(unhex(bytes));
      agrees(lf.LightStep, step, bytes, height);
      await client.advance(step);
      assert.deepEqual([client.trusted.height, client.trusted.hash], [height, header]);
      assert.equal(lf.validatorsHash(client.validators), validators);
    }
    return client;
  };
  await follow(new lf.LightClient(chain), file.steps);
  const { height, hash, header: bytes, validators: set, skips } = file.checkpoint;
  const [header, validators] = [lf.Header.decode(unhex(bytes)), lf.ValidatorSet.decode(unhex(set))];
  const begun = await follow(
    new lf.LightClient(chain, { height, hash, header, validators }), file.steps.slice(skips));
  assert.equal(begun.validatorsAt("7"), null);
  for (const [start, refusal] of [
    [{ height, hash: "0".repeat(64), header, validators }, "checkpointForeign"],
    [{ height: "9", hash, header, validators }, "checkpointForeign"],
    [{ height, hash, header, validators: chain.validators }, "setForeign"],
  ]) assert.throws(() => new lf.LightClient(chain, start), { code: "step-invalid", refusal });
  await assert.rejects(begun.verify([{ ...header, height: "1" }],
    { ...lf.LightStep.decode(unhex(file.steps[0].bytes)).certificate, height: "1",
      header: lf.headerHash({ ...header, height: "1" }) }), { refusal: "heightTooOld" });

  const proof = unhex(file.proof.bytes);
  for (let steps = 0; steps <= file.steps.length; steps += 1) {
    const client = await follow(new lf.LightClient(chain), file.steps.slice(0, steps));
    const verdict = chain.verifyProof(proof, client);
    if (steps < file.proof.needs) await assert.rejects(verdict, { code: "proof-invalid", refusal: "validators" });
    else {
      const found = await verdict;
      assert.deepEqual([found.height, found.signers], [file.proof.height, file.proof.signers]);
    }
  }
  const time = Number(begun.trusted.time);
  assert.deepEqual([0, time + 30_000, time + 30_001].map((now) => begun.isStale(now)), [false, false, true]);
});

test("a light client refuses every forged step", async () => {
  const file = vectors.read("light");
  const chain = new lf.Chain(unhex(file.genesis));
  const seen = new Set();
  for (const { name, after, refusal, readable, bytes } of file.forgeries) {
    const client = new lf.LightClient(chain);
    for (const step of file.steps.slice(0, after)) await client.advance(lf.LightStep.decode(unhex(step.bytes)));
    const before = [client.trusted, client.validators];
    if (!readable) {
      assert.throws(() => lf.LightStep.decode(unhex(bytes)), refusedBytes, name);
      continue;
    }
    seen.add(refusal);
    const step = lf.LightStep.decode(unhex(bytes));
    await assert.rejects(client.advance(step), (error) => {
      assert.deepEqual([error.name, error.refusal], ["LianfenError", refusal], name);
      return true;
    });
    assert.deepEqual([client.trusted, client.validators], before, name);
  }
  assert.ok(file.forgeries.length >= 35 && seen.size >= 14, `${seen.size} reasons`);
  // What cannot be read is refused by name where it is built by hand.
  const client = new lf.LightClient(chain);
  const { certificate } = lf.LightStep.decode(unhex(file.steps[0].bytes));
  await assert.rejects(client.advance({ headers: [], certificate, set: null }), { refusal: "headerCount" });
});
