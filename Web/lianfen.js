// lianfen.js: what a page or a program needs to hold, send and check points without trusting the node that it talks to.
//
// One module, no dependencies; browsers with WebCrypto's Ed25519 and Node 18 or newer. It has, from the bottom up:
// bytes and SHA-256, the byte form of values (BCS), the ledger's types, keys, trees and proofs, the client.
//
// Values have the form of the HTTP interface's JSON: what is 64 bits wide is a string of digits (a BigInt is taken too,
// a Number never, since it may have lost digits already), digests and keys are lower-case hexadecimal, accounts are
// `lf1…`. Bytes that the encoder would not have written are refused, and so are members that a type does not have.

// Node 18 has it as a module only; pages always have it, though without `subtle` where they came in the clear.
const platform = globalThis.crypto ?? (await import("node:crypto")).webcrypto;

// MARK: Errors

/**
 * Everything that this module refuses or fails at.
 *
 * `code` is stable and for programs: the code of the node's problem document, or one of this module's own. `field` is
 * the place in the value (`$.operations[0].amount`) where there is one. `retryable` says whether the same call may
 * succeed later. `status` is the HTTP status, `problem` the node's whole document, `offset` the byte concerned.
 */
export class LianfenError extends Error {
  constructor(code, message, { field = null, retryable = false, status = null, problem = null, offset = null,
    refusal = null, retryAfter = null, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "LianfenError";
    this.code = code;
    this.field = field;
    this.retryable = retryable;
    this.status = status;
    this.problem = problem;
    this.offset = offset;
    /** Why a certificate or a proof does not hold, by the name that the ledger gives it. */
    this.refusal = refusal;
    /** Milliseconds that the node asked to be left alone for. */
    this.retryAfter = retryAfter;
  }

  /** The node's sentence in a language, or the message. */
  text(language = "en") {
    return this.problem?.message?.[language.startsWith("zh") ? "zh" : "en"] ?? this.message;
  }
}

const invalid = (field, message) => new LianfenError("value-invalid", `${field}: ${message}`, { field });
const noncanonical = (reason, offset) =>
  new LianfenError("bytes-invalid", `${reason} (byte ${offset})`, { offset });

// MARK: Bytes

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Lower-case hexadecimal. */
export function hex(bytes) {
  let out = "";
  for (const byte of bytes) out += HEX[byte];
  return out;
}

/** Bytes of lower-case hexadecimal text; `count` of them where it is given. */
export function unhex(text, count = null, field = "$") {
  if (typeof text !== "string" || !/^(?:[0-9a-f]{2})*$/.test(text)) {
    throw invalid(field, "lower-case hexadecimal digits in pairs are wanted");
  }
  if (count !== null && text.length !== 2 * count) throw invalid(field, `${2 * count} hexadecimal digits are wanted`);
  const out = new Uint8Array(text.length / 2);
  for (let i = 0; i < out.length; i += 1) out[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return out;
}

export function concat(...parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Ascending as bytes: negative, zero or positive. */
export function compareBytes(a, b) {
  for (let i = 0; i < Math.min(a.length, b.length); i += 1) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

const littleEndian = (bytes) => bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
const sameBytes = (a, b) => compareBytes(a, b) === 0;
const ascii = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** UTF-8 of a text; half a surrogate pair is refused, since it has no bytes of its own. */
export function utf8(text, field = "$") {
  if (typeof text !== "string") throw invalid(field, "text is wanted");
  if (/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text)) {
    throw invalid(field, "the text is not whole Unicode");
  }
  return new TextEncoder().encode(text);
}

// MARK: SHA-256
//
// Own, because WebCrypto's answers later and only where the page came over TLS: an id is a plain value here.

const ROUND = new Uint32Array(64);
const INITIAL = new Uint32Array(8);
{
  // The first 32 bits of the fractions of cube and square roots of the first primes (FIPS 180-4), by whole numbers.
  const root = (value, power) => {
    let low = 0n;
    let high = 1n << 64n;
    while (high - low > 1n) {
      const middle = (low + high) >> 1n;
      if (middle ** power <= value) low = middle; else high = middle;
    }
    return Number(low & 0xffffffffn);
  };
  let count = 0;
  for (let n = 2n; count < 64; n += 1n) {
    let prime = true;
    for (let d = 2n; d * d <= n; d += 1n) if (n % d === 0n) prime = false;
    if (!prime) continue;
    ROUND[count] = root(n << 96n, 3n);
    if (count < 8) INITIAL[count] = root(n << 64n, 2n);
    count += 1;
  }
}

/** SHA-256 of the parts, one after the other. */
export function sha256(...parts) {
  const message = concat(...parts);
  const padded = new Uint8Array((message.length + 9 + 63) & ~63);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(message.length / 0x20000000));
  view.setUint32(padded.length - 4, message.length << 3);
  const state = Uint32Array.from(INITIAL);
  const w = new Uint32Array(64);
  for (let start = 0; start < padded.length; start += 64) {
    for (let i = 0; i < 16; i += 1) w[i] = view.getUint32(start + 4 * i);
    for (let i = 16; i < 64; i += 1) {
      const x = w[i - 15];
      const y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i += 1) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUND[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => { state[i] += word; });
  }
  const out = new Uint8Array(32);
  const words = new DataView(out.buffer);
  state.forEach((word, i) => words.setUint32(4 * i, word));
  return out;
}

/** What a digest or a signature is about; the tag stands in front of the bytes. The texts are part of the format. */
export const domains = Object.freeze([
  "genesis", "transaction-body", "transaction-signature", "envelope", "entry", "entry-signature", "header", "vote",
  "certificate", "validators", "natural-key", "hold", "ticket", "leaf", "row", "lots", "additions", "state-root",
  "receipt", "list", "proof", "session", "application", "proposal", "offence", "submission", "epoch-statement",
  "epoch-change", "snapshot", "snapshot-chunk", "side-proof", "side-claim", "parcel", "backup", "founding-request",
  "founding-approval",
]);

/** A domain tag as it stands in front of bytes: its length, its text. */
export function domainTag(name) {
  if (!domains.includes(name)) throw invalid("$", `there is no domain ${name}`);
  const text = ascii(`lianfen/1/${name}`);
  return concat([text.length], text);
}

/** Digest of bytes under a domain tag. */
export const digestUnder = (name, ...parts) => sha256(domainTag(name), ...parts);

const ZERO = new Uint8Array(32);
const pairDigest = (tag, left, right) => sha256([tag], left, right);
const bitOf = (bytes, index) => (bytes[index >> 3] >> (7 - (index & 7))) & 1;

// MARK: BCS

const U64_MAX = (1n << 64n) - 1n;

/** A number of 64 bits: from a BigInt or from digits without a leading zero. A Number is refused, whatever it holds. */
export function u64(value, field = "$") {
  let number = value;
  if (typeof value === "string" && /^(?:0|[1-9][0-9]{0,19})$/.test(value)) number = BigInt(value);
  if (typeof number !== "bigint") throw invalid(field, "a string of digits or a BigInt is wanted");
  if (number < 0n || number > U64_MAX) throw invalid(field, "the number does not fit 64 bits");
  return number;
}

function whole(value, low, high, field) {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < low || value > high) {
    throw invalid(field, `a whole number from ${low} to ${high} is wanted`);
  }
  return value;
}

/** Writes Binary Canonical Serialization. */
export class Encoder {
  #bytes = new Uint8Array(256);
  #count = 0;

