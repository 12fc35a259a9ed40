// Reads the golden vectors, and brings their fields into the form of the HTTP interface.

import { readFileSync, readdirSync } from "node:fs";
import { accountText, bytesText, lotClasses, resultName, roles, unhex } from "../../Web/lianfen.js";

const folder = new URL("../Fixtures/vectors/", import.meta.url);

export const names = readdirSync(folder).filter((name) => name.endsWith(".json")).sort();

export const read = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8"));

const account = (digits) => accountText(unhex(digits, 16));
const bytes = (digits) => bytesText(unhex(digits));

export function source(digits) {
  const raw = unhex(digits, 16);
  const text = String.fromCharCode(...raw).replace(/\0+$/, "");
  return /^[\x21-\x7e]+$/.test(text) ? text : `hex:${digits}`;
}

export const party = (value) =>
  (["organisation", "governor", "validator"].some((kind) => kind in value) ? value : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, account(v)])));

export const openLine = (v) => ({ ...v, account: account(v.account), role: roles[v.role] });

export const naturalKey = (v) => ({ source: source(v.source), order: bytes(v.order), line: v.line, kind: v.kind });

const line = ({ source: _, order: __, line: ___, kind: ____, ...v }, i, all) => ({
  ...v, ...("account" in v ? { account: account(v.account) } : {}), key: naturalKey(all[i]),
});

const none = (value) => (value === "18446744073709551615" ? null : value);

function program({ expiry, zone, ...v }) {
  if (expiry === null) return { ...v, expiry };
  return { ...v, expiry: { ...expiry, zone: Object.fromEntries(zone.map((o) => [o.from, o.minutes])) } };
}

/** An operation of the vectors as the interface writes it. */
export function operation({ operation: kind, ...fields }) {
  if (kind === "add-credential") {
    const { account: id, key, from, to } = fields;
    return { kind, account: account(id), credential: { key, from, to: none(to) } };
  }
  if (kind === "accuse") {
    const { key, first, second } = fields;
    const { validator, epoch, height, round } = first;
    const half = ({ header, time, signature }) => ({ header, time, signature });
    return { kind, evidence: { validator, key, epoch, height, round, first: half(first), second: half(second) } };
  }
  const value = { kind, ...fields };
  for (const name of ["account", "from", "to"]) if (name in fields) value[name] = account(fields[name]);
  if (kind === "publish") value.program = program(fields.program);
  if ("reference" in fields) value.reference = bytes(fields.reference);
  if (fields.use?.redeem !== undefined) value.use = { redeem: bytes(fields.use.redeem) };
  if (fields.use?.transfer !== undefined) value.use = { transfer: account(fields.use.transfer) };
  if (kind === "open") value.lines = fields.lines.map(openLine);
  else if ("lines" in fields) value.lines = fields.lines.map(line);
  if (kind === "open-by-ticket") value.line = openLine(fields.line);
  return value;
}

export const body = ({ sender: _, ...v }) => ({
  ...v,
  signers: v.signers.map((signer) => ({ ...signer, party: party(signer.party) })),
  operations: v.operations.map(operation),
});

const portion = (v) => ({ ...v, class: lotClasses[v.class], expiry: none(v.expiry) });

const outcome = (v) => ({
  ...v,
  ...("portions" in v ? { portions: v.portions.map(portion) } : {}),
  ...("exceptions" in v
    ? { exceptions: v.exceptions.map(({ result, ...e }) => ({ ...e, result: resultName(result), code: result })) } : {}),
});

export const receipt = ({ result, ...v }) => ({
  ...Object.fromEntries(Object.entries(v).filter(([, part]) => part !== null)),
  result: resultName(result), code: result, outcomes: v.outcomes.map(outcome),
});

export { account };
