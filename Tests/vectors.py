#!/usr/bin/env python3
"""Checks the golden vectors by a second implementation, written from the format and not from the Swift sources.

Reads Tests/Fixtures/vectors/*.json: encodes every value from its fields, computes its digests and signatures, decodes
and verifies whole proofs, and alters each of them byte by byte. Debian's Python 3 with python3-cryptography.
"""

import hashlib
import json
import pathlib
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

VECTORS = pathlib.Path(__file__).resolve().parent / "Fixtures" / "vectors"
ZERO = bytes(32)
# End of the year 9999: no genesis and no median moves block time beyond it.
TIME_MAX = 253_402_300_799_999


class Refused(Exception):
    """Bytes or statements that do not hold; the argument names why."""


# Encoding


def integer(value, size):
    return int(value).to_bytes(size, "little")


def u8(value):
    return integer(value, 1)


def u16(value):
    return integer(value, 2)


def u32(value):
    return integer(value, 4)


def u64(value):
    return integer(value, 8)


def boolean(value):
    assert value is True or value is False
    return b"\x01" if value else b"\x00"


def length(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def byte_string(value):
    return length(len(value)) + value


def text(value):
    return byte_string(value.encode())


def option(value, encode):
    return b"\x00" if value is None else b"\x01" + encode(value)


def sequence(values, encode):
    return length(len(values)) + b"".join(encode(value) for value in values)


def sized(size):
    """Bytes of a length that both sides know, from hex."""

    def encode(value):
        raw = bytes.fromhex(value)
        assert len(raw) == size, f"{size} bytes, not {len(raw)}"
        return raw

    return encode


digest, account, source = sized(32), sized(16), sized(16)


def suited(size):
    """A suite byte, which is 1 (Ed25519), and so many bytes."""

    def encode(value):
        raw = sized(size + 1)(value)
        assert raw[0] == 1, "suite"
        return raw

    return encode


key, signature = suited(32), suited(64)


def hex_string(value):
    return byte_string(bytes.fromhex(value))


def party(value):
    ((kind, who),) = value.items()
    variant = ["organisation", "account", "guardian", "governor", "validator"].index(kind)
    return length(variant) + (account(who) if kind in ("account", "guardian") else u32(who))


def expiry(value):
    ((kind, count),) = value.items()
    return length(["days", "months", "yearEnds"].index(kind)) + u16(count)


def zone_offset(value):
    return u64(value["from"]) + value["minutes"].to_bytes(2, "little", signed=True)


def program(value):
    return (
        text(value["unit"]) + u8(value["decimals"]) + text(value["currency"]) + u64(value["faceMinor"])
        + u64(value["facePoints"]) + option(value["expiry"], expiry) + sequence(value["zone"], zone_offset)
    )


def open_line(value):
    return (
        account(value["account"]) + u8(value["role"]) + option(value["credential"], key)
        + option(value["guardian"], key)
    )


def natural_key(value):
    return source(value["source"]) + hex_string(value["order"]) + u32(value["line"]) + u8(value["kind"])


def accrual_line(value):
    return account(value["account"]) + natural_key(value) + u64(value["amount"]) + boolean(value["pending"])


def total_line(value):
    return natural_key(value) + u64(value["total"])


def total_list(value):
    return text(value["unit"]) + sequence(value["lines"], total_line) + boolean(value["all"])


def ticket(value):
    return u32(value["organisation"]) + u64(value["validUntil"]) + key(value["key"]) + signature(value["signature"])


def use(value):
    ((kind, what),) = value.items()
    return b"\x00" + hex_string(what) if kind == "redeem" else b"\x01" + account(what)


def application(value):
    return organisation(value["organisation"]) + sequence(value["signatures"], signature)


DECISIONS = {
    "admit": application,
    "suspend": u32,
    "release": u32,
    "exit": u32,
    "quota": lambda v: u32(v["organisation"]) + u64(v["quota"]),
    "rules": u32,
    "keys": application,
}


def decision(value):
    ((kind, what),) = value.items()
    return length(list(DECISIONS).index(kind)) + DECISIONS[kind](what)


def vote(value):
    return (
        u32(value["epoch"]) + u64(value["height"]) + u32(value["round"]) + u8(value["phase"])
        + digest(value["header"]) + u64(value["time"]) + u32(value["validator"]) + signature(value["signature"])
    )


OPERATIONS = [
    ("publish", lambda v: program(v["program"]) + u32(v["issuer"])),
    ("open", lambda v: u32(v["organisation"]) + sequence(v["lines"], open_line) + boolean(v["all"])),
    ("open-by-ticket", lambda v: open_line(v["line"]) + ticket(v["ticket"])),
    ("claim", lambda v: account(v["account"]) + key(v["credential"])),
    ("add-credential", lambda v: account(v["account"]) + key(v["key"]) + u64(v["from"]) + u64(v["to"])),
    ("rotate-credential", lambda v: account(v["account"]) + key(v["old"]) + key(v["new"])),
    ("revoke-credential", lambda v: account(v["account"]) + key(v["key"])),
    ("accrue", lambda v: text(v["unit"]) + sequence(v["lines"], accrual_line) + boolean(v["all"])),
    ("vest", total_list),
    ("void", total_list),
    ("claw-back", total_list),
    ("transfer", lambda v: account(v["from"]) + account(v["to"]) + text(v["unit"]) + u64(v["amount"])),
    ("redeem", lambda v: account(v["account"]) + text(v["unit"]) + u64(v["amount"]) + hex_string(v["reference"])),
    (
        "reserve",
        lambda v: account(v["account"]) + text(v["unit"]) + u64(v["amount"]) + u32(v["organisation"]) + use(v["use"])
        + u64(v["deadline"]),
    ),
    ("commit", lambda v: digest(v["hold"]) + u64(v["amount"])),
    ("release", lambda v: digest(v["hold"])),
    ("freeze", lambda v: account(v["account"])),
    ("unfreeze", lambda v: account(v["account"])),
    ("propose", lambda v: decision(v["decision"]) + u32(v["by"])),
    ("approve", lambda v: digest(v["proposal"]) + u32(v["by"])),
    ("accuse", lambda v: key(v["key"]) + vote(v["first"]) + vote(v["second"])),
]


def operation(value):
    number = [name for name, _ in OPERATIONS].index(value["operation"])
    return length(number) + OPERATIONS[number][1](value)


def body(value):
    return (
        party(value["sender"]) + u64(value["nonce"]) + u64(value["validUntil"])
        + sequence(value["signers"], lambda v: party(v["party"]) + key(v["key"]))
        + sequence(value["operations"], operation)
    )


def organisation(value):
    return (
        u32(value["id"]) + text(value["name"]) + option(value["votingKey"], key) + key(value["issuingKey"])
        + key(value["governingKey"]) + u64(value["quota"])
    )


def genesis(value):
    parameters = value["parameters"]
    return (
        text(value["chain"]) + u64(value["time"]) + u32(value["rulesVersion"]) + sized(16)(value["orderingEpoch"])
        + u64(parameters["replayWindowMilliseconds"]) + u32(parameters["openingsPerMinuteMax"])
        + u32(parameters["unitsPerOrganisationMax"]) + u64(parameters["reservationMillisecondsMax"])
        + sequence(value["organisations"], organisation)
    )


def validators(value):
    voting = [v for v in value["organisations"] if v["votingKey"] is not None]
    return sequence(voting, lambda v: u32(v["id"]) + key(v["votingKey"]))


def portion(value):
    return (
        u64(value["expiry"]) + u32(value["restriction"]) + u32(value["version"]) + u8(value["class"])
        + u64(value["amount"])
    )


def outcome(value):
    kind = value["outcome"]
    number = ["done", "exists", "lines", "spent", "held", "proposal"].index(kind)
    out = length(number)
    if kind == "lines":
        out += u16(value["done"]) + sequence(
            value["exceptions"], lambda v: u16(v["index"]) + u16(v["result"]) + option(v["first"], digest))
    elif kind == "spent":
        out += sequence(value["portions"], portion)
    elif kind == "held":
        out += digest(value["hold"]) + sequence(value["portions"], portion)
    elif kind == "proposal":
        out += digest(value["proposal"]) + boolean(value["carried"])
    return out


def receipt(value):
    return (
        digest(value["transaction"]) + u16(value["result"]) + option(value["operation"], u8)
        + option(value["line"], u16) + option(value["first"], lambda v: u64(v["height"]) + u32(v["index"]))
        + sequence(value["outcomes"], outcome)
    )


def summary(value):
    return (
        u64(value["available"]) + u64(value["held"]) + u64(value["pending"]) + u64(value["debt"])
        + digest(value["lots"])
    )


def header(value):
    roots = ["parent", "entry", "transactions", "receipts", "state", "validators", "nextValidators"]
    return (
        u64(value["height"]) + b"".join(digest(value[name]) for name in roots) + u32(value["rulesVersion"])
        + u64(value["time"]) + digest(value["certificate"])
    )


def certificate(value):
    return (
        u32(value["epoch"]) + u64(value["height"]) + u32(value["round"]) + u8(value["phase"])
        + digest(value["header"])
        + sequence(
            value["signatures"], lambda v: u32(v["validator"]) + u64(v["time"]) + signature(v["signature"]))
    )


def epoch_statement(value):
    return (
        u32(value["number"]) + sized(16)(value["bytes"]) + option(value["certificate"], certificate)
        + sequence(value["entries"], lambda v: digest(v["hash"]) + option(v["vote"], vote))
        + u32(value["validator"]) + signature(value["signature"])
    )


def vote_message(chain, value, time):
    return (
        tagged("vote") + chain + u32(value["epoch"]) + u64(value["height"]) + u32(value["round"])
        + u8(value["phase"]) + digest(value["header"]) + u64(time)
    )


# Digests, signatures, trees


def tagged(name):
    tag = b"lianfen/1/" + name.encode()
    return bytes([len(tag)]) + tag


def sha256(raw):
    return hashlib.sha256(raw).digest()


def under(name, raw):
    return sha256(tagged(name) + raw)


def sign(seed, message):
    return b"\x01" + Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def public_key(seed):
    secret = Ed25519PrivateKey.from_private_bytes(seed)
    return b"\x01" + secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def verifies(public, signed, message):
    try:
        Ed25519PublicKey.from_public_bytes(public[1:]).verify(signed[1:], message)
        return True
    except InvalidSignature:
        return False


def list_root(leaves):
    """RFC 6962's shape, by its own recursion."""
    if not leaves:
        return ZERO
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + list_root(leaves[:split]) + list_root(leaves[split:]))