  get bytes() { return this.#bytes.slice(0, this.#count); }

  fixed(bytes) {
    if (this.#count + bytes.length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#count + bytes.length));
      larger.set(this.#bytes.subarray(0, this.#count));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#count);
    this.#count += bytes.length;
  }

  #little(value, size) {
    const out = new Uint8Array(size);
    for (let i = 0; i < size; i += 1) out[i] = Number((value >> BigInt(8 * i)) & 0xffn);
    this.fixed(out);
  }

  u8(value, field = "$") { this.fixed([whole(value, 0, 0xff, field)]); }
  u16(value, field = "$") { this.#little(BigInt(whole(value, 0, 0xffff, field)), 2); }
  i16(value, field = "$") { this.#little(BigInt.asUintN(16, BigInt(whole(value, -0x8000, 0x7fff, field))), 2); }
  u32(value, field = "$") { this.#little(BigInt(whole(value, 0, 0xffffffff, field)), 4); }
  u64(value, field = "$") { this.#little(u64(value, field), 8); }

  bool(value, field = "$") {
    if (typeof value !== "boolean") throw invalid(field, "true or false is wanted");
    this.fixed([value ? 1 : 0]);
  }

  /** A length or the number of a variant, in the fewest bytes. */
  length(value, field = "$") {
    let rest = whole(value, 0, 0xffffffff, field);
    const out = [];
    while (rest >= 0x80) {
      out.push((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.fixed([...out, rest]);
  }

  byteString(bytes) {
    this.length(bytes.length);
    this.fixed(bytes);
  }

  string(text, field = "$") { this.byteString(utf8(text, field)); }
}

/** Reads Binary Canonical Serialization, and refuses what {@link Encoder} would not have written. */
export class Decoder {
  #bytes;
  #at = 0;

  constructor(bytes) {
    if (!(bytes instanceof Uint8Array)) throw invalid("$", "bytes (a Uint8Array) are wanted");
    this.#bytes = bytes;
  }

  get offset() { return this.#at; }
  get remaining() { return this.#bytes.length - this.#at; }
  bytes(start) { return this.#bytes.slice(start, this.#at); }
  refusal(reason) { return noncanonical(reason, this.#at); }
  finish() { if (this.remaining > 0) throw this.refusal("bytes are left over"); }

  fixed(count) {
    if (count > this.remaining) throw this.refusal("the bytes end too soon");
    this.#at += count;
    return this.#bytes.slice(this.#at - count, this.#at);
  }

  #little(size) { return littleEndian(this.fixed(size)); }

  u8() { return this.fixed(1)[0]; }
  u16() { return Number(this.#little(2)); }
  i16() { return Number(BigInt.asIntN(16, this.#little(2))); }
  u32() { return Number(this.#little(4)); }
  /** A BigInt. */
  u64() { return this.#little(8); }

  bool() {
    const byte = this.u8();
    if (byte > 1) throw noncanonical("a boolean is neither 0 nor 1", this.#at - 1);
    return byte === 1;
  }

  length(max = 0xffffffff) {
    let value = 0;
    for (let index = 0; index < 5; index += 1) {
      const byte = this.u8();
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte >= 0x80) continue;
      if (index > 0 && byte === 0) throw noncanonical("a length is not written in the fewest bytes", this.#at - 1);
      if (value > max) break;
      return value;
    }
    throw noncanonical("a length is beyond its bound", this.#at - 1);
  }

  variant(count) {
    const start = this.#at;
    const value = this.length();
    if (value >= count) throw noncanonical("an unknown kind", start);
    return value;
  }

  byteString(max) { return this.fixed(this.length(max)); }

  string(max) {
    const bytes = this.byteString(max);
    try {
      return utf8Decoder.decode(bytes);
    } catch {
      throw this.refusal("text is not UTF-8 or holds characters that are not allowed here");
    }
  }

  /** A function of the sequence's count of reads; each value takes a byte at least. */
  sequence(min, max, read) {
    const start = this.#at;
    const count = this.length(max);
    if (count < min) throw noncanonical("a list is shorter than it must be", start);
    if (count > this.remaining) throw this.refusal("the bytes end too soon");
    return Array.from({ length: count }, read);
  }
}

// MARK: Bech32m (BIP 350)

const ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const BECH32M = 0x2bc830a3;
const BECH32M_BYTES_MAX = 512;

function bech32Check(values) {
  const generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
  let check = 1;
  for (const value of values) {
    const top = check >>> 25;
    check = ((check & 0x1ffffff) << 5) ^ value;
    generator.forEach((term, bit) => { if ((top >>> bit) & 1) check ^= term; });
  }
  return check >>> 0;
}

function bech32Expand(prefix) {
  const characters = [...ascii(prefix)];
  return [...characters.map((c) => c >> 5), 0, ...characters.map((c) => c & 31)];
}

/** Bytes in groups of other width, or null where the last group holds bits that stand for nothing. */
function regroup(values, from, to, pad) {
  let accumulator = 0;
  let bits = 0;
  const out = [];
  for (const value of values) {
    accumulator = ((accumulator << from) | value) & 0xfff;
    bits += from;
    while (bits >= to) {
      bits -= to;
      out.push((accumulator >> bits) & ((1 << to) - 1));
    }
  }
  const rest = (accumulator << (to - bits)) & ((1 << to) - 1);
  if (pad) return bits > 0 ? [...out, rest] : out;
  return bits < from && rest === 0 ? out : null;
}

export function bech32mEncode(prefix, bytes) {
  if (!/^[\x21-\x40\x5b-\x7e]{1,83}$/.test(prefix) || bytes.length > BECH32M_BYTES_MAX) {
    throw invalid("$", "the prefix or the length has no Bech32m form");
  }
  const data = regroup(bytes, 8, 5, true);
  const check = bech32Check([...bech32Expand(prefix), ...data, 0, 0, 0, 0, 0, 0]) ^ BECH32M;
  const tail = [0, 1, 2, 3, 4, 5].map((i) => (check >>> (5 * (5 - i))) & 31);
  return `${prefix}1${[...data, ...tail].map((value) => ALPHABET[value]).join("")}`;
}

/** The bytes of a text that is all in lower or all in upper case. */
export function bech32mDecode(prefix, text, field = "$") {
  if (typeof text !== "string" || text.length > prefix.length + 1 + Math.ceil(BECH32M_BYTES_MAX * 8 / 5) + 6) {
    throw invalid(field, "it is longer than any text of this form");
  }
  if (/[A-Z]/.test(text) && /[a-z]/.test(text)) throw invalid(field, "upper and lower case are mixed");
  // Case by ASCII alone: to Unicode the Kelvin sign is a K, too.
  const lower = text.replace(/[A-Z]/g, (c) => String.fromCharCode(c.charCodeAt(0) | 0x20));
  if (!lower.startsWith(`${prefix}1`)) throw invalid(field, `it does not begin with ${prefix}1`);
  const values = [...lower.slice(prefix.length + 1)].map((character) => ALPHABET.indexOf(character));
  if (values.includes(-1)) throw invalid(field, "it holds a character that does not occur in this form");
  if (values.length < 6 || bech32Check([...bech32Expand(prefix), ...values]) !== BECH32M) {
    throw invalid(field, "its check does not hold: a character is mistyped or missing");
  }
  const bytes = regroup(values.slice(0, -6), 5, 8, false);
  if (bytes === null) throw invalid(field, "its last character holds bits that stand for nothing");
  return Uint8Array.from(bytes);
}

/** An account's text of its 16 bytes. */
export function accountText(bytes) {
  if (bytes.length !== 16) throw invalid("$", "an account id has 16 bytes");
  return bech32mEncode("lf", bytes);
}

/** An account's 16 bytes of its text. */
export function accountBytes(text, field = "$") {
  const bytes = bech32mDecode("lf", text, field);
  if (bytes.length !== 16) throw invalid(field, "an account id has 16 bytes");
  return bytes;
}

/** The id of a new account: 16 bytes of the system's random source. */
export const randomAccount = () => accountText(platform.getRandomValues(new Uint8Array(16)));

// MARK: Types

/** A type's byte form: `encode(value)` gives bytes, `decode(bytes)` takes all of them or refuses. */
export class Type {
  constructor(write, read, absent = undefined, isOmitted = false) {
    this.write = write;
    this.read = read;
    /** What stands for a member that is left out; undefined where it must be there. */
    this.absent = absent;
    /** Whether a member that is null is left out of what is read. */
    this.isOmitted = isOmitted;
    Object.freeze(this);
  }

  encode(value, field = "$") {
    const encoder = new Encoder();
    this.write(encoder, value, field);
    return encoder.bytes;
  }

  decode(bytes) {
    const decoder = new Decoder(bytes);
    const value = this.read(decoder);
    decoder.finish();
    return value;
  }

  /** The same type where it may be left out of what is built here. */
  or(absent) { return new Type(this.write, this.read, absent); }

  /** The same type where null is left out, of what is built here and of what is read. */
  get omitted() { return new Type(this.write, this.read, null, true); }
}

const U8 = new Type((e, v, f) => e.u8(v, f), (d) => d.u8());
const U16 = new Type((e, v, f) => e.u16(v, f), (d) => d.u16());
const I16 = new Type((e, v, f) => e.i16(v, f), (d) => d.i16());
const U32 = new Type((e, v, f) => e.u32(v, f), (d) => d.u32());
const U64 = new Type((e, v, f) => e.u64(v, f), (d) => d.u64().toString());
const Bool = new Type((e, v, f) => e.bool(v, f), (d) => d.bool());
const hexBytes = (count) => new Type((e, v, f) => e.fixed(unhex(v, count, f)), (d) => hex(d.fixed(count)));

/** A 32-byte digest. */
export const Digest = hexBytes(32);

/** A suite byte, which is 1 (Ed25519) so far, and so many bytes. */
function suited(count) {
  return new Type(
    (e, v, f) => {
      const bytes = unhex(v, count + 1, f);
      if (bytes[0] !== 1) throw invalid(f, "an unknown signature suite");
      e.fixed(bytes);
    },
    (d) => {
      if (d.u8() !== 1) throw d.refusal("an unknown signature suite");
      return `01${hex(d.fixed(count))}`;
    });
}

export const PublicKey = suited(32);
export const Signature = suited(64);

export const AccountId = new Type((e, v, f) => e.fixed(accountBytes(v, f)), (d) => accountText(d.fixed(16)));

const UNIT = /^[A-Z][A-Z0-9_-]{0,15}$/;

export const UnitCode = new Type(
  (e, v, f) => {
    if (typeof v !== "string" || !UNIT.test(v)) throw invalid(f, "a unit is 1 to 16 of A–Z 0–9 - _, a letter first");
    e.string(v, f);
  },
  (d) => {
    const code = d.string(16);
    if (!UNIT.test(code)) throw d.refusal("text is not UTF-8 or holds characters that are not allowed here");
    return code;
  });

const unitPadded = (code) => concat(ascii(code), new Uint8Array(16 - code.length));

/** Bytes as text: printable ASCII stands for itself, anything else is `hex:` and digits. There is one text of bytes. */
export function bytesText(bytes) {
  const printable = bytes.every((byte) => byte >= 0x20 && byte <= 0x7e);
  const text = printable ? String.fromCharCode(...bytes) : "";
  return printable && !text.startsWith("hex:") ? text : `hex:${hex(bytes)}`;
}

export function bytesOfText(text, field = "$") {
  if (typeof text !== "string") throw invalid(field, "text is wanted");
  if (text.startsWith("hex:")) return unhex(text.slice(4), null, field);
  if (!/^[\x20-\x7e]*$/.test(text)) throw invalid(field, "printable ASCII is wanted, or hex: and hexadecimal digits");
  return ascii(text);
}

const textBytes = (min, max) => new Type(
  (e, v, f) => {
    const bytes = bytesOfText(v, f);
    if (bytes.length < min || bytes.length > max) throw invalid(f, `${min} to ${max} bytes are wanted`);
    e.byteString(bytes);
  },
  (d) => {
    const bytes = d.byteString(max);
    if (bytes.length < min) throw d.refusal("a list is shorter than it must be");
    return bytesText(bytes);
  });

/** Whoever numbers the orders: 1 to 16 printable characters, padded with zeros; other bytes are `hex:` and digits. */
const Source = new Type(
  (e, v, f) => {
    let bytes = bytesOfText(v, f);
    if (!v.startsWith("hex:")) {
      if (!/^[\x21-\x7e]{1,16}$/.test(v)) throw invalid(f, "1 to 16 printable ASCII characters are wanted");
      bytes = concat(bytes, new Uint8Array(16 - bytes.length));
    }
    if (bytes.length !== 16) throw invalid(f, "16 bytes are wanted");
    e.fixed(bytes);
  },
  (d) => {
    const bytes = d.fixed(16);
    const end = bytes.indexOf(0);
    const text = String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)));
    const plain = /^[\x21-\x7e]{1,16}$/.test(text) && (end < 0 || bytes.subarray(end).every((byte) => byte === 0));
    return plain && !text.startsWith("hex:") ? text : `hex:${hex(bytes)}`;
  });

/** One byte that stands for a name. */
const named = (names) => new Type(
  (e, v, f) => {
    const number = typeof v === "string" ? names.indexOf(v) : v;
    if (!Number.isInteger(number) || number < 0 || number >= names.length) {
      throw invalid(f, `one of ${names.join(", ")} is wanted`);
    }
    e.u8(number);
  },
  (d) => {
    const number = d.u8();
    if (number >= names.length) throw noncanonical("an unknown kind", d.offset - 1);
    return names[number];
  });

const option = (type) => new Type(
  (e, v, f) => {
    e.bool(v !== null);
    if (v !== null) type.write(e, v, f);
  },
  (d) => (d.bool() ? type.read(d) : null),
  null);

/** A list; `key` gives what it ascends by, as a number or a text of ASCII. */
function list(type, min, max, key = null) {
  const ordered = (values) => !key || values.every((value, i) => i === 0 || key(values[i - 1]) < key(value));
  return new Type(
    (e, v, f) => {
      if (!Array.isArray(v)) throw invalid(f, "a list is wanted");
      if (v.length < min || v.length > max) throw invalid(f, `${min} to ${max} values are wanted`);
      e.length(v.length);
      v.forEach((value, i) => type.write(e, value, `${f}[${i}]`));
      if (!ordered(v)) throw invalid(f, "entries are not in ascending order");
    },
    (d) => {
      const start = d.offset;
      const values = d.sequence(min, max, () => type.read(d));
      if (!ordered(values)) throw noncanonical("entries are not in ascending order", start);
      return values;
    });
}

function onlyMembers(value, names, field) {
  const other = Object.keys(value).find((name) => !names.includes(name));
  if (other !== undefined) throw invalid(`${field}.${other}`, "there is no such member");
}

/** Members one after the other. `check` gives a reason to refuse a value, or nothing. */
function struct(members, check = () => null) {
  const names = Object.keys(members);
  return new Type(
    (e, v, f) => {
      if (typeof v !== "object" || v === null || Array.isArray(v)) throw invalid(f, "an object is wanted");
      onlyMembers(v, names, f);
      const filled = {};
      for (const name of names) {
        filled[name] = v[name] === undefined ? members[name].absent : v[name];
        if (filled[name] === undefined) throw invalid(`${f}.${name}`, "it is missing");
        members[name].write(e, filled[name], `${f}.${name}`);
      }
      const reason = check(filled);
      if (reason) throw invalid(f, reason);
    },
    (d) => {
      const value = {};
      for (const name of names) {
        const found = members[name].read(d);
        if (found !== null || !members[name].isOmitted) value[name] = found;
      }
      const reason = check(value);
      if (reason) throw d.refusal(`a value is outside its range: ${reason}`);
      return value;
    });
}

/** One of several, as an object with one member that names it. */
function union(members) {
  const names = Object.keys(members);
  return new Type(
    (e, v, f) => {
      const keys = typeof v === "object" && v !== null ? Object.keys(v) : [];
      if (keys.length !== 1 || !names.includes(keys[0])) {
        throw invalid(f, `one member of ${names.join(", ")} is wanted`);
      }
      e.length(names.indexOf(keys[0]));
      members[keys[0]].write(e, v[keys[0]], `${f}.${keys[0]}`);
    },
    (d) => {
      const name = names[d.variant(names.length)];
      return { [name]: members[name].read(d) };
    });
}

/** One of several, as an object whose member `tag` names it and whose others are its own. */
function tagged(tag, members) {
  const names = Object.keys(members);
  return new Type(
    (e, v, f) => {
      const name = v?.[tag];
      if (typeof name !== "string" || !names.includes(name)) {
        throw invalid(`${f}.${tag}`, `one of ${names.join(", ")} is wanted`);
      }
      const { [tag]: _, ...rest } = v;
      e.length(names.indexOf(name));
      members[name].write(e, rest, f);
    },
    (d) => {
      const name = names[d.variant(names.length)];
      return { [tag]: name, ...members[name].read(d) };
    });
}

const between = (type, low, high) => new Type(
  (e, v, f) => type.write(e, whole(v, low, high, f), f),
  (d) => {
    const value = type.read(d);
    if (value < low || value > high) throw d.refusal("a value is outside its range");
    return value;
  });

/** UTF-8 text of some bytes; `pattern` is what it must look like. */
const text = (min, max, pattern) => new Type(
  (e, v, f) => {
    const bytes = utf8(v, f);
    if (bytes.length < min || bytes.length > max || !pattern.test(v)) throw invalid(f, "the text has another form");
    e.byteString(bytes);
  },
  (d) => {
    const value = d.string(max);
    if (utf8(value).length < min || !pattern.test(value)) {
      throw d.refusal("text is not UTF-8 or holds characters that are not allowed here");
    }
    return value;
  });

/** Who signs: an organisation by its issuing, governing or voting key, an account, or an account's guardian. */
export const Party = union({
  organisation: U32, account: AccountId, guardian: AccountId, governor: U32, validator: U32,
});

const Expiry = union({ days: between(U16, 1, 3650), months: between(U16, 1, 120), yearEnds: between(U16, 0, 10) });

const ProgramParts = struct(
  {
    unit: UnitCode,
    decimals: between(U8, 0, 4).or(0),
    currency: text(3, 3, /^[A-Z]{3}$/),
    faceMinor: U64,
    facePoints: U64,
    expiry: option(Expiry),
    zone: list(struct({ from: U64, minutes: between(I16, -900, 900) }), 0, 256, (offset) => u64(offset.from)),
  },
  (v) => {
    if (u64(v.faceMinor) === 0n || u64(v.facePoints) === 0n) return "a face value is zero";
    if (v.expiry === null ? v.zone.length > 0 : v.zone.length === 0 || u64(v.zone[0].from) !== 0n) {
      return "there is a zone from 0 on exactly where there is an expiry";
    }
    return null;
  });

/** One version of a unit's terms. Its `expiry` is null or such as `{months: 24, zone: {"0": 480}}`. */
export const Program = new Type(
  (e, v, f) => {
    if (typeof v !== "object" || v === null || Array.isArray(v)) throw invalid(f, "an object is wanted");
    if ("zone" in v) throw invalid(`${f}.zone`, "there is no such member");
    const { expiry = null, ...rest } = v;
    if (expiry === null) return ProgramParts.write(e, { ...rest, zone: [] }, f);
    const { zone, ...policy } = expiry;
    if (typeof zone !== "object" || zone === null || Array.isArray(zone)) {
      throw invalid(`${f}.expiry.zone`, "an object from instants to minutes is wanted");
    }
    const offsets = Object.entries(zone).map(([from, minutes]) => ({ from, minutes }));
    offsets.forEach(({ from }) => u64(from, `${f}.expiry.zone`));
    offsets.sort((a, b) => (BigInt(a.from) < BigInt(b.from) ? -1 : 1));
    return ProgramParts.write(e, { ...rest, expiry: policy, zone: offsets }, f);
  },
  (d) => {
    const { expiry, zone, ...rest } = ProgramParts.read(d);
    if (expiry === null) return { ...rest, expiry };
    return { ...rest, expiry: { ...expiry, zone: Object.fromEntries(zone.map((o) => [o.from, o.minutes])) } };
  });

export const roles = Object.freeze(["consumer", "guide", "store", "dealer", "treasury", "escrow"]);

const OpenLineType = struct(
  { account: AccountId, role: named(roles).or("consumer"), credential: option(PublicKey), guardian: option(PublicKey) },
  (v) => (v.credential !== null && v.credential === v.guardian ? "guardian and credential are one key" : null));
export const OpenLine = OpenLineType;

const TicketType = struct({ organisation: U32, validUntil: U64, key: PublicKey, signature: Signature });
export const Ticket = TicketType;

/** A time or a height that is null where it never comes. */
const End = new Type(
  (e, v, f) => e.u64(v === null ? U64_MAX : v, f),
  (d) => {
    const value = d.u64();
    return value === U64_MAX ? null : value.toString();
  },
  null);

/** A key that speaks for an account at heights `from`–`to`, the last excluded. */
const Credential = struct({ key: PublicKey, from: U64, to: End });

const LINES_MAX = 8190;
/** The business key of an accrual: used once, for ever, within its issuer. */
export const NaturalKey = struct({ source: Source, order: textBytes(1, 48), line: U32.or(0), kind: U8.or(0) });
const AccrualLine = struct({ account: AccountId, key: NaturalKey, amount: U64, pending: Bool.or(false) });
const TotalLine = struct({ key: NaturalKey, total: U64 });
const totals = struct({ unit: UnitCode, lines: list(TotalLine, 1, LINES_MAX), all: Bool.or(false) });
const reference = textBytes(0, 48);

/** A member to be, or the keys that one would have from now on, signed by its voting key where it has one, its issuing and its governing key. */
export const Application = struct(
  {
    organisation: struct({
      id: U32, name: text(1, 64, /^[^]*$/), votingKey: option(PublicKey), issuingKey: PublicKey,
      governingKey: PublicKey, quota: U64,
    }),
    signatures: list(Signature, 2, 3),
  },
  ({ organisation: { id, votingKey, issuingKey, governingKey }, signatures }) => {
    if (id === 0) return "organisations are numbered from 1 on";
    if (new Set([votingKey, issuingKey, governingKey]).size < 3) return "a key stands in it twice";
    return signatures.length === (votingKey === null ? 2 : 3) ? null : "there is one signature for each key";
  });

/** What the members decide together. */
export const Decision = union({
  admit: Application, suspend: U32, release: U32, exit: U32, quota: struct({ organisation: U32, quota: U64 }),
  rules: U32, keys: Application,
});

/** Two votes of one validator that contradict each other; what they have in common is said once. */
export const Evidence = new Type(
  (e, v, f) => {
    if (typeof v !== "object" || v === null) throw invalid(f, "an object is wanted");
    onlyMembers(v, ["validator", "key", "epoch", "height", "round", "first", "second"], f);
    PublicKey.write(e, v.key, `${f}.key`);
    for (const name of ["first", "second"]) {
      const { header, time, signature, ...rest } = v[name] ?? {};
      onlyMembers(rest, [], `${f}.${name}`);
      const { epoch, height, round, validator } = v;
      Vote.write(e, { epoch, height, round, phase: 0, header, time, validator, signature }, `${f}.${name}`);
    }
    if (!(v.first.header < v.second.header)) {
      throw invalid(`${f}.second.header`, "the second header's digest is not greater than the first's");
    }
  },
  (d) => {
    const key = PublicKey.read(d);
    const [first, second] = [Vote.read(d), Vote.read(d)];
    for (const name of ["validator", "epoch", "height", "round"]) {
      if (first[name] !== second[name]) throw d.refusal("a value is outside its range: the votes do not contradict");
    }
    if (!(first.header < second.header)) throw d.refusal("a value is outside its range: the headers are out of order");
    const half = ({ header, time, signature }) => ({ header, time, signature });
    const { validator, epoch, height, round } = first;
    return { validator, key, epoch, height, round, first: half(first), second: half(second) };
  });

/** One thing to do, as `{"kind": …}`. The order is that of the variant numbers: append, never renumber. */
export const Operation = tagged("kind", {
  publish: struct({ program: Program, issuer: U32 }),
  open: struct({ organisation: U32, lines: list(OpenLineType, 1, LINES_MAX), all: Bool.or(false) }),
  "open-by-ticket": struct({ line: OpenLineType, ticket: TicketType }),
  claim: struct({ account: AccountId, credential: PublicKey }),
  "add-credential": struct({ account: AccountId, credential: Credential }),
  "rotate-credential": struct({ account: AccountId, old: PublicKey, new: PublicKey }),
  "revoke-credential": struct({ account: AccountId, key: PublicKey }),
  accrue: struct({ unit: UnitCode, lines: list(AccrualLine, 1, LINES_MAX), all: Bool.or(false) }),
  vest: totals,
  void: totals,
  "claw-back": totals,
  transfer: struct({ from: AccountId, to: AccountId, unit: UnitCode, amount: U64 }),
  redeem: struct({ account: AccountId, unit: UnitCode, amount: U64, reference: reference.or("") }),
  reserve: struct({
    account: AccountId, unit: UnitCode, amount: U64, organisation: U32,
    use: union({ redeem: reference, transfer: AccountId }), deadline: U64,
  }),
  commit: struct({ hold: Digest, amount: U64 }),
  release: struct({ hold: Digest }),
  freeze: struct({ account: AccountId }),
  unfreeze: struct({ account: AccountId }),
  propose: struct({ decision: Decision, by: U32 }),
  approve: struct({ proposal: Digest, by: U32 }),
  accuse: struct({ evidence: Evidence }),
});

const bodyMembers = {
  nonce: U64,
  validUntil: U64,
  signers: list(struct({ party: Party, key: PublicKey }), 1, 8),
  operations: list(Operation, 1, 16),
};
const partyHex = (party) => hex(Party.encode(party));

/** What the signers agree on: `{nonce, validUntil, signers, operations}`. The first signer is the sender. */
export const TransactionBody = new Type(
  (e, v, f) => {
    const known = Object.keys(bodyMembers);
    if (typeof v !== "object" || v === null) throw invalid(f, "an object is wanted");
    onlyMembers(v, known, f);
    for (const name of known) if (v[name] === undefined) throw invalid(`${f}.${name}`, "it is missing");
    if (!Array.isArray(v.signers) || v.signers.length === 0) throw invalid(`${f}.signers`, "1 to 8 values are wanted");
    Party.write(e, v.signers[0]?.party, `${f}.signers[0].party`);
    for (const name of known) bodyMembers[name].write(e, v[name], `${f}.${name}`);
    if (new Set(v.signers.map((signer) => partyHex(signer.party))).size < v.signers.length) {
      throw invalid(`${f}.signers`, "a party signs once");
    }
  },
  (d) => {
    const sender = partyHex(Party.read(d));
    const value = { nonce: U64.read(d), validUntil: U64.read(d), signers: bodyMembers.signers.read(d) };
    const parties = value.signers.map((signer) => partyHex(signer.party));
    if (parties[0] !== sender || new Set(parties).size < parties.length) {
      throw d.refusal("a value is outside its range: the signers");
    }
    value.operations = bodyMembers.operations.read(d);
    return value;
  });

export const ENVELOPE_BYTES_MAX = 960 * 1024;

/** A body with one signature a signer, in their order: `{nonce, …, signatures}`. */
export const Envelope = new Type(
  (e, v, f) => {
    const { signatures, ...body } = v ?? {};
    TransactionBody.write(e, body, f);
    if (!Array.isArray(signatures) || signatures.length !== body.signers.length) {
      throw invalid(`${f}.signatures`, "one signature a signer is wanted");
    }
    signatures.forEach((signature, i) => Signature.write(e, signature, `${f}.signatures[${i}]`));
  },
  (d) => {
    if (d.remaining > ENVELOPE_BYTES_MAX) throw d.refusal("a length is beyond its bound");
    const body = TransactionBody.read(d);
    return { ...body, signatures: body.signers.map(() => Signature.read(d)) };
  });

const TIME_MAX = 253_402_300_799_999n;
const DAY = 86_400_000n;

const Parameters = struct(
  {
    replayWindowMilliseconds: U64, openingsPerMinuteMax: U32, unitsPerOrganisationMax: U32,
    reservationMillisecondsMax: U64,
  },
  (v) => {
    const window = u64(v.replayWindowMilliseconds);
    if (window < 1000n || window > DAY || u64(v.reservationMillisecondsMax) > 366n * DAY) return "the parameters";
    return null;
  });

const GenesisOrganisation = struct(
  {
    id: between(U32, 1, 0xffffffff), name: text(1, 64, /^/), votingKey: option(PublicKey), issuingKey: PublicKey,
    governingKey: PublicKey, quota: U64,
  },
  (v) => {
    const keys = new Set([v.votingKey, v.issuingKey, v.governingKey]);
    return keys.size < 3 ? "two keys of an organisation are one" : null;
  });

/** What all members agreed on before the first block. */
export const Genesis = struct(
  {
    chain: text(1, 32, /^[\x21-\x7e]+$/), time: U64, rulesVersion: U32, orderingEpoch: hexBytes(16),
    parameters: Parameters, organisations: list(GenesisOrganisation, 1, 1000, (organisation) => organisation.id),
  },
  (v) => {
    if (u64(v.time) > TIME_MAX) return "the time is past the year 9999";
    const voting = v.organisations.map((organisation) => organisation.votingKey).filter((key) => key !== null);
    if (voting.length < 1 || voting.length > 100) return "1 to 100 organisations vote";
    return new Set(voting).size < voting.length ? "two organisations vote by one key" : null;
  });

/** Those who may vote at a height, ascending by `organisation`. */
export const ValidatorSet = list(struct({ organisation: U32, key: PublicKey }), 1, 100, (v) => v.organisation);

/** What validators sign of a block. */
export const Header = struct({
  height: U64, parent: Digest, entry: Digest, transactions: Digest, receipts: Digest, state: Digest,
  validators: Digest, nextValidators: Digest, rulesVersion: U32, time: U64, certificate: Digest,
});

const Phase = between(U8, 0, 0);

export const Vote = struct({
  epoch: U32, height: U64, round: U32, phase: Phase, header: Digest, time: U64, validator: U32, signature: Signature,
});

/** A quorum's votes for one header; signatures ascend by validator. */
export const Certificate = struct({
  epoch: U32, height: U64, round: U32, phase: Phase, header: Digest,
  signatures: list(struct({ validator: U32, time: U64, signature: Signature }), 1, 100, (part) => part.validator),
});

/**
 * The statements by which an epoch of the order begins, ascending by validator: how far each had come, and what it had
 * seen above its newest certificate.
 */
export const EpochChange = list(
  struct({
    number: U32, bytes: hexBytes(16), certificate: option(Certificate),
    entries: list(struct({ hash: Digest, vote: option(Vote) }), 0, 8), validator: U32, signature: Signature,
  }), 1, 100, (statement) => statement.validator);

/** A batch as it was ordered; `transactions` are envelopes in hexadecimal, `epoch` is an epoch change. */
export const Entry = struct({
  position: U64, previous: Digest, proposer: U32, certificate: option(Certificate), epoch: option(EpochChange),
  transactions: list(
    new Type(
      (e, v, f) => {
        const bytes = unhex(v, null, f);
        Envelope.decode(bytes);
        e.byteString(bytes);
      },
      (d) => {
        const bytes = d.byteString(ENVELOPE_BYTES_MAX);
        Envelope.decode(bytes);
        return hex(bytes);
      }),
    0, 8192),
  signature: Signature,
});

// MARK: Receipts

/** Result codes: number, stable name, sentence in English and in Chinese. The numbers are part of the format. */
export const results = Object.freeze([
  [0, "done", "Done.", "已完成。"],
  [1, "exists", "This was done before with the same content; nothing changed.", "此前已以相同内容完成，未作任何更改。"],
  [10, "signature-invalid", "A signature does not match the signed bytes. Sign the body again.", "签名与内容不符，请重新签名。"],
  [
    11, "expired", "The transaction's validUntil has passed. Build a new one with a later time.",
    "交易已过有效期，请重新生成并设置更晚的时间。",
  ],
  [12, "valid-until-too-far", "validUntil lies further ahead than this chain allows.", "有效期超出本链允许的范围。"],
  [13, "duplicate", "The same transaction was executed before; see its first receipt.", "相同交易已执行，请查看首次回执。"],
  [
    14, "nonce-used", "The sender used this nonce for another transaction. Choose a new nonce.",
    "该发送方已将此随机数用于另一笔交易，请更换。",
  ],
  [15, "signer-unknown", "A signer is no account or organisation of this chain.", "签名方不是本链的账户或机构。"],
  [
    16, "key-not-valid", "A key does not speak for its signer at this height: unknown, revoked or not yet valid.",
    "密钥在此高度不代表该签名方：未登记、已撤销或尚未生效。",
  ],
  [20, "signer-missing", "An operation lacks the signature of the party it needs.", "操作缺少所需一方的签名。"],
  [30, "amount-zero", "The amount is zero. Give at least 1.", "数量为零，至少为 1。"],
  [31, "amount-too-large", "The amount would overflow a total.", "数量过大，合计将溢出。"],
  [32, "unit-unknown", "No program with this unit code is published.", "没有发布过该积分种类。"],
  [33, "self-addressed", "Sender and receiver are the same account.", "转出与转入为同一账户。"],
  [34, "account-unknown", "There is no such account.", "账户不存在。"],
  [35, "account-unclaimed", "The account has not been claimed by its holder yet.", "账户尚未被持有人认领。"],
  [36, "account-frozen", "The account is frozen: it receives, and nothing leaves it.", "账户已冻结：可收入，不可支出。"],
  [
    37, "debt-outstanding", "Points are owed to the issuer after a return; they are repaid before any redemption.",
    "因退货尚欠发行方积分，须先抵还后方可兑换。",
  ],
  [38, "balance-insufficient", "Fewer points are available than asked for.", "可用积分不足。"],
  [39, "quota-exceeded", "The issuer's quota of outstanding points would be exceeded.", "超出发行方的流通额度。"],
  [40, "lots-too-many", "The receiver would hold too many different lots of this unit.", "接收方持有的该积分批次过多。"],
  [50, "exists-with-different-account", "This order line was credited to another account.", "该订单行已记入另一账户。"],
  [51, "exists-with-different-unit", "This order line was credited in another unit.", "该订单行已以另一积分种类记入。"],
  [52, "exists-with-different-amount", "This order line was credited with another amount.", "该订单行已以另一数量记入。"],
  [53, "accrual-unknown", "No accrual has this key.", "没有该键对应的发放记录。"],
  [54, "total-below-recorded", "The stated total is below the recorded one; totals only grow.", "所报累计值低于已记录值；累计值只增不减。"],
  [55, "total-above-amount", "The stated total is more than the accrual leaves room for.", "所报累计值超过该发放记录的余量。"],
  [
    56, "unit-foreign", "An unclaimed account receives only the units of the organisation that opened it.",
    "未认领账户只能接收开户机构自己的积分。",
  ],
  [70, "account-taken", "This account id is in use by another opener. Draw a new one.", "该账户编号已被其他开户方使用，请重新生成。"],
  [71, "openings-too-many", "The organisation has opened as many accounts as it may this minute.", "该机构本分钟开户数已达上限。"],
  [72, "ticket-invalid", "The ticket is not signed by that organisation's issuing key.", "开户凭据并非由该机构的发行密钥签署。"],
  [73, "ticket-expired", "The ticket's time has passed.", "开户凭据已过期。"],
  [74, "account-claimed", "The account has been claimed already.", "账户已被认领。"],
  [75, "credential-exists", "The key is a credential of this account already.", "该密钥已登记于此账户。"],
  [76, "credential-unknown", "The key is no valid credential of this account.", "该密钥不是此账户的有效凭证。"],
  [
    77, "credential-last", "It is the account's last valid key. Rotate it, or freeze the account.",
    "这是账户最后一把有效密钥，请更换密钥或冻结账户。",
  ],
  [78, "credentials-too-many", "The account has as many keys as it may.", "账户密钥数已达上限。"],
  [79, "heights-invalid", "The range of heights is empty or begins in the past.", "高度范围为空或始于过去。"],
  [
    80, "guardian-required", "The guardian froze this account; only the guardian may unfreeze it.",
    "账户由监护方冻结，只能由监护方解冻。",
  ],
  [90, "unit-taken", "Another organisation issues a unit of this code.", "该积分代码已由其他机构发行。"],
  [91, "program-field-fixed", "Decimals and currency of a unit never change.", "积分的小数位与币种不可更改。"],
  [92, "units-too-many", "The organisation has published as many units as it may.", "该机构发布的积分种类已达上限。"],
  [100, "organisation-unknown", "There is no such organisation.", "机构不存在。"],
  [101, "deadline-past", "The deadline is not after the block's time.", "期限不晚于区块时间。"],
  [102, "deadline-too-far", "The deadline lies further ahead than this chain allows.", "期限超出本链允许的范围。"],
  [103, "hold-unknown", "There is no such reservation: committed, released or never made.", "冻结不存在：已确认、已释放或从未建立。"],
  [104, "hold-overdue", "The reservation's deadline has passed.", "冻结已过期限。"],
  [
    110, "organisation-inactive",
    "The organisation is suspended or has left the consortium, which stands in the way of this.",
    "该机构已被暂停或已退出联盟，不能进行此操作。",
  ],
  [
    111, "organisation-not-suspended",
    "The organisation is not suspended, so there is nothing to release it from.",
    "该机构并未被暂停，无需恢复。",
  ],
  [
    112, "organisation-taken",
    "There is or was an organisation of this number. Apply under another.",
    "该机构编号已被使用，请换用其他编号。",
  ],
  [113, "key-taken", "An organisation votes or has voted by this key. Make a new one.", "该投票密钥正由或曾由某机构使用，请另行生成。"],
  [114, "organisations-too-many", "The chain has as many organisations as it may.", "联盟机构数量已达上限。"],
  [
    115, "validators-too-many",
    "As many organisations vote as may. Apply without a voting key.",
    "验证节点数量已达上限，可不带投票密钥申请。",
  ],
  [116, "voter-last", "Nobody would be left to vote, and the chain would stand still.", "将无任何机构参与投票，链会停止。"],
  [117, "rules-version-old", "That version of the rules, or a later one, is decided already.", "该规则版本或更新版本已获通过。"],
  [118, "proposal-unknown", "There is no such proposal: carried, lapsed or never made.", "提案不存在：已通过、已失效或从未提出。"],
  [
    119, "proposals-too-many",
    "The organisation has as many proposals open as it may. Wait for one to be carried or to lapse.",
    "该机构待决提案已达上限，请等待其通过或失效。",
  ],
  [120, "evidence-foreign", "The votes were not signed by that organisation's voting key.", "这些投票并非由该机构的投票密钥签署。"],
  [
    121, "organisation-field-fixed",
    "With its keys an organisation changes neither name nor quota, nor whether it votes.",
    "更换密钥时不得更改机构名称、额度或是否投票。",
  ],
  [122, "keys-unchanged", "The organisation has these keys already.", "该机构已在使用这些密钥。"],
  [123, "keys-too-many", "The organisation has had as many voting keys as it may.", "该机构更换投票密钥的次数已达上限。"],
]);

const resultNames = new Map(results.map(([code, name]) => [code, name]));
/** The stable name of a result; a code of a newer version shows its number. */
export const resultName = (code) => resultNames.get(code) ?? `code-${code}`;

/** What a person is told of a result, in `en` or `zh`; the name where this version does not know the code. */
export function resultText(code, language = "en") {
  const row = results.find(([number]) => number === code);
  return row ? row[language.startsWith("zh") ? 3 : 2] : resultName(code);
}

/** Members `result` and `code`, which are one number in bytes; either of them is enough to write it. */
function withResult(members, at) {
  const names = Object.keys(members);
  const some = (part) => Object.fromEntries(part.map((name) => [name, members[name]]));
  const inner = struct({ ...some(names.slice(0, at)), code: U16, ...some(names.slice(at)) });
  return new Type(
    (e, v, f) => {
      const { result, ...rest } = v ?? {};
      const code = rest.code ?? results.find(([, name]) => name === result)?.[0];
      if (code === undefined || (result !== undefined && resultName(code) !== result)) {
        throw invalid(`${f}.result`, "result and code are one known result");
      }
      inner.write(e, { ...rest, code }, f);
    },
    (d) => {
      const { code, ...rest } = inner.read(d);
      const [first, ...others] = Object.entries(rest);
      return Object.fromEntries([first, ["result", resultName(code)], ["code", code], ...others]);
    });
}

export const lotClasses = Object.freeze(["granted", "purchased", "swapped-in"]);
const Portion = struct({ expiry: End, restriction: U32, version: U32, class: named(lotClasses), amount: U64 });
const portions = list(Portion, 0, 2048);
const Place = struct({ height: U64, index: U32 });
const LineResult = withResult({ index: U16, first: option(Digest) }, 1);

const Outcome = tagged("outcome", {
  done: struct({}),
  exists: struct({}),
  lines: struct({ done: U16, exceptions: list(LineResult, 0, LINES_MAX) }),
  spent: struct({ portions }),
  held: struct({ hold: Digest, portions }),
  proposal: struct({ proposal: Digest, carried: Bool }),
});

/** What became of a transaction. */
export const Receipt = withResult(
  {
    transaction: Digest, operation: option(U8).omitted, line: option(U16).omitted, first: option(Place).omitted,
    outcomes: list(Outcome, 0, 16),
  },
  1);

// MARK: Ids and signed bytes

export const genesisHash = (bytes) => hex(digestUnder("genesis", bytes));
export const headerHash = (header) => hex(digestUnder("header", Header.encode(header)));
export const certificateHash = (certificate) => hex(digestUnder("certificate", Certificate.encode(certificate)));
export const validatorsHash = (set) => hex(digestUnder("validators", ValidatorSet.encode(set)));
export const transactionId = (bodyBytes) => hex(digestUnder("transaction-body", bodyBytes));
export const envelopeDigest = (bytes) => hex(digestUnder("envelope", bytes));
/** Hash of raw bytes at a position of the order, whatever they are. */
export const entryHash = (bytes) => hex(digestUnder("entry", bytes));
export const receiptLeaf = (receipt) => hex(digestUnder("receipt", Receipt.encode(receipt)));
export const naturalKeyDigest = (issuer, key) =>
  hex(digestUnder("natural-key", U32.encode(issuer), NaturalKey.encode(key)));

const digestBytes = (text, field) => unhex(text, 32, field);

/** What each signer of a transaction signs. */
export const transactionSignedBytes = (genesis, bodyBytes) =>
  concat(domainTag("transaction-signature"), digestBytes(genesis, "genesis"), bodyBytes);

/** What an organisation signs of a ticket. */
export const ticketSignedBytes = (genesis, organisation, line, validUntil) =>
  concat(domainTag("ticket"), digestBytes(genesis, "genesis"), U32.encode(organisation), OpenLine.encode(line),
    U64.encode(validUntil));

/** What a proposer signs of an entry; `bytes` are those of the entry without the signature. */
export const entrySignedBytes = (genesis, bytes) =>
  concat(domainTag("entry-signature"), digestBytes(genesis, "genesis"), digestUnder("entry", bytes));

/** What a validator signs of a header. */
export const voteSignedBytes = (genesis, vote) =>
  concat(domainTag("vote"), digestBytes(genesis, "genesis"), U32.encode(vote.epoch), U64.encode(vote.height),
    U32.encode(vote.round), Phase.encode(vote.phase), Digest.encode(vote.header), U64.encode(vote.time));

/** What a node's challenge for a party and its key begins with; a time, 16 random bytes and the node's tag follow. */
export function challengePrefix(genesis, validator, principal, publicKey) {
  const encoder = new Encoder();
  encoder.bool(false);
  encoder.fixed(digestBytes(genesis, "genesis"));
  encoder.u32(validator);
  const [kind, who] = Object.entries(principal)[0];
  encoder.length(["account", "organisation", "validator", "observer"].indexOf(kind));
  if (kind === "account") encoder.fixed(accountBytes(who, "principal.account"));
  else if (kind === "observer") encoder.fixed(unhex(who, 33, "principal.observer"));
  else encoder.u32(who);
  encoder.fixed(unhex(publicKey, 33, "key"));
  return encoder.bytes;
}

const challengeRestCount = 8 + 16 + 32;

/** What the holder of a key signs to get a token. */
export const sessionSignedBytes = (genesis, challenge) =>
  concat(domainTag("session"), digestBytes(genesis, "genesis"), challenge);

// MARK: Ed25519

const ED25519 = { name: "Ed25519" };
const PKCS8 = unhex("302e020100300506032b657004220420");
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const PRIME = 2n ** 255n - 19n;

function subtle() {
  const found = platform.subtle;
  if (!found) {
    throw new LianfenError("crypto-unavailable",
      "signatures need WebCrypto, which a browser offers only to pages that come over TLS or from this machine");
  }
  return found;
}

/** y of the points whose order divides 8, in every form below 2^255 that some decoder takes for one of them. */
const SMALL_ORDER = new Set([
  0n, 1n, PRIME - 1n, PRIME, PRIME + 1n,
  2707385501144840649318225287225658788936804267575313519463743609750303402022n,
  55188659117513257062467267217118295137698188065244968500265048394206261417927n,
].map(String));

/**
 * Whether 32 bytes may stand for a point: its y below the prime, and its order not a divisor of 8.
 *
 * libsodium, by which the ledger checks, refuses both of a key; it refuses a signature's R of small order, and compares
 * R's bytes with those it computes, so that no other form of R passes. WebCrypto leaves that to the browser: Node's
 * OpenSSL and Chromium's BoringSSL take keys of small order, with which one signature fits every message. So it is
 * asked only about what passes here. What then remains, S below the order, all of them check, and so does this module.
 * All of them use the equation without the cofactor, as libsodium does; were one to multiply by it, it would take some
 * signatures by keys that are no honest key's (a point with a part of small order), and no others.
 */
function mayBePoint(bytes) {
  const y = littleEndian(bytes) & (2n ** 255n - 1n);
  return y < PRIME && !SMALL_ORDER.has(String(y));
}

/** Whether `signature` (130 digits) is the key's (66 digits) of `message`. */
export async function verifySignature(key, signature, message) {
  const keyBytes = PublicKey.encode(key).slice(1);
  const bytes = Signature.encode(signature).slice(1);
  if (littleEndian(bytes.subarray(32)) >= ORDER) return false;
  if (!mayBePoint(keyBytes) || !mayBePoint(bytes.subarray(0, 32))) return false;
  let imported;
  try {
    imported = await subtle().importKey("raw", keyBytes, ED25519, false, ["verify"]);
  } catch (error) {
    if (error instanceof LianfenError) throw error;
    if (error?.name === "NotSupportedError") {
      throw new LianfenError("crypto-unavailable", "this browser knows no Ed25519", { cause: error });
    }
    return false;
  }
  return subtle().verify(ED25519, imported, bytes, message);
}

/** A secret key. WebCrypto does not give it out: whoever breaks into a page may use it there, and not take it away. */
export class SecretKey {
  #private;
  #public;

  constructor(privateKey, publicKey) {
    if (privateKey.extractable) throw invalid("$", "the secret key could be taken out");
    this.#private = privateKey;
    this.#public = PublicKey.decode(PublicKey.encode(publicKey));
    Object.freeze(this);
  }

  /** A new key of the system's random source. */
  static async generate() {
    const pair = await subtle().generateKey(ED25519, false, ["sign", "verify"]);
    const raw = new Uint8Array(await subtle().exportKey("raw", pair.publicKey));
    return new SecretKey(pair.privateKey, `01${hex(raw)}`);
  }

  /** The key that a seed of 32 bytes stands for. The caller's copy of the seed stays the caller's to wipe. */
  static async fromSeed(seed) {
    if (!(seed instanceof Uint8Array) || seed.length !== 32) throw invalid("$", "a seed has 32 bytes");
    const wrapped = concat(PKCS8, seed);
    try {
      // The public half can be had only from a key that may be taken out; this one does not outlive the function.
      const open = await subtle().importKey("pkcs8", wrapped, ED25519, true, ["sign"]);
      const { x } = await subtle().exportKey("jwk", open);
      const raw = Uint8Array.from(atob(x.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
      const closed = await subtle().importKey("pkcs8", wrapped, ED25519, false, ["sign"]);
      return new SecretKey(closed, `01${hex(raw)}`);
    } finally {
      wrapped.fill(0);
    }
  }

  /** 66 hexadecimal digits. */
  get publicKey() { return this.#public; }

  /** What a page may put into IndexedDB, and give to the constructor later. */
  get stored() { return { privateKey: this.#private, publicKey: this.#public }; }

  /** A signature of bytes, 130 hexadecimal digits. */
  async sign(message) {
    return `01${hex(new Uint8Array(await subtle().sign(ED25519, this.#private, message)))}`;
  }
}

// MARK: Trees

/** Root of a list's tree, in the shape of RFC 6962; zero of the empty list. Digests are hexadecimal. */
export function merkleRoot(leaves) {
  let level = leaves.map((leaf) => digestBytes(leaf));
  while (level.length > 1) {
    const above = [];
    for (let i = 0; i < level.length; i += 2) {
      above.push(i + 1 < level.length ? pairDigest(1, level[i], level[i + 1]) : level[i]);
    }
    level = above;
  }
  return hex(level[0] ?? ZERO);
}

const counted = (root, count) =>
  (BigInt(count) === 0n ? hex(ZERO) : hex(digestUnder("list", U64.encode(BigInt(count)), digestBytes(root))));

/** The root of a block's list, over its length and its tree's root. */
export const countedRoot = (leaves) => counted(merkleRoot(leaves), leaves.length);

/** From the leaf upwards, whether there is a sibling at a level, and on which side: "left", "right" or null. */
function merkleTurns(index, count) {
  const turns = [];
  let position = index;
  for (let last = count - 1n; last > 0n; last /= 2n) {
    turns.push(position % 2n === 1n ? "left" : position < last ? "right" : null);
    position /= 2n;
  }
  return turns.filter((turn) => turn !== null);
}

const merklePathFits = (path) => {
  const [index, count] = [u64(path.index), u64(path.count)];
  return index < count && count < 2n ** 63n && merkleTurns(index, count).length === path.siblings.length;
};

/** What leads from a leaf to the root of a list: `{index, count, siblings}`. */
export const MerklePath = struct(
  { index: U64, count: U64, siblings: list(Digest, 0, 64) },
  (v) => (merklePathFits(v) ? null : "index, count and siblings do not fit together"));

/** The root that a path gives a leaf, or null where it is no path. */
export function merklePathRoot(path, leaf) {
  if (!merklePathFits(path)) return null;
  let digest = digestBytes(leaf);
  merkleTurns(u64(path.index), u64(path.count)).forEach((turn, i) => {
    const sibling = digestBytes(path.siblings[i]);
    digest = turn === "left" ? pairDigest(1, sibling, digest) : pairDigest(1, digest, sibling);
  });
  return hex(digest);
}

export function merklePathCountedRoot(path, leaf) {
  const root = merklePathRoot(path, leaf);
  return root === null ? null : counted(root, u64(path.count));
}

/** Root of the state tree of `[key, value]` pairs of digests, whose keys differ. */
export function stateTreeRoot(pairs) {
  const grow = (part, depth) => {
    if (part.length === 0) return ZERO;
    if (part.length === 1) return pairDigest(0, part[0][0], part[0][1]);
    if (depth === 256) throw invalid("$", "a key stands there twice");
    const side = (bit) => part.filter(([key]) => bitOf(key, depth) === bit);
    return pairDigest(1, grow(side(0), depth + 1), grow(side(1), depth + 1));
  };
  return hex(grow(pairs.map(([key, value]) => [digestBytes(key), digestBytes(value)]), 0));
}

const ZERO_HEX = hex(ZERO);

/**
 * What shows a key's value under a state root, or that the key is not there: `{end, siblings}`. `end` is `"own"`,
 * `"empty"`, or another leaf `{key, value}`; a sibling for each depth from the root down, an empty one is zero.
 */
export const StateProof = new Type(
  (e, v, f) => {
    if (v.end === "own" || v.end === "empty") {
      e.length(v.end === "own" ? 0 : 1);
    } else {
      e.length(2);
      Digest.write(e, v.end?.key, `${f}.end.key`);
      Digest.write(e, v.end?.value, `${f}.end.value`);
    }
    const { siblings } = v;
    if (siblings.length > 256 || siblings.at(-1) === ZERO_HEX) throw invalid(`${f}.siblings`, "they are no path");
    e.length(siblings.length);
    const bitmap = new Uint8Array(Math.ceil(siblings.length / 8));
    siblings.forEach((sibling, depth) => { if (sibling !== ZERO_HEX) bitmap[depth >> 3] |= 0x80 >> (depth & 7); });
    e.fixed(bitmap);
    siblings.forEach((sibling, i) => { if (sibling !== ZERO_HEX) Digest.write(e, sibling, `${f}.siblings[${i}]`); });
  },
  (d) => {
    const variant = d.variant(3);
    const end = variant === 0 ? "own" : variant === 1 ? "empty" : { key: Digest.read(d), value: Digest.read(d) };
    const depths = d.length(256);
    const bitmap = d.fixed(Math.ceil(depths / 8));
    const siblings = [];
    for (let depth = 0; depth < 8 * bitmap.length; depth += 1) {
      const isSet = bitOf(bitmap, depth) === 1;
      // Nothing beyond the depth, and something at the deepest.
      if (isSet ? depth >= depths : depth === depths - 1) throw d.refusal("a value is outside its range");
      if (depth >= depths) continue;
      const sibling = isSet ? Digest.read(d) : ZERO_HEX;
      if (isSet && sibling === ZERO_HEX) throw d.refusal("a value is outside its range");
      siblings.push(sibling);
    }
    return { end, siblings };
  });

/** Whether a proof shows that under `root` the key stands for `value`, or with null, that it is not there. */
export function stateProofHolds(proof, key, value, root) {
  if (proof.siblings.length > 256) return false;
  const name = digestBytes(key);
  let digest;
  if (proof.end === "own") {
    if (value === null) return false;
    digest = pairDigest(0, name, digestBytes(value));
  } else if (value !== null) {
    return false;
  } else if (proof.end === "empty") {
    digest = ZERO;
  } else {
    const other = digestBytes(proof.end.key);
    if (sameBytes(other, name)) return false;
    for (let i = 0; i < proof.siblings.length; i += 1) if (bitOf(other, i) !== bitOf(name, i)) return false;
    digest = pairDigest(0, other, digestBytes(proof.end.value));
  }
  for (let depth = proof.siblings.length - 1; depth >= 0; depth -= 1) {
    const sibling = digestBytes(proof.siblings[depth]);
    digest = bitOf(name, depth) ? pairDigest(1, sibling, digest) : pairDigest(1, digest, sibling);
  }
  return hex(digest) === root;
}

/** The tables' names and roots, ascending by name; their digest is the state root. */
export const SubRoots = list(
  struct({ name: text(0, 32, /^[\x00-\x7f]*$/), root: Digest }), 0, 64, (table) => table.name);

export const stateRoot = (subRoots) => hex(digestUnder("state-root", SubRoots.encode(subRoots)));

/** What a holding's leaf is the digest of: its totals and the digest of its lots. */
export const HoldingSummary = struct({ available: U64, held: U64, pending: U64, debt: U64, lots: Digest });

export const holdingLeafKey = (account, unit) => {
  if (!UNIT.test(unit)) throw invalid("$.unit", "a unit is 1 to 16 of A–Z 0–9 - _, a letter first");
  return hex(digestUnder("leaf", accountBytes(account, "$.account"), unitPadded(unit)));
};
export const holdingLeafValue = (summary) => hex(digestUnder("row", HoldingSummary.encode(summary)));

// MARK: Certificates

/** Byzantine validators that `count` of them tolerate, and distinct signers that make a certificate. */
export function quorumOf(count) {
  const faulty = Math.floor((count - 1) / 3);
  return { faulty, quorum: Math.floor((count + faulty + 2) / 2) };
}

/** Lower median of a certificate's signed times: what block time goes by. Digits. */
export function medianTime(certificate) {
  const times = certificate.signatures.map((part) => u64(part.time)).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return String(times[Math.floor((times.length - 1) / 2)] ?? 0n);
}

/** A block's time: the certificate's median, no later than the year 9999, and always past the parent's. Digits. */
export function blockTime(parent, certificate) {
  const median = certificate ? u64(medianTime(certificate)) : 0n;
  const bounded = median < TIME_MAX ? median : TIME_MAX;
  const least = u64(parent) + 1n;
  return String(least > bounded ? least : bounded);
}

const certificateRefusals = {
  signerTwice: "a signer stands in it twice, or signers are not in order",
  signerUnknown: "a signer is no validator of that height",
  signatureInvalid: "a signature does not match",
  quorumMissed: "fewer validators signed than a quorum",
};

const certificateRefusal = (refusal) =>
  new LianfenError("certificate-invalid", `the certificate does not hold: ${certificateRefusals[refusal]}`,
    { refusal });

/**
 * Checks that a quorum of distinct validators of the set signed, and that every signature in it is good.
 * Throws a {@link LianfenError} `certificate-invalid` with `refusal`.
 * @param onSignature called with each validator's number and key once its signature has been found good
 */
export async function verifyCertificate(genesis, set, certificate, onSignature = null) {
  const { signatures } = certificate;
  for (let i = 1; i < signatures.length; i += 1) {
    if (!(signatures[i - 1].validator < signatures[i].validator)) throw certificateRefusal("signerTwice");
  }
  if (signatures.length < quorumOf(set.length).quorum) throw certificateRefusal("quorumMissed");
  for (const part of signatures) {
    const validator = set.find((member) => member.organisation === part.validator);
    if (!validator) throw certificateRefusal("signerUnknown");
    const message = voteSignedBytes(genesis, { ...certificate, time: part.time });
    if (!(await verifySignature(validator.key, part.signature, message))) throw certificateRefusal("signatureInvalid");
    onSignature?.(validator);
  }
}

// MARK: Light client

/** Headers of one step: a quorum votes on no more heights than these beyond the newest certified one. */
export const STEP_HEADERS_MAX = 8;
/** Steps of one answer or file. */
export const STEPS_MAX = 4096;
/** Sets that a light client remembers. */
export const SETS_MAX = 1024;
/** A certified head older than this is stale, in milliseconds. */
export const STALE_MILLISECONDS = 30_000n;

/**
 * A header for a {@link LightClient}, with what makes it final: headers, each the parent of the next, up to the
 * certified one; the certificate; and who votes after it, where it announces others (else null).
 */
export const LightStep = struct({
  headers: list(Header, 1, STEP_HEADERS_MAX), certificate: Certificate, set: option(ValidatorSet),
});

export const LightSteps = list(LightStep, 0, STEPS_MAX);

const lightFaults = {
  checkpointForeign: "the header is not the checkpoint's",
  headerCount: "there are no headers, or more than one certificate makes final",
  heightNotAbove: "the header does not lie above what is trusted",
  heightTooOld: "the height lies below those whose validators are known",
  headersBroken: "the headers are not a chain, each the parent of the next",
  certificateForeign: "the certificate is of another header or height",
  parentForeign: "the header after the trusted one has another parent",
  timeBack: "block time does not rise with the height",
  epochBack: "the certificate is of an older ordering epoch than the trusted one",
  changeUnseen: "the header names other validators: a change in between has not been shown",
  validatorsForeign: "the header names other validators than those who vote at its height",
  changeUncertified: "a header announces other validators and is not certified itself",
  setMissing: "the header announces other validators, and they are not shown",
  setForeign: "the validators shown are not those that the header announces",
};

const lightFault = (refusal) => new LianfenError("step-invalid", lightFaults[refusal], { refusal });

/**
 * Who may vote at each height, as far as one knows it who trusts a genesis or a checkpoint and no node.
 *
 * It goes from change to change: a set that comes is announced in a header, and a quorum of the set that goes has signed
 * that header. Where a step is refused, nothing has changed.
 *
 * Between two headers of one set it may skip any number of heights. It then knows that a quorum of that set signed the
 * later one; it cannot know that the set was not replaced in between, and that its old members do not sign a fork
 * together. What helps is time: a header that is not stale by one's own clock (`isStale(now)`) is at least no old one
 * that is shown again while changes are withheld. Against former members who make up times as well, only this helps:
 * follow each change while its keys are in use, or begin at a checkpoint that is recent and from somebody trusted.
 *
 * Calls of `advance` are made one after the other.
 */
export class LightClient {
  #sets;

  /**
   * Begins at a {@link Chain}'s genesis, or at a checkpoint.
   * @param start `{height, hash, header, validators}`: what is trusted, its header, and who votes after it
   */
  constructor(chain, start = null) {
    /** The genesis hash. */
    this.genesis = chain.hash;
    if (start === null) {
      /** The newest header that was proved: `{height, hash, time, epoch}`. */
      this.trusted = Object.freeze({ height: "0", hash: null, time: chain.genesis.time, epoch: 0 });
      this.#sets = [{ first: 0n, set: chain.validators, hash: chain.validatorsHash }];
      return;
    }
    const { height, hash, header, validators } = start;
    if (header.height !== height || headerHash(header) !== hash) throw lightFault("checkpointForeign");
    if (validatorsHash(validators) !== header.nextValidators) throw lightFault("setForeign");
    this.trusted = Object.freeze({ height, hash, time: header.time, epoch: 0 });
    const first = u64(height) + (header.validators === header.nextValidators ? 0n : 1n);
    this.#sets = [{ first, set: validators, hash: header.nextValidators }];
  }

  /** Those who vote on the height after the trusted one. */
  get validators() { return this.#sets.at(-1).set; }

  #governing(height) { return this.#sets.findLast(({ first }) => first <= height) ?? null; }

  /** Those who vote on a height, or null; above the trusted one that is an assumption. */
  validatorsAt(height) { return this.#governing(u64(height))?.set ?? null; }

  /** Whether the newest header is too old, by a clock in milliseconds, to tell who votes now. */
  isStale(now) { return BigInt(now) - u64(this.trusted.time) > STALE_MILLISECONDS; }

  /** Takes up a header above the trusted one, and the set that it announces. Throws `step-invalid` with `refusal`. */
  async advance({ headers, certificate, set }) {
    if (headers.length < 1 || headers.length > STEP_HEADERS_MAX) throw lightFault("headerCount");
    const last = headers.at(-1);
    const trusted = { height: u64(this.trusted.height), time: u64(this.trusted.time) };
    if (u64(headers[0].height) <= trusted.height) throw lightFault("heightNotAbove");
    LightClient.#checkLinks(headers, certificate);
    if (u64(headers[0].height) === trusted.height + 1n && this.trusted.hash !== null
      && headers[0].parent !== this.trusted.hash) throw lightFault("parentForeign");
    let before = trusted;
    for (const header of headers) {
      const next = { height: u64(header.height), time: u64(header.time) };
      if (next.time <= before.time || next.time - before.time < next.height - before.height) {
        throw lightFault("timeBack");
      }
      before = next;
    }
    if (certificate.epoch < this.trusted.epoch) throw lightFault("epochBack");
    this.#checkSets(headers);
    const announces = last.nextValidators !== this.#sets.at(-1).hash;
    if (set !== null) {
      if (validatorsHash(set) !== last.nextValidators) throw lightFault("setForeign");
    } else if (announces) {
      throw lightFault("setMissing");
    }
    await this.#check(certificate);

    this.trusted = Object.freeze(
      { height: last.height, hash: headerHash(last), time: last.time, epoch: certificate.epoch });
    if (announces) this.#sets.push({ first: u64(last.height) + 1n, set, hash: last.nextValidators });
    if (this.#sets.length > SETS_MAX) this.#sets.shift();
  }

  /**
   * Checks that headers are a chain up to the one that the certificate certifies, at heights whose sets are known.
   * @param onSignature called with each validator once its signature has been found good
   */
  async verify(headers, certificate, onSignature = null) {
    if (headers.length < 1) throw lightFault("headerCount");
    LightClient.#checkLinks(headers, certificate);
    this.#checkSets(headers);
    await this.#check(certificate, onSignature);
  }

  static #checkLinks(headers, certificate) {
    const hashes = headers.map(headerHash);
    for (let i = 1; i < headers.length; i += 1) {
      if (u64(headers[i].height) !== u64(headers[i - 1].height) + 1n || headers[i].parent !== hashes[i - 1]) {
        throw lightFault("headersBroken");
      }
    }
    if (headers.at(-1).height !== certificate.height || hashes.at(-1) !== certificate.header) {
      throw lightFault("certificateForeign");
    }
  }

  #checkSets(headers) {
    const newest = u64(this.trusted.height);
    headers.forEach((header, index) => {
      const height = u64(header.height);
      const governing = this.#governing(height);
      if (!governing) throw lightFault("heightTooOld");
      if (header.validators !== governing.hash) {
        throw lightFault(height > newest + 1n ? "changeUnseen" : "validatorsForeign");
      }
      // A change is certified by the set that goes, and so at its own height: what comes has signed nothing yet.
      const unknown = height > newest;
      if (unknown && index === headers.length - 1) return;
      if (header.nextValidators !== this.#governing(height + 1n).hash) {
        throw lightFault(unknown ? "changeUncertified" : "validatorsForeign");
      }
    });
  }

  async #check(certificate, onSignature = null) {
    const set = this.validatorsAt(certificate.height);
    if (!set) throw lightFault("heightTooOld");
    await verifyCertificate(this.genesis, set, certificate, onSignature);
  }
}

// MARK: Proofs

const MAGIC = concat(ascii("LFPROOF"), [1]);
export const PROOF_BYTES_MAX = 4 << 20;
export const HEADERS_MAX = 1024;

const Subject = union({
  balance: struct({
    account: AccountId, unit: UnitCode, summary: option(HoldingSummary), roots: SubRoots, path: StateProof,
  }),
  receipt: struct({ receipt: Receipt, path: MerklePath }),
});
const proofContent = struct({
  genesis: Digest, subject: Subject, headers: list(Header, 1, HEADERS_MAX), certificate: Certificate,
});

/**
 * A statement that anyone can check against the genesis: a balance at a height, or what became of a transaction.
 * Ends with a digest of all before it, so that no altered proof is as good a proof of something else.
 */
export const Proof = new Type(
  (e, v, f) => {
    const bytes = concat(MAGIC, proofContent.encode(v, f));
    e.fixed(bytes);
    e.fixed(digestUnder("proof", bytes));
  },
  (d) => {
    const start = d.offset;
    if (!sameBytes(d.fixed(MAGIC.length), MAGIC)) throw d.refusal("a value is outside its range: this is no proof");
    const value = proofContent.read(d);
    const digest = digestUnder("proof", d.bytes(start));
    if (!sameBytes(d.fixed(32), digest)) throw d.refusal("a value is outside its range: the closing digest");
    return value;
  });

const proofRefusals = {
  genesis: "the proof belongs to a chain with another genesis",
  headers: "the headers are not a chain up to the certified one",
  validators: "a header names validators other than those that are known to vote at its height",
  state: "the tables' roots do not give the header's state root",
  path: "the path does not lead from the statement to the header's root",
};

const proofRefusal = (refusal) => new LianfenError("proof-invalid", proofRefusals[refusal], { refusal });

/** A chain as its genesis names it: what everything else is checked against. */
export class Chain {
  /** @param bytes the genesis file; @param pinned the hash that it must have, where one is known */
  constructor(bytes, pinned = null) {
    this.bytes = Uint8Array.from(bytes);
    /** The genesis hash, 64 digits: the name of the chain. */
    this.hash = genesisHash(this.bytes);
    if (pinned !== null && pinned !== this.hash) {
      throw new LianfenError("genesis-mismatch", `the genesis is ${this.hash}, not the pinned ${pinned}`);
    }
    this.genesis = Genesis.decode(this.bytes);
    this.validators = this.genesis.organisations.filter((organisation) => organisation.votingKey !== null)
      .map((organisation) => ({ organisation: organisation.id, key: organisation.votingKey }));
    this.validatorsHash = validatorsHash(this.validators);
    Object.assign(this, quorumOf(this.validators.length));
    Object.freeze(this);
  }

  /** Signs a body with one key a signer, in the signers' order. Gives `{body, signatures, id, bytes}`. */
  async sign(body, keys) {
    const bodyBytes = TransactionBody.encode(body);
    const { signers } = body;
    if (keys.length !== signers.length || keys.some((key, i) => key.publicKey !== signers[i].key)) {
      throw invalid("$.signers", "one key a signer is wanted, in the signers' order");
    }
    const message = transactionSignedBytes(this.hash, bodyBytes);
    const signatures = await Promise.all(keys.map((key) => key.sign(message)));
    const bytes = Envelope.encode({ ...body, signatures });
    if (bytes.length > ENVELOPE_BYTES_MAX) throw invalid("$", "a transaction has at most 960 KiB");
    return { body: TransactionBody.decode(bodyBytes), signatures, id: transactionId(bodyBytes), bytes };
  }

  /** Signs a ticket by which an account may be opened. */
  async signTicket(organisation, line, validUntil, key) {
    const signature = await key.sign(ticketSignedBytes(this.hash, organisation, line, validUntil));
    return { organisation, validUntil: String(u64(validUntil)), key: key.publicKey, signature };
  }

  /** Whether every signature of an envelope matches, those of tickets included. */
  async envelopeVerifies(bytes) {
    const envelope = Envelope.decode(bytes);
    const { signatures, ...body } = envelope;
    const message = transactionSignedBytes(this.hash, TransactionBody.encode(body));
    for (const [i, signer] of body.signers.entries()) {
      if (!(await verifySignature(signer.key, signatures[i], message))) return false;
    }
    for (const { kind, line, ticket } of body.operations) {
      if (kind !== "open-by-ticket") continue;
      const said = ticketSignedBytes(this.hash, ticket.organisation, line, ticket.validUntil);
      if (!(await verifySignature(ticket.key, ticket.signature, said))) return false;
    }
    return true;
  }

  async verifyVote(vote) {
    const validator = this.validators.find((member) => member.organisation === vote.validator);
    return validator !== undefined && verifySignature(validator.key, vote.signature, voteSignedBytes(this.hash, vote));
  }

  /** Throws `certificate-invalid` where a certificate proves nothing. */
  verifyCertificate(certificate, onSignature = null) {
    return verifyCertificate(this.hash, this.validators, certificate, onSignature);
  }

  /**
   * Checks that headers are a chain, each the parent of the next, up to the one that the certificate certifies, and the
   * certificate. Throws `proof-invalid` or `certificate-invalid`.
   * @param client knows who votes at their heights; by default those whom the genesis names
   */
  async verifyHeaders(headers, certificate, { client = new LightClient(this), onSignature = null } = {}) {
    try {
      await client.verify(headers, certificate, onSignature);
    } catch (error) {
      if (error.code !== "step-invalid") throw error;
      const isChain = !["headerCount", "headersBroken", "certificateForeign"].includes(error.refusal);
      throw proofRefusal(isChain ? "validators" : "headers");
    }
  }

  /**
   * Checks a proof's bytes, from the statement up to the signatures of the quorum, and says what it proves.
   * Throws `bytes-invalid`, `proof-invalid` or `certificate-invalid`.
   * @param client knows who votes at its height; by default those whom the genesis names
   */
  async verifyProof(bytes, client = new LightClient(this)) {
    if (bytes.length > PROOF_BYTES_MAX) throw noncanonical("a length is beyond its bound", 0);
    const proof = Proof.decode(bytes);
    if (proof.genesis !== this.hash) throw proofRefusal("genesis");
    await this.verifyHeaders(proof.headers, proof.certificate, { client });
    const voting = client.validatorsAt(proof.certificate.height);
    const [header] = proof.headers;
    const { balance, receipt } = proof.subject;
    if (balance) {
      if (stateRoot(balance.roots) !== header.state) throw proofRefusal("state");
      const value = balance.summary === null ? null : holdingLeafValue(balance.summary);
      const root = balance.roots.find((table) => table.name === "holdings")?.root ?? ZERO_HEX;
      const key = holdingLeafKey(balance.account, balance.unit);
      if (!stateProofHolds(balance.path, key, value, root)) throw proofRefusal("path");
    } else if (merklePathCountedRoot(receipt.path, receiptLeaf(receipt.receipt)) !== header.receipts) {
      throw proofRefusal("path");
    }
    return {
      subject: proof.subject,
      height: header.height,
      time: header.time,
      stateRoot: header.state,
      signers: proof.certificate.signatures.map((part) => part.validator),
      validators: voting.length,
      quorum: quorumOf(voting.length).quorum,
    };
  }
}

/** A random nonce, as digits. */
export const randomNonce = () => String(littleEndian(platform.getRandomValues(new Uint8Array(8))));

// MARK: Client

const ANSWER_BYTES_MAX = 8 << 20;
const EVENT_BYTES_MAX = 8 << 20;
const RETRY_AFTER_MAX = 60_000;
/** Pages of changes that a node is asked for at once. */
const CHANGE_PAGES_MAX = 1024;

/** JSON whose every number is a whole one that a Number holds; the interface writes larger ones as strings. */
function strictJSON(bytes) {
  try {
    return JSON.parse(utf8Decoder.decode(bytes), (_, value) => {
      if (typeof value === "number" && !Number.isSafeInteger(value)) throw new RangeError("a number has lost digits");
      return value;
    });
  } catch (error) {
    throw new LianfenError("answer-malformed", `the answer is no JSON of this interface: ${error.message}`,
      { cause: error });
  }
}

/** Milliseconds of a Retry-After header, in seconds or as a date; null where there is none. */
function retryAfter(header, now) {
  if (header === null) return null;
  const seconds = /^\d{1,9}$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isNaN(seconds) ? null : Math.max(0, seconds);
}

/**
 * Speaks with a node, or with several of one chain. Nothing that a node says is believed further than it is checked:
 * proofs and certificates are verified against the pinned genesis, and what is signed is made here.
 *
 * Of several nodes it asks one, and stays with it while it works; where that one cannot be reached or answers that it
 * cannot do it now, the next one gets the same request at once. Only when all have failed is there a wait.
 *
 * Every request that is sent again is the same bytes again: a transaction takes effect once, however often it arrives.
 * Requests are made at most `attemptsMax` times of each node, with waits that double from `backoff` to `backoffMax` milliseconds, of
 * which a random half to whole is taken; a Retry-After counts instead where it is longer, up to a minute.
 */
export class LianfenClient {
  #bases;
  #at = 0;
  #pinned;
  #fetch;
  #sleep;
  #random;
  #now;
  #limits;
  #chain = null;
  #session = null;
  #newest = 0n;
  #light = null;
  #following = null;

  /**
   * @param base the node's address, such as `https://node.example`, or those of several nodes, the first to be asked
   *   first
   * @param options `genesis`: the hash that the chain's genesis must have (64 digits); without it the first one seen
   *   is taken, and the caller keeps it (`await client.chain()`). `attemptsMax` 5, `backoff` 200, `backoffMax` 10,000,
   *   `timeout` 40,000, `silence` 45,000 (an event stream that is still for so long is lost), all in milliseconds.
   *   `fetch`, `sleep`, `random` and `now` stand in for the surroundings in tests.
   */
  constructor(base, { genesis = null, attemptsMax = 5, backoff = 200, backoffMax = 10_000, timeout = 40_000,
    silence = 45_000, fetch = globalThis.fetch.bind(globalThis), random = Math.random, now = Date.now,
    sleep = pause } = {}) {
    if (genesis !== null) unhex(genesis, 32, "genesis");
    this.#bases = [base].flat().map((one) => String(one).replace(/\/+$/, ""));
    if (this.#bases.length === 0) throw invalid("base", "there is no node to speak with");
    this.#pinned = genesis;
    this.#fetch = fetch;
    this.#sleep = sleep;
    this.#random = random;
    this.#now = now;
    this.#limits = { attemptsMax, backoff, backoffMax, timeout, silence };
  }

  /** The newest height that a verified answer stood at; an older answer than asked for is refused by `notBefore`. */
  get newestVerified() { return this.#newest.toString(); }

  // MARK: Requests

  /** The address of the node that is asked now. */
  get node() { return this.#bases[this.#at]; }

  /** Turns from a node to the next one, unless another request has done so already. */
  #leave(at) { if (this.#at === at) this.#at = (at + 1) % this.#bases.length; }

  /**
   * One request, made again while it may help. Gives `{status, headers, bytes}`.
   * @param options `only`: the index of the one node that is meant
   */
  async #request(method, path, { body = null, type = null, accept = "application/json", headers = {}, signal = null,
    attemptsMax = this.#limits.attemptsMax, session = false, only = null } = {}) {
    for (let attempt = 1, failures = 0, renewed = false; ;) {
      const at = only ?? this.#at;
      try {
        const sent = { accept, ...headers };
        if (type) sent["content-type"] = type;
        if (session) sent.authorization = `Bearer ${await this.#token(at)}`;
        return await this.#once(method, at, path, body, sent, signal);
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        if (!(error instanceof LianfenError)) throw error;
        // A token may end before its time (a node that was started anew); one new one is worth a try.
        if (session && error.status === 401 && !renewed && this.#session) {
          renewed = true;
          this.#session.tokens.delete(at);
          continue;
        }
        if (!error.retryable) throw error;
        // Whoever is told to send less must not do so at another node.
        if (only === null && error.status !== 429) {
          failures += 1;
          this.#leave(at);
          if (failures % this.#bases.length !== 0) continue;
        }
        if (attempt >= attemptsMax) throw error;
        const longest = Math.min(this.#limits.backoffMax, this.#limits.backoff * 2 ** (attempt - 1));
        const asked = Math.min(error.retryAfter ?? 0, RETRY_AFTER_MAX);
        await this.#sleep(Math.max(asked, longest * (0.5 + this.#random() / 2)), signal);
        attempt += 1;
      }
    }
  }

  async #once(method, at, path, body, headers, signal) {
    const limit = AbortSignal.timeout(this.#limits.timeout);
    const either = signal ? anySignal([signal, limit]) : { signal: limit, release() {} };
    try {
      const response = await this.#fetch(this.#bases[at] + path, {
        method, headers, body, signal: either.signal, cache: "no-store", credentials: "omit", redirect: "error",
      });
      const bytes = await this.#whole(response);
      if (!response.ok) throw this.#failure(response, bytes);
      return { status: response.status, headers: response.headers, bytes };
    } catch (error) {
      if (error instanceof LianfenError || signal?.aborted) throw error;
      const late = limit.aborted;
      throw new LianfenError(late ? "timeout" : "unreachable",
        late ? "the node did not answer in time" : "the node cannot be reached", { retryable: true, cause: error });
    } finally {
      either.release();
    }
  }

  /** The body of an answer, at most 8 MiB of it. */
  async #whole(response) {
    const parts = [];
    let count = 0;
    if (response.body) {
      const reader = response.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        count += value.length;
        if (count > ANSWER_BYTES_MAX) {
          await reader.cancel();
          throw new LianfenError("answer-too-large", "the answer has more than 8 MiB", { status: response.status });
        }
        parts.push(value);
      }
    }
    return concat(...parts);
  }

  #failure(response, bytes) {
    const { status } = response;
    const wait = retryAfter(response.headers.get("retry-after"), this.#now());
    // What stands between may answer by itself, so these are worth another try whoever said them.
    let retryable = [408, 425, 429, 502, 503, 504].includes(status);
    let problem = null;
    if (/^application\/(problem\+)?json\b/.test(response.headers.get("content-type") ?? "")) {
      try {
        problem = strictJSON(bytes);
      } catch {
        problem = null;
      }
    }
    if (typeof problem?.code !== "string") {
      return new LianfenError(`http-${status}`, `the node answered with status ${status}`,
        { status, retryable, retryAfter: wait });
    }
    retryable ||= problem.retryable === true || problem.code === "idempotency-in-flight";
    return new LianfenError(problem.code, problem.message?.en ?? problem.detail ?? problem.title ?? problem.code,
      { status, retryable, problem, field: problem.field ?? null, retryAfter: wait });
  }

  async #get(path, options = {}) { return strictJSON((await this.#request("GET", path, options)).bytes); }

  async #getBytes(path, options = {}) {
    return (await this.#request("GET", path, { ...options, accept: "application/octet-stream" })).bytes;
  }

  async #post(path, value, options = {}) {
    const body = utf8(JSON.stringify(value));
    return strictJSON((await this.#request("POST", path, { ...options, body, type: "application/json" })).bytes);
  }

  // MARK: The chain

  /** The chain's genesis, read once and held against the pinned hash. Throws `genesis-mismatch`. */
  async chain() {
    if (!this.#chain) {
      const chain = new Chain(await this.#getBytes("/v1/genesis"), this.#pinned);
      this.#pinned = chain.hash;
      this.#chain = chain;
    }
    return this.#chain;
  }

  /**
   * Where the node stands, as it says itself: `{chain, genesis, validator, rulesVersion, time, executed, certified,
   * validators, quorum, height, stateRoot}`. Throws `genesis-mismatch` where it speaks of another chain.
   */
  async status(options = {}) {
    const { chain, height, stateRoot } = await this.#get("/v1/chain", options);
    const status = { ...chain, height, stateRoot };
    if (this.#pinned !== null && status.genesis !== this.#pinned) {
      throw new LianfenError("genesis-mismatch", `the node serves the chain ${status.genesis}, not ${this.#pinned}`);
    }
    return status;
  }

  blocks({ cursor = null, limit = null, signal = null } = {}) {
    return this.#get(`/v1/blocks${query({ cursor, limit })}`, { signal });
  }

  block(height, options = {}) { return this.#get(`/v1/blocks/${u64(height)}`, options); }
  transaction(id, options = {}) {
    return this.#get(`/v1/transactions/${hex(digestBytes(id, "id"))}`, { session: this.#session !== null, ...options });
  }

  /**
   * Checks a height's header up to the signatures of a quorum: the headers from it to the next one that a certificate
   * names (at most 1,024), and that certificate. Gives `{header, hash, headers, certificate}`, verified.
   * @param steps called as each step is done, with its name and what was found: `header`, `headers`, `certificate`,
   *   `signature` (once for each signer), `quorum`
   */
  async verifiedHeader(height, steps = () => {}) {
    const chain = await this.chain();
    const wanted = u64(height);
    const header = Header.decode(await this.#getBytes(`/v1/blocks/${wanted}/header`));
    if (u64(header.height) !== wanted) throw mismatch("the header is that of another height");
    const hash = headerHash(header);
    steps("header", { header, hash });
    // Nobody votes for the genesis; the certificate of its child is its own.
    const certified = wanted === 0n ? 1n : wanted;
    const certificate = Certificate.decode(await this.#getBytes(`/v1/blocks/${certified}/certificate`));
    const distance = u64(certificate.height) - wanted;
    if (distance < 0n || distance >= BigInt(HEADERS_MAX)) throw mismatch("the certificate is of a height far away");
    const headers = [header];
    for (let next = wanted + 1n; next <= u64(certificate.height); next += 1n) {
      headers.push(Header.decode(await this.#getBytes(`/v1/blocks/${next}/header`)));
    }
    steps("headers", { headers, certificate });
    steps("certificate", { certificate, hash: certificateHash(certificate) });
    const found = [];
    const light = await this.#proved(async (client) => {
      found.length = 0;
      await chain.verifyHeaders(
        headers, certificate, { client, onSignature: (validator) => found.push(validator) });
      return client;
    });
    for (const validator of found) steps("signature", { validator });
    const of = light.validatorsAt(certificate.height).length;
    steps("quorum", { signers: certificate.signatures.length, quorum: quorumOf(of).quorum, of });
    this.#see(header.height);
    return { header, hash, headers, certificate };
  }

  #see(height) { if (u64(height) > this.#newest) this.#newest = u64(height); }

  /**
   * Follows the changes of the validators that the node shows, each by its proof, and gives the {@link LightClient}.
   * Throws `step-invalid` or `certificate-invalid` for a forged one. A node may withhold the newest: see `isStale`.
   */
  followValidators() {
    // One walk at a time, whoever asks.
    this.#following ??= this.#follow().finally(() => { this.#following = null; });
    return this.#following;
  }

  async #follow() {
    this.#light ??= new LightClient(await this.chain());
    for (let page = 0; page < CHANGE_PAGES_MAX; page += 1) {
      const steps = LightSteps.decode(
        await this.#getBytes(`/v1/validators/changes${query({ after: this.#light.trusted.height })}`));
      for (const step of steps) await this.#light.advance(step);
      if (steps.length === 0) break;
    }
    return this.#light;
  }

  /** Verifies by who is known to vote; where that is not enough, once more after the changes since. */
  async #proved(verify) {
    this.#light ??= new LightClient(await this.chain());
    const known = this.#light.trusted.height;
    try {
      return await verify(this.#light);
    } catch (error) {
      if (error.code !== "proof-invalid" || error.refusal !== "validators") throw error;
      if ((await this.followValidators()).trusted.height === known) throw error;
      return verify(this.#light);
    }
  }

  // MARK: Tokens

  /**
   * Gets a token for a principal, such as `{account: "lf1…"}` or `{organisation: 1}`, and another whenever it ends.
   * What is signed is made here, of the pinned genesis and the challenge, so that a node can get nothing else signed.
   */
  async signIn(principal, key) {
    await this.chain();
    // Each node gives a token of its own.
    this.#session = { principal, key, tokens: new Map() };
    await this.#get("/v1/chain", { session: true });
  }

  signOut() { this.#session = null; }

  async #token(at) {
    const session = this.#session;
    if (!session) throw new LianfenError("token-missing", "this needs a token: sign in first");
    // Half a minute early, so that no request starts with a token that ends on its way.
    const kept = session.tokens.get(at);
    if (kept && kept.expiresAt > BigInt(this.#now()) + 30_000n) return kept.token;
    // Where there are others, whoever needs the token turns to them.
    const only = { only: at, attemptsMax: this.#bases.length > 1 ? 1 : this.#limits.attemptsMax };
    const { principal, key } = session;
    const asked = await this.#post("/v1/challenges", { principal, key: key.publicKey }, only);
    const challenge = unhex(asked.challenge, null, "challenge");
    const { validator } = await this.status(only);
    // A node that passes on what another one asked would get what that one gives for it.
    const prefix = challengePrefix((await this.chain()).hash, validator, principal, key.publicKey);
    if (challenge.length !== prefix.length + challengeRestCount || prefix.some((byte, i) => byte !== challenge[i])) {
      throw mismatch("the node's challenge is not for this key, chain and node");
    }
    const signature = await key.sign(sessionSignedBytes((await this.chain()).hash, challenge));
    const given = await this.#post("/v1/tokens",
      { principal, key: key.publicKey, challenge: asked.challenge, signature }, { only: at, attemptsMax: 1 });
    if (typeof given.token !== "string") throw mismatch("the answer holds no token");
    session.tokens.set(at, { token: given.token, expiresAt: u64(given.expiresAt, "expiresAt") });
    return given.token;
  }

  // MARK: Transactions

  /**
   * Builds and signs a transaction of operations in the interface's JSON form.
   * @param signers `[{party, key}]`, `key` a {@link SecretKey}; the first is the sender
   * @param options `nonce` (a random one), `validUntil` (two minutes from now by the later of the chain's clock and this
   *   one's, but never more than the chain takes)
   */
  async build(signers, operations, { nonce = randomNonce(), validUntil = null } = {}) {
    const chain = await this.chain();
    let until = validUntil;
    if (until === null) {
      const window = u64(chain.genesis.parameters.replayWindowMilliseconds);
      // A chain that stood still has an old clock, and whoever asks may have a wrong one.
      const time = u64((await this.status()).time, "time");
      const now = BigInt(this.#now());
      const wanted = (now > time ? now : time) + 120_000n;
      until = wanted < time + window ? wanted : time + window;
    }
    const body = {
      nonce: String(u64(nonce, "$.nonce")),
      validUntil: String(u64(until, "$.validUntil")),
      signers: signers.map(({ party, key }) => ({ party, key: key.publicKey })),
      operations,
    };
    return chain.sign(body, signers.map(({ key }) => key));
  }

  /**
   * Sends a signed transaction ({@link build}, {@link Chain#sign}) and waits for its certificate.
   *
   * Sent again as the same bytes where the node was busy or not reached. Gives the node's answer, whose
   * `transaction.state` is `"certified"`, or `"accepted"` where `wait` was too short: then {@link wait} goes on.
   * @param wait seconds that the node may take, 0 to 30
   */
  async submit(transaction, { wait = 30, signal = null } = {}) {
    whole(wait, 0, 30, "wait");
    const { bytes } = await this.#request("POST", "/v1/transactions", {
      body: transaction.bytes, type: "application/octet-stream", headers: { prefer: `wait=${wait}` }, signal,
    });
    const answer = strictJSON(bytes);
    if (answer.transaction?.id !== transaction.id) throw mismatch("the answer is about another transaction");
    return answer;
  }

  /** Asks until a transaction is certified or refused. Throws `timeout` after so many milliseconds. */
  async wait(id, { timeout = 60_000, signal = null } = {}) {
    const end = this.#now() + timeout;
    for (let round = 0; ; round += 1) {
      try {
        const answer = await this.transaction(id, { signal });
        if (answer.transaction.state !== "accepted") return answer;
      } catch (error) {
        // Not seen here yet: it may still be on its way through another node.
        if (!(error instanceof LianfenError) || error.status !== 404) throw error;
      }
      const longest = Math.min(2000, 100 * 2 ** round);
      if (this.#now() + longest > end) {
        throw new LianfenError("timeout", "the transaction was not certified in time", { retryable: true });
      }
      await this.#sleep(longest * (0.5 + this.#random() / 2), signal);
    }
  }

  /** {@link submit}, {@link wait} where that was too short, then the receipt by its proof: nothing of it is hearsay. */
  async submitAndProve(transaction, options = {}) {
    const answer = await this.submit(transaction, options);
    if (answer.transaction.state === "accepted") await this.wait(transaction.id, options);
    try {
      return await this.provenReceipt(transaction.id, options);
    } catch (error) {
      // Another node than the one that answered may not have come so far.
      if (error.status !== 404 || this.#bases.length === 1) throw error;
      await this.wait(transaction.id, options);
      return this.provenReceipt(transaction.id, options);
    }
  }

  // MARK: What there is

  /** A page of an account's balances, as the node says. */
  balances(account, { cursor = null, limit = null, signal = null } = {}) {
    return this.#get(`/v1/accounts/${checkedAccount(account)}/balances${query({ cursor, limit })}`,
      { session: true, signal });
  }

  balance(account, unit, options = {}) { return this.#get(balancePath(account, unit), { session: true, ...options }); }
  lots(account, unit, options = {}) {
    return this.#get(`${balancePath(account, unit)}/lots`, { session: true, ...options });
  }

  account(account, options = {}) {
    return this.#get(`/v1/accounts/${checkedAccount(account)}`, { session: true, ...options });
  }

  transactions(account, { cursor = null, limit = null, signal = null } = {}) {
    return this.#get(`/v1/accounts/${checkedAccount(account)}/transactions${query({ cursor, limit })}`,
      { session: true, signal });
  }

  /**
   * A balance by its proof: `{available, held, pending, debt, height, time, stateRoot, signers, validators, quorum,
   * proof}`; zeros where the account has nothing of the unit, which is proved as well.
   * @param notBefore the lowest height that is news; an older proof, though true, throws `proof-too-old`. By default
   *   the newest height that this client has verified, so that a node cannot show a balance of before a payment.
   */
  async provenBalance(account, unit, { notBefore = this.#newest, signal = null } = {}) {
    const chain = await this.chain();
    const proof = await this.#getBytes(`${balancePath(account, unit)}/proof`, { session: true, signal });
    const verified = await this.#proved((client) => chain.verifyProof(proof, client));
    const said = verified.subject.balance;
    if (!said || said.unit !== unit || said.account !== checkedAccount(account)) {
      throw mismatch("the proof is about something else");
    }
    this.#fresh(verified.height, notBefore);
    const { subject: _, ...rest } = verified;
    const { available, held, pending, debt } = said.summary ?? { available: "0", held: "0", pending: "0", debt: "0" };
    return { available, held, pending, debt, ...rest, proof };
  }

  /** A transaction's receipt by its proof: `{receipt, index, count, height, time, stateRoot, …, proof}`. */
  async provenReceipt(id, { signal = null } = {}) {
    const chain = await this.chain();
    const proof = await this.#getBytes(`/v1/transactions/${hex(digestBytes(id, "id"))}/proof`,
      { session: this.#session !== null, signal });
    const verified = await this.#proved((client) => chain.verifyProof(proof, client));
    const said = verified.subject.receipt;
    if (!said || said.receipt.transaction !== id) throw mismatch("the proof is about something else");
    this.#see(verified.height);
    const { subject: _, ...rest } = verified;
    return { receipt: said.receipt, index: said.path.index, count: said.path.count, ...rest, proof };
  }

  #fresh(height, notBefore) {
    if (u64(height) < u64(notBefore, "notBefore")) {
      throw new LianfenError("proof-too-old", `the proof is of height ${height}, older than ${notBefore}`,
        { retryable: true });
    }
    this.#see(height);
  }

  // MARK: Events

  /**
   * Events of the chain, or of `path`, one after the other and for ever: `{id, event, data}`. After a break the stream
   * is opened again, at the next node, with the last id that was handed out, so that none is missed or comes twice.
   * @param options `after`: the height after which to begin; `signal` ends the stream; `onState` is told `"open"`, and
   *   `"lost"` with the error and the milliseconds until the next try
   */
  async* events({ path = "/v1/events", after = null, signal = null, session = false, onState = () => {} } = {}) {
    let last = after === null ? null : u64(after, "after");
    // What was handed out of the height `last`: a stream may break between two transactions of one block.
    let handed = null;
    for (let failures = 0; !signal?.aborted;) {
      let error = null;
      const at = this.#at;
      const ends = new AbortController();
      const either = anySignal(signal ? [signal, ends.signal] : [ends.signal]);
      let timer = null;
      const heard = () => {
        clearTimeout(timer);
        timer = setTimeout(() => ends.abort(), this.#limits.silence);
      };
      try {
        heard();
        const headers = { accept: "text/event-stream" };
        if (last !== null) headers["last-event-id"] = String(handed?.size > 0 && last > 0n ? last - 1n : last);
        if (session) headers.authorization = `Bearer ${await this.#token(at)}`;
        const response = await this.#fetch(this.#bases[at] + path,
          { headers, signal: either.signal, cache: "no-store", credentials: "omit", redirect: "error" });
        if (!response.ok) throw this.#failure(response, await this.#whole(response));
        if (!/^text\/event-stream\b/.test(response.headers.get("content-type") ?? "")) {
          await response.body?.cancel();
          throw new LianfenError("answer-malformed", "the answer is no event stream");
        }
        onState("open");
        const parser = new EventParser();
        const reader = response.body.getReader();
        try {
          for (;;) {
            const { done, value } = await reader.read();
            if (done) break;
            heard();
            for (const found of parser.feed(value)) {
              const id = u64(found.id ?? "", "id");
              if (last !== null && (id < last || (id === last && handed === null))) continue;
              const data = strictJSON(utf8(found.data));
              if (id === last && handed.has(data.id)) continue;
              failures = 0;
              if (id !== last) handed = found.event === "transaction" ? new Set() : null;
              handed?.add(data.id);
              last = id;
              yield { id: String(id), event: found.event, data };
            }
          }
        } finally {
          await reader.cancel().catch(() => {});
        }
      } catch (caught) {
        error = caught;
      } finally {
        clearTimeout(timer);
        either.release();
      }
      if (signal?.aborted) return;
      if (session && error?.status === 401 && this.#session) this.#session.tokens.delete(at);
      else if (error instanceof LianfenError && error.status !== null && !error.retryable) throw error;
      else if (error?.status !== 429) this.#leave(at);
      const longest = Math.min(this.#limits.backoffMax, this.#limits.backoff * 2 ** Math.min(failures, 16));
      const asked = Math.min(error?.retryAfter ?? 0, RETRY_AFTER_MAX);
      const wait = Math.max(asked, longest * (0.5 + this.#random() / 2));
      failures += 1;
      onState("lost", { error, wait });
      try {
        await this.#sleep(wait, signal);
      } catch (stopped) {
        if (signal?.aborted) return;
        throw stopped;
      }
    }
  }
}

const mismatch = (message) => new LianfenError("answer-mismatch", message);
const checkedAccount = (account) => accountText(accountBytes(account, "account"));

function balancePath(account, unit) {
  if (!UNIT.test(unit)) throw invalid("unit", "a unit is 1 to 16 of A–Z 0–9 - _, a letter first");
  return `/v1/accounts/${checkedAccount(account)}/balances/${unit}`;
}

function query(values) {
  const set = Object.entries(values).filter(([, value]) => value !== null);
  return set.length === 0 ? "" : `?${new URLSearchParams(set)}`;
}

/** A pause that a signal may end, with an error. */
function pause(milliseconds, signal = null) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
    return undefined;
  });
}

/** A signal that is aborted with the first of several; `release` lets go. `AbortSignal.any` is newer than Node 18. */
function anySignal(signals) {
  const controller = new AbortController();
  const stop = (event) => controller.abort(event.target.reason);
  for (const signal of signals) {
    if (signal.aborted) controller.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  }
  return {
    signal: controller.signal,
    release() { for (const signal of signals) signal.removeEventListener("abort", stop); },
  };
}

/** Reads an event stream (HTML Living Standard, 9.2.6) from pieces of bytes cut anywhere. Lines end in LF or CR LF. */
export class EventParser {
  #rest = new Uint8Array(0);
  #id = null;
  #event = "";
  #data = [];
  #size = 0;

  /** The events that this piece completes. Throws `answer-too-large` where one has more than 8 MiB. */
  feed(piece) {
    const bytes = concat(this.#rest, piece);
    const events = [];
    let start = 0;
    for (let end = bytes.indexOf(10, this.#rest.length); end >= 0; end = bytes.indexOf(10, start)) {
      const line = bytes.subarray(start, end > start && bytes[end - 1] === 13 ? end - 1 : end);
      start = end + 1;
      const found = this.#line(new TextDecoder().decode(line));
      if (found) events.push(found);
    }
    this.#rest = bytes.slice(start);
    if (this.#rest.length + this.#size > EVENT_BYTES_MAX) {
      throw new LianfenError("answer-too-large", "an event has more than 8 MiB");
    }
    return events;
  }

  #line(line) {
    if (line === "") {
      const found = this.#data.length > 0
        ? { id: this.#id, event: this.#event || "message", data: this.#data.join("\n") } : null;
      this.#event = "";
      this.#data = [];
      this.#size = 0;
      return found;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") {
      this.#data.push(value);
      this.#size += value.length + 1;
    }
    if (field === "event") this.#event = value;
    if (field === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }
}