def counted(root, count):
    return under("list", u64(count) + root) if count else ZERO


def list_turns(index, count):
    """Which side the leaf's part is on, from the root downwards: True for the right one."""
    turns = []
    while count > 1:
        split = 1
        while split * 2 < count:
            split *= 2
        turns.append(index >= split)
        index, count = (index - split, count - split) if index >= split else (index, split)
    return turns


def list_path_root(path, leaf):
    index, count, siblings = path
    node = leaf
    for right, sibling in zip(reversed(list_turns(index, count)), siblings):
        node = sha256(b"\x01" + (sibling + node if right else node + sibling))
    return node


def bit(raw, index):
    return raw[index // 8] >> (7 - index % 8) & 1


def state_root(pairs, depth=0):
    if not pairs:
        return ZERO
    if len(pairs) == 1:
        return sha256(b"\x00" + pairs[0][0] + pairs[0][1])
    halves = [[pair for pair in pairs if bit(pair[0], depth) == side] for side in (0, 1)]
    return sha256(b"\x01" + state_root(halves[0], depth + 1) + state_root(halves[1], depth + 1))


def state_path_holds(path, name, value, root):
    end, siblings = path
    if end == "own":
        if value is None:
            return False
        node = sha256(b"\x00" + name + value)
    elif value is not None:
        return False
    elif end == "empty":
        node = ZERO
    else:
        other, content = end
        if other == name or any(bit(other, i) != bit(name, i) for i in range(len(siblings))):
            return False
        node = sha256(b"\x00" + other + content)
    for depth in reversed(range(len(siblings))):
        pair = siblings[depth] + node if bit(name, depth) else node + siblings[depth]
        node = sha256(b"\x01" + pair)
    return node == root


def unit_key(code):
    return code.encode().ljust(16, b"\x00")


# Bech32m (BIP 350)

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bech32m_check(values):
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for index, term in enumerate([0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]):
            check ^= term if top >> index & 1 else 0
    return check


def bech32m_expand(prefix):
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def bech32m(prefix, raw):
    bits = "".join(f"{byte:08b}" for byte in raw)
    bits += "0" * (-len(bits) % 5)
    data = [int(bits[i : i + 5], 2) for i in range(0, len(bits), 5)]
    check = bech32m_check(bech32m_expand(prefix) + data + [0] * 6) ^ 0x2BC830A3
    return prefix + "1" + "".join(ALPHABET[v] for v in data + [check >> 5 * (5 - i) & 31 for i in range(6)])


def account_of_text(value):
    if value != value.lower() and value != value.upper():
        raise Refused("case")
    value = value.lower()
    if not value.startswith("lf1") or len(value) < 9 or any(c not in ALPHABET for c in value[3:]):
        raise Refused("prefix or character")
    data = [ALPHABET.index(c) for c in value[3:]]
    if bech32m_check(bech32m_expand("lf") + data) != 0x2BC830A3:
        raise Refused("checksum")
    bits = "".join(f"{v:05b}" for v in data[:-6])
    if len(bits) // 8 != 16 or len(bits) % 8 >= 5 or "1" in bits[128:]:
        raise Refused("length or padding")
    return bytes(int(bits[i : i + 8], 2) for i in range(0, 128, 8))


# Decoding


class Reader:
    """Reads bytes strictly: whatever the encoder would not have written is refused."""

    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def fixed(self, count):
        if count > len(self.raw) - self.at:
            raise Refused("truncated")
        self.at += count
        return self.raw[self.at - count : self.at]

    def integer(self, size):
        return int.from_bytes(self.fixed(size), "little")

    def boolean(self):
        value = self.integer(1)
        if value > 1:
            raise Refused("boolean")
        return value == 1

    def length(self, most=2**32 - 1):
        value = 0
        for index in range(5):
            byte = self.integer(1)
            value |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                if index and not byte:
                    raise Refused("length is not minimal")
                if value > most:
                    raise Refused("length is too large")
                return value
        raise Refused("length is too long")

    def byte_string(self, most):
        return self.fixed(self.length(most))

    def text(self, most):
        try:
            return self.byte_string(most).decode()
        except UnicodeDecodeError as error:
            raise Refused("text") from error

    def option(self, read):
        return read() if self.boolean() else None

    def sequence(self, least, most, read):
        count = self.length(most)
        if count < least:
            raise Refused("list is too short")
        return [read() for _ in range(count)]

    def suited(self, size):
        raw = self.fixed(size + 1)
        if raw[0] != 1:
            raise Refused("suite")
        return raw

    def unit(self):
        code = self.text(16)
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        if not code or code[0] not in letters or any(c not in letters + "0123456789-_" for c in code):
            raise Refused("unit")
        return code

    def finish(self):
        if self.at != len(self.raw):
            raise Refused("trailing bytes")


def ascending(values):
    if any(not a < b for a, b in zip(values, values[1:])):
        raise Refused("not in order")


def read_genesis(raw):
    reader = Reader(raw)
    chain = reader.text(32)
    if not chain or any(not 0x21 <= ord(c) <= 0x7E for c in chain):
        raise Refused("chain")
    if reader.integer(8) > TIME_MAX:
        raise Refused("time")
    reader.fixed(4 + 16)
    window = reader.integer(8)
    reader.fixed(8)
    if not 1000 <= window <= 86_400_000 or reader.integer(8) > 366 * 86_400_000:
        raise Refused("parameters")

    def read():
        number, name = reader.integer(4), reader.text(64)
        voting = reader.option(lambda: reader.suited(32))
        issuing, governing = reader.suited(32), reader.suited(32)
        reader.fixed(8)
        if not name or not number or issuing == governing or voting in (issuing, governing):
            raise Refused("organisation")
        return number, voting

    organisations = reader.sequence(1, 1000, read)
    reader.finish()
    ascending([number for number, _ in organisations])
    voting = {number: key for number, key in organisations if key is not None}
    if not 1 <= len(voting) <= 100 or len(set(voting.values())) < len(voting):
        raise Refused("validators")
    return voting


def read_portion(reader):
    reader.fixed(8 + 4 + 4)
    if reader.integer(1) > 2:
        raise Refused("class")
    reader.fixed(8)


def read_receipt(reader):
    """The receipt's bytes."""
    start = reader.at
    reader.fixed(32 + 2)
    reader.option(lambda: reader.fixed(1))
    reader.option(lambda: reader.fixed(2))
    reader.option(lambda: reader.fixed(12))

    def read_outcome():
        kind = reader.length()
        if kind == 2:
            reader.fixed(2)
            reader.sequence(0, 8190, lambda: (reader.fixed(4), reader.option(lambda: reader.fixed(32))))
        elif kind in (3, 4):
            if kind == 4:
                reader.fixed(32)
            reader.sequence(0, 2048, lambda: read_portion(reader))
        elif kind > 4:
            raise Refused("outcome")

    reader.sequence(0, 16, read_outcome)
    return reader.raw[start : reader.at]


def read_list_path(reader):
    index, count = reader.integer(8), reader.integer(8)
    if not index < count < 2**63:
        raise Refused("place")
    siblings = reader.sequence(0, 64, lambda: reader.fixed(32))
    if len(siblings) != len(list_turns(index, count)):
        raise Refused("siblings")
    return index, count, siblings


def read_state_path(reader):
    variant = reader.length()
    if variant > 2:
        raise Refused("end")
    end = ("own", "empty")[variant] if variant < 2 else (reader.fixed(32), reader.fixed(32))
    depth = reader.length(256)
    bitmap = reader.fixed((depth + 7) // 8)
    if any(bit(bitmap, i) for i in range(depth, 8 * len(bitmap))) or depth and not bit(bitmap, depth - 1):
        raise Refused("bitmap")
    siblings = [reader.fixed(32) if bit(bitmap, i) else ZERO for i in range(depth)]
    if any(sibling == ZERO for i, sibling in enumerate(siblings) if bit(bitmap, i)):
        raise Refused("an empty sibling is written out")
    return end, siblings


def read_certificate(reader):
    """Fields of a certificate in the JSON's own form."""
    value = {"epoch": reader.integer(4), "height": reader.integer(8), "round": reader.integer(4)}
    value["phase"] = reader.integer(1)
    if value["phase"] != 0:
        raise Refused("phase")
    value["header"] = reader.fixed(32).hex()
    value["signatures"] = reader.sequence(
        1, 100,
        lambda: {"validator": reader.integer(4), "time": reader.integer(8), "signature": reader.suited(64).hex()})
    ascending([part["validator"] for part in value["signatures"]])
    return value


HEADER_ROOTS = ["parent", "entry", "transactions", "receipts", "state", "validators", "nextValidators"]


def read_header(reader):
    start = reader.at
    value = {"height": reader.integer(8)}
    for name in HEADER_ROOTS:
        value[name] = reader.fixed(32)
    value["rulesVersion"], value["time"], value["certificate"] = reader.integer(4), reader.integer(8), reader.fixed(32)
    value["hash"] = under("header", reader.raw[start : reader.at])
    return value


# Verifying


def quorum(count):
    faulty = (count - 1) // 3
    return faulty, -(-(count + faulty + 1) // 2)


def certificate_refusal(chain, voting, value):
    """The name of the refusal, or None where the certificate holds. `voting` are keys by organisation."""
    numbers = [part["validator"] for part in value["signatures"]]
    if any(not a < b for a, b in zip(numbers, numbers[1:])):
        return "signerTwice"
    if len(numbers) < quorum(len(voting))[1]:
        return "quorumMissed"
    for part in value["signatures"]:
        if part["validator"] not in voting:
            return "signerUnknown"
        message = vote_message(chain, value, part["time"])
        if not verifies(voting[part["validator"]], bytes.fromhex(part["signature"]), message):
            return "signatureInvalid"
    return None


def set_hash(voting):
    return under("validators", sequence(list(voting.items()), lambda item: u32(item[0]) + item[1]))


def read_set(reader):
    """Keys by organisation, in ascending order."""
    listed = reader.sequence(1, 100, lambda: (reader.integer(4), reader.suited(32)))
    ascending([number for number, _ in listed])
    return dict(listed)


def read_step(reader):
    headers = reader.sequence(1, 8, lambda: read_header(reader))
    return headers, read_certificate(reader), reader.option(lambda: read_set(reader))


LIGHT_FAULTS = {"heightTooOld", "changeUnseen", "validatorsForeign", "changeUncertified"}


class LightClient:
    """Follows the sets of validators from header to header; `start` is a header from which to begin."""

    def __init__(self, chain, voting, start=None, time=0):
        self.chain = chain
        self.head = {"height": 0, "hash": None, "time": time, "epoch": 0} if start is None else {**start, "epoch": 0}
        begins = 0 if start is None else start["height"] + (start["validators"] != start["nextValidators"])
        self.sets = [(begins, voting)]

    def voting(self, height):
        known = [voting for first, voting in self.sets if first <= height]
        return known[-1] if known else None

    def advance(self, headers, carried, comes):
        if headers[0]["height"] <= self.head["height"]:
            raise Refused("heightNotAbove")
        if not are_linked(headers):
            raise Refused("headersBroken")
        last = headers[-1]
        if last["hash"].hex() != carried["header"] or last["height"] != carried["height"]:
            raise Refused("certificateForeign")
        if headers[0]["height"] == self.head["height"] + 1 and headers[0]["parent"] != self.head["hash"] is not None:
            raise Refused("parentForeign")
        for a, b in zip([self.head, *headers], headers):
            if b["time"] < a["time"] + b["height"] - a["height"]:
                raise Refused("timeBack")
        if carried["epoch"] < self.head["epoch"]:
            raise Refused("epochBack")
        for h in headers:
            self.check_sets(h, h is last)
        is_new = last["nextValidators"] != set_hash(self.sets[-1][1])
        if comes is None and is_new:
            raise Refused("setMissing")
        if comes is not None and set_hash(comes) != last["nextValidators"]:
            raise Refused("setForeign")
        self.check_certificate(carried)
        self.head = {**last, "epoch": carried["epoch"]}
        if is_new:
            self.sets.append((last["height"] + 1, comes))

    def check(self, headers, carried):
        """Of headers that are a chain up to the certified one."""
        for h in headers:
            self.check_sets(h, h is headers[-1])
        self.check_certificate(carried)

    def check_sets(self, header, is_last):
        voting, height = self.voting(header["height"]), header["height"]
        if voting is None:
            raise Refused("heightTooOld")
        if header["validators"] != set_hash(voting):
            raise Refused("changeUnseen" if height > self.head["height"] + 1 else "validatorsForeign")
        is_new = height > self.head["height"]
        if not (is_new and is_last) and header["nextValidators"] != set_hash(self.voting(height + 1)):
            raise Refused("changeUncertified" if is_new else "validatorsForeign")

    def check_certificate(self, carried):
        refusal = certificate_refusal(self.chain, self.voting(carried["height"]), carried)
        if refusal is not None:
            raise Refused(refusal)


def read_subject(reader):
    """What is said, as the vectors show it, and what shows it under a header."""
    variant = reader.length()
    if variant == 0:
        who, code = reader.fixed(16), reader.unit()
        totals = reader.option(lambda: reader.fixed(4 * 8 + 32))
        names_at = reader.at
        roots = reader.sequence(0, 64, lambda: (reader.text(32), reader.fixed(32)))
        named = reader.raw[names_at : reader.at]
        if any(not name.isascii() for name, _ in roots):
            raise Refused("name")
        ascending([name for name, _ in roots])
        return (who.hex(), code, totals), (named, dict(roots), read_state_path(reader))
    if variant == 1:
        said, path = read_receipt(reader), read_list_path(reader)
        return (said, path[0], path[1]), path
    raise Refused("subject")


def is_receipt(said):
    return isinstance(said[0], bytes)


def check_subject(subject, under_header):
    said, shown_by = subject
    if is_receipt(said):
        root = counted(list_path_root(shown_by, under("receipt", said[0])), said[2])
        if root != under_header["receipts"]:
            raise Refused("path")
        return
    who, code, totals = said
    named, roots, path = shown_by
    if under("state-root", named) != under_header["state"]:
        raise Refused("state")
    name = under("leaf", bytes.fromhex(who) + unit_key(code))
    value = None if totals is None else under("row", totals)
    if not state_path_holds(path, name, value, roots.get("holdings", ZERO)):
        raise Refused("path")


def are_linked(headers):
    return all(b["height"] == a["height"] + 1 and b["parent"] == a["hash"] for a, b in zip(headers, headers[1:]))


class ProofChecker:
    """Verifies whole proofs from their bytes against one genesis."""

    def __init__(self, raw):
        self.chain = under("genesis", raw)
        self.voting = read_genesis(raw)

    def verify(self, raw, client=None):
        reader = Reader(raw)
        if reader.fixed(7) != b"LFPROOF" or reader.fixed(1) != b"\x01":
            raise Refused("magic")
        chain, subject = reader.fixed(32), read_subject(reader)
        headers = reader.sequence(1, 1024, lambda: read_header(reader))
        carried = read_certificate(reader)
        closing = under("proof", raw[: reader.at])
        if reader.fixed(32) != closing:
            raise Refused("digest")
        reader.finish()

        if chain != self.chain:
            raise Refused("genesis")
        if not are_linked(headers):
            raise Refused("headers")
        first, last = headers[0], headers[-1]
        if last["hash"].hex() != carried["header"] or last["height"] != carried["height"]:
            raise Refused("headers")
        try:
            (client or LightClient(self.chain, self.voting)).check(headers, carried)
        except Refused as error:
            raise Refused("validators" if str(error) in LIGHT_FAULTS else "certificate") from error
        check_subject(subject, first)
        return {
            "height": str(first["height"]), "time": str(first["time"]), "stateRoot": first["state"].hex(),
            "subject": subject[0], "signers": [part["validator"] for part in carried["signatures"]],
        }


SIDE_BYTES_MAX = 960 * 1024 - 16_384


def verify_side(raw, anchor):
    """Verifies a side proof from its bytes under an anchor's bytes."""
    reader = Reader(anchor)
    anchored_chain, anchored_height, anchored_hash = reader.fixed(32), reader.integer(8), reader.fixed(32)
    reader.finish()
    reader = Reader(raw)
    if len(raw) > SIDE_BYTES_MAX or reader.fixed(6) != b"LFSIDE" or reader.fixed(1) != b"\x01":
        raise Refused("magic or size")
    chain, subject = reader.fixed(32), read_subject(reader)
    headers = reader.sequence(1, 1024, lambda: read_header(reader))
    closing = under("side-proof", raw[: reader.at])
    if reader.fixed(32) != closing:
        raise Refused("digest")
    reader.finish()

    first, last = headers[0], headers[-1]
    for holds, refusal in [
        (chain == anchored_chain, "genesis"), (first["height"] <= anchored_height, "anchorBelow"),
        (are_linked(headers), "headersBroken"), (last["height"] == anchored_height, "heightForeign"),
        (last["hash"] == anchored_hash, "headerForeign"),
    ]:
        if not holds:
            raise Refused(refusal)
    check_subject(subject, first)
    said = subject[0]
    if is_receipt(said):
        claim = length(1) + said[0][:32]
    else:
        claim = length(0) + u64(first["height"]) + bytes.fromhex(said[0]) + text(said[1])
    return {
        "height": str(first["height"]), "time": str(first["time"]), "subject": said,
        "key": under("side-claim", chain + claim).hex(),
    }


# The files


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, place, found, expected):
        if found == expected:
            self.passed += 1
        else:
            self.failed += 1
            show = [v.hex() if isinstance(v, bytes) else repr(v) for v in (found, expected)]
            print(f"{place}: {show[0][:300]} is not {show[1][:300]}", file=sys.stderr)

    def refuses(self, place, body, reason=None):
        try:
            body()
        except Refused as error:
            self.check(place, str(error) if reason else None, reason)
        else:
            self.check(place, "accepted", reason or "a refusal")


def check_bcs(file, tally):
    encoders = {
        "u8": u8, "u16": u16, "u32": u32, "u64": u64, "bool": boolean, "length": length, "string": text,
        "bytes": hex_string, "optional-u64": lambda v: option(v, u64),
    }
    readers = {
        "u8": lambda r: r.integer(1), "u16": lambda r: r.integer(2), "u32": lambda r: r.integer(4),
        "u64": lambda r: str(r.integer(8)), "bool": lambda r: r.boolean(), "length": lambda r: r.length(),
        "string": lambda r: r.text(1000), "bytes": lambda r: r.byte_string(1000).hex(),
        "optional-u64": lambda r: r.option(lambda: str(r.integer(8))),
    }
    for value in file["values"]:
        raw = bytes.fromhex(value["bytes"])
        tally.check(f"bcs {value['type']}", encoders[value["type"]](value["value"]), raw)
        reader = Reader(raw)
        tally.check(f"bcs read {value['type']}", readers[value["type"]](reader), value["value"])
        reader.finish()
    for value in file["refused"]:

        def read(value=value):
            reader = Reader(bytes.fromhex(value["bytes"]))
            readers[value["type"]](reader)
            reader.finish()

        tally.refuses(f"bcs refused {value}", read)


def check_accounts(file, tally):
    for value in file["accounts"]:
        tally.check("account", bech32m("lf", bytes.fromhex(value["bytes"])), value["text"])
        tally.check("account", account_of_text(value["text"]).hex(), value["bytes"])
    for value in file["refused"]:
        tally.refuses(f"account {value}", lambda value=value: account_of_text(value))


def check_genesis(file, tally):
    for value in file["genesis"]:
        raw, listed = genesis(value["fields"]), validators(value["fields"])
        tally.check("genesis", raw.hex(), value["bytes"])
        tally.check("genesis hash", under("genesis", raw).hex(), value["hash"])
        tally.check("validators", listed.hex(), value["validators"])
        tally.check("validators hash", under("validators", listed).hex(), value["validatorsHash"])
        tally.check("genesis read", len(read_genesis(raw)), listed[0])


def check_operations(file, tally):
    for value in file["operations"]:
        tally.check(f"operation {value['fields']['operation']}", operation(value["fields"]).hex(), value["bytes"])
    found = {value["fields"]["operation"] for value in file["operations"]}
    tally.check("kinds of operation", found, {name for name, _ in OPERATIONS})


def check_transactions(file, tally):
    chain = bytes.fromhex(file["genesis"])
    for value in file["transactions"]:
        raw = body(value["fields"])
        seeds = [bytes.fromhex(seed) for seed in value["seeds"]]
        message = tagged("transaction-signature") + chain + raw
        signed = [sign(seed, message) for seed in seeds]
        envelope = raw + b"".join(signed)
        tally.check("body", raw.hex(), value["body"])
        tally.check("transaction id", under("transaction-body", raw).hex(), value["id"])
        tally.check("signed bytes", message.hex(), value["signed"])
        tally.check("signatures", [s.hex() for s in signed], value["signatures"])
        tally.check("keys", [public_key(seed).hex() for seed in seeds], [s["key"] for s in value["fields"]["signers"]])
        tally.check("envelope", envelope.hex(), value["envelope"])
        tally.check("envelope digest", under("envelope", envelope).hex(), value["envelopeDigest"])
    value = file["ticket"]
    message = tagged("ticket") + chain + u32(value["organisation"]) + open_line(value["line"])
    message += u64(value["validUntil"])
    tally.check("ticket", message.hex(), value["signed"])
    tally.check("ticket signature", sign(bytes.fromhex(value["seed"]), message).hex(), value["signature"])
    for value in file["naturalKeys"]:
        raw = natural_key(value)
        tally.check("natural key", raw.hex(), value["bytes"])
        tally.check("its digest", under("natural-key", u32(value["issuer"]) + raw).hex(), value["digest"])


def check_receipts(file, tally):
    for value in file["receipts"]:
        raw = receipt(value["fields"])
        tally.check("receipt", raw.hex(), value["bytes"])
        tally.check("receipt leaf", under("receipt", raw).hex(), value["leaf"])
        tally.check("receipt read", read_receipt(Reader(raw)), raw)


def check_entries(file, tally):
    chain = bytes.fromhex(file["genesis"])
    for value in file["entries"]:
        raw = u64(value["position"]) + digest(value["previous"]) + u32(value["proposer"])
        raw += option(value["certificate"], certificate)
        raw += option(value["epoch"], lambda statements: sequence(statements, epoch_statement))
        raw += sequence(value["transactions"], hex_string)
        message = tagged("entry-signature") + chain + under("entry", raw)
        raw += sign(bytes.fromhex(value["seed"]), message)
        tally.check("entry", raw.hex(), value["bytes"])
        tally.check("entry hash", under("entry", raw).hex(), value["hash"])


def lower_median(times):
    return sorted(times)[(len(times) - 1) // 2]


def check_headers(file, tally):
    for value in file["headers"]:
        raw = header(value["fields"])
        tally.check("header", raw.hex(), value["bytes"])
        tally.check("header hash", under("header", raw).hex(), value["hash"])
        tally.check("header read", read_header(Reader(raw))["hash"].hex(), value["hash"])
    for value in file["times"]:
        times = [int(time) for time in value["times"] or ["0"]]
        tally.check(f"time {value}", str(max(int(value["parent"]) + 1, min(lower_median(times), TIME_MAX))), value["time"])


def check_votes(file, tally):
    chain = bytes.fromhex(file["genesis"])
    for value in file["votes"]:
        message = vote_message(chain, value, value["time"])
        signed = sign(bytes.fromhex(value["seed"]), message)
        raw = u32(value["epoch"]) + u64(value["height"]) + u32(value["round"]) + u8(value["phase"])
        raw += digest(value["header"]) + u64(value["time"]) + u32(value["validator"]) + signed
        tally.check("vote", message.hex(), value["signed"])
        tally.check("vote signature", signed.hex(), value["signature"])
        tally.check("vote bytes", raw.hex(), value["bytes"])


def check_certificates(file, tally):
    chain = bytes.fromhex(file["genesis"])
    reader = Reader(bytes.fromhex(file["validators"]))
    voting = dict(reader.sequence(1, 100, lambda: (reader.integer(4), reader.suited(32))))
    reader.finish()
    for value in file["certificates"]:
        fields, raw = value["fields"], certificate(value["fields"])
        times = [int(part["time"]) for part in fields["signatures"]] or [0]
        tally.check("certificate", raw.hex(), value["bytes"])
        tally.check("certificate hash", under("certificate", raw).hex(), value["hash"])
        tally.check("median", str(lower_median(times)), value["medianTime"])
        tally.check("refusal", certificate_refusal(chain, voting, fields), value["refusal"])
        if value["refusal"] == "signerTwice":
            tally.refuses("certificate read", lambda raw=raw: read_certificate(Reader(raw)))
        elif fields["signatures"]:
            tally.check("certificate read", certificate(read_certificate(Reader(raw))), raw)
    for value in file["quorums"]:
        tally.check(f"quorum of {value['n']}", quorum(value["n"]), (value["f"], value["q"]))
    tally.check("quorums", [value["n"] for value in file["quorums"]], list(range(1, 101)))


def check_lists(file, tally):
    for value in file["lists"]:
        leaves = [digest(leaf) for leaf in value["leaves"]]
        root = list_root(leaves)
        tally.check("list root", root.hex(), value["root"])
        tally.check("counted root", counted(root, len(leaves)).hex(), value["countedRoot"])
        for index, raw in enumerate(value["paths"]):
            reader = Reader(bytes.fromhex(raw))
            path = read_list_path(reader)
            reader.finish()
            tally.check("path", path[:2], (index, len(leaves)))
            tally.check("path root", list_path_root(path, leaves[index]), root)


def check_state(file, tally):
    for tree in file["trees"]:
        pairs = [(digest(name), digest(value)) for name, value in tree["pairs"]]
        root = state_root(pairs)
        tally.check("state tree", root.hex(), tree["root"])
        for proof in tree["proofs"]:
            name, value = digest(proof["key"]), proof["value"] and digest(proof["value"])
            tally.check("state value", dict(pairs).get(name), value)
            reader = Reader(bytes.fromhex(proof["proof"]))
            path = read_state_path(reader)
            reader.finish()
            tally.check("state path", state_path_holds(path, name, value, root), True)
            tally.check("state path, turned", state_path_holds(path, name, None if value else ZERO, root), False)
    for value in file["subRoots"]:
        raw = sequence(value["roots"], lambda v: text(v["name"]) + digest(v["root"]))
        tally.check("sub-roots", raw.hex(), value["bytes"])
        tally.check("state root", under("state-root", raw).hex(), value["stateRoot"])
    for value in file["holdings"]:
        raw = summary(value["summary"])
        tally.check("holding", raw.hex(), value["bytes"])
        name = under("leaf", account(value["account"]) + unit_key(value["unit"]))
        tally.check("holding key", name.hex(), value["leafKey"])
        tally.check("holding value", under("row", raw).hex(), value["leafValue"])


def subject_of(said):
    """A subject's fields as they are read."""
    if "account" in said:
        return said["account"], said["unit"], None if said["summary"] is None else summary(said["summary"])
    return receipt(said["receipt"]), said["index"], said["count"]


def refuses_altered(tally, place, raw, verify):
    """Any byte altered is a refusal."""
    for index in range(len(raw)):
        changed = bytearray(raw)
        changed[index] ^= 1 << index % 8
        tally.refuses(f"{place}, byte {index}", lambda changed=changed: verify(bytes(changed)))


def check_proofs(file, tally):
    checker = ProofChecker(bytes.fromhex(file["genesis"]))
    for value in file["proofs"]:
        raw, place = bytes.fromhex(value["bytes"]), f"proof {value['name']}"
        try:
            found = checker.verify(raw)
        except Refused as error:
            tally.check(place, f"refused: {error}", "accepted")
            continue
        tally.check(place, found["subject"], subject_of(value["subject"]))
        for name in ["height", "time", "stateRoot", "signers"]:
            tally.check(f"{place} {name}", found[name], value[name])
        tally.check(place, (len(checker.voting), quorum(len(checker.voting))[1]), (value["validators"], value["quorum"]))
        # Check 20.
        refuses_altered(tally, place, raw, checker.verify)
    for value in file["refused"]:
        raw = bytes.fromhex(value["bytes"])
        # Signers out of order are no certificate already when they are read, here as in every implementation.
        reason = value["refusal"]
        try:
            checker.verify(raw)
        except Refused as error:
            unreadable = {"not in order", "list is too short"} if reason == "certificate" else set()
            tally.check(f"proof {value['name']}", str(error) in {reason} | unreadable, True)
        else:
            tally.check(f"proof {value['name']}", "accepted", reason)


def check_side_proofs(file, tally):
    # One key for each transaction of each ledger, and for each holding at each height.
    keys = {}
    for value in file["proofs"]:
        raw, anchor = bytes.fromhex(value["bytes"]), bytes.fromhex(value["anchor"])
        place = f"side proof {value['name']}"
        fields = digest(value["genesis"]) + u64(value["anchorHeight"]) + digest(value["header"])
        tally.check(f"{place} anchor", fields, anchor)
        try:
            found = verify_side(raw, anchor)
        except Refused as error:
            tally.check(place, f"refused: {error}", "accepted")
            continue
        tally.check(place, found["subject"], subject_of(value["subject"]))
        for name in ["height", "time", "key"]:
            tally.check(f"{place} {name}", found[name], value[name])
        said = found["subject"]
        claim = said[0][:32] if is_receipt(said) else (value["height"], *said[:2])
        keys.setdefault((value["genesis"], claim), set()).add(value["key"])
        refuses_altered(tally, place, raw, lambda changed, anchor=anchor: verify_side(changed, anchor))
        refuses_altered(tally, f"{place} anchor", anchor, lambda changed, raw=raw: verify_side(raw, changed))
    tally.check("one key a claim", {len(found) for found in keys.values()}, {1})
    tally.check("keys", len(set().union(*keys.values())), len(keys))
    tally.check("claims that came twice", len(keys) < len(file["proofs"]), True)
    for value in file["refused"]:
        raw, anchor = bytes.fromhex(value["bytes"]), bytes.fromhex(value["anchor"])
        reason = value["refusal"] if value["readable"] else "list is too short"
        tally.refuses(f"side proof {value['name']}", lambda raw=raw, anchor=anchor: verify_side(raw, anchor), reason)


def check_light(file, tally):
    raw = bytes.fromhex(file["genesis"])
    checker = ProofChecker(raw)

    def step_of(value):
        reader = Reader(bytes.fromhex(value["bytes"]))
        step = read_step(reader)
        reader.finish()
        return step

    def follow(client, values):
        for value in values:
            client.advance(*step_of(value))
            tally.check("light height", str(client.head["height"]), value["height"])
            tally.check("light header", client.head["hash"].hex(), value["header"])
            tally.check("light validators", set_hash(client.sets[-1][1]).hex(), value["validators"])
        return client

    def begin(count=0):
        return follow(LightClient(checker.chain, checker.voting), file["steps"][:count])

    begin(len(file["steps"]))
    start = file["checkpoint"]
    header, voting = (
        read(Reader(bytes.fromhex(start[name]))) for name, read in [("header", read_header), ("validators", read_set)])
    tally.check("checkpoint", header["hash"].hex(), start["hash"])
    follow(LightClient(checker.chain, voting, start=header), file["steps"][start["skips"] :])
    proof = file["proof"]
    for count in range(len(file["steps"]) + 1):
        def verify(count=count):
            return checker.verify(bytes.fromhex(proof["bytes"]), begin(count))
        if count < proof["needs"]:
            tally.refuses("proof before its change", verify)
        else:
            tally.check("proof after its change", verify()["signers"], proof["signers"])
    for value in file["forgeries"]:
        place = f"forged step, {value['name']}"
        if not value["readable"]:
            tally.refuses(place, lambda value=value: step_of(value))
            continue
        client = begin(value["after"])
        before = (client.head, list(client.sets))
        try:
            client.advance(*step_of(value))
        except Refused as error:
            tally.check(place, str(error), value["refusal"])
        else:
            tally.check(place, "accepted", value["refusal"])
        tally.check(f"{place}: nothing changed", (client.head, client.sets) == before, True)


FILES = {
    "bcs": check_bcs,
    "accounts": check_accounts,
    "genesis": check_genesis,
    "operations": check_operations,
    "transactions": check_transactions,
    "receipts": check_receipts,
    "entries": check_entries,
    "headers": check_headers,
    "light": check_light,
    "votes": check_votes,
    "certificates": check_certificates,
    "lists": check_lists,
    "state": check_state,
    "proofs": check_proofs,
    "side-proofs": check_side_proofs,
}


def main():
    tally = Tally()
    # A file that this knows nothing of is a disagreement, too.
    tally.check("files", sorted(path.stem for path in VECTORS.glob("*.json")), sorted(FILES))
    for name, check in FILES.items():
        path = VECTORS / f"{name}.json"
        if path.exists():
            check(json.loads(path.read_text(encoding="utf-8")), tally)
    print(f"vectors: {tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
