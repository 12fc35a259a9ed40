#!/usr/bin/env python3
"""A till's whole round against a node, over HTTP alone: round.py URL DIR

URL is the node's base address. DIR holds `genesis` and `keys/1-issuing.key` of a development chain. `lianfen` has to be
on the path, for checking a proof offline. The program shares no code with the ledger: it needs Python and its package
`cryptography` only, and its digests and account ids are made anew here. It may be run again on the same
chain: accounts and order numbers are drawn each time. It prints a line a step, and exits 0 only if every check held.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

UNIT = "ROUND"
RUN = secrets.token_hex(4)  # makes this run's order numbers its own


# Checks. `assert` would vanish under `python -O`.

def same(found: Any, wanted: Any, what: str) -> None:
    if found != wanted:
        raise SystemExit(f"FAILED: {what}: found {found!r}, wanted {wanted!r}")


def covers(answer: Any, asked: Any) -> bool:
    """Whether the answer has all that was asked for; it may have more members, such as defaults that were filled in."""
    if isinstance(asked, dict):
        return isinstance(answer, dict) and all(n in answer and covers(answer[n], v) for n, v in asked.items())
    if isinstance(asked, list):
        return isinstance(answer, list) and len(answer) == len(asked) and all(map(covers, answer, asked))
    return answer == asked


# Digests under a domain tag, account ids.

def tag(domain: str) -> bytes:
    text = f"lianfen/1/{domain}".encode()
    return bytes([len(text)]) + text


def digest(domain: str, data: bytes) -> bytes:
    return hashlib.sha256(tag(domain) + data).digest()


BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def account_text(raw: bytes) -> str:
    """Bech32m (BIP 350) of 16 bytes, with `lf` before it."""
    number = int.from_bytes(raw, "big") << 2  # 128 bits, in 26 groups of five
    data = [number >> shift & 31 for shift in range(125, -1, -5)]
    prefix = [ord(c) >> 5 for c in "lf"] + [0] + [ord(c) & 31 for c in "lf"]
    check = 1
    for value in prefix + data + [0] * 6:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for bit, term in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= term if top >> bit & 1 else 0
    check ^= 0x2BC830A3
    return "lf1" + "".join(BECH32[v] for v in data + [check >> shift & 31 for shift in range(25, -1, -5)])


@dataclass
class Signer:
    """A party and the key by which it signs. Keys never leave this program."""

    party: dict[str, Any]
    secret: Ed25519PrivateKey
    account: str = ""
    raw: bytes = b""  # the account's 16 bytes

    @property
    def key(self) -> str:
        return "01" + self.secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def sign(self, message: bytes) -> str:
        return "01" + self.secret.sign(message).hex()


def new_member() -> Signer:
    raw = secrets.token_bytes(16)
    return Signer({"account": account_text(raw)}, Ed25519PrivateKey.generate(), account_text(raw), raw)


# The node.

@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Node:
    def __init__(self, url: str, genesis: bytes) -> None:
        self.url = urlsplit(url)
        self.genesis = digest("genesis", genesis)

    def open(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[Any, http.client.HTTPResponse]:
        """Sends a request on a connection of its own. In the names of headers, `_` stands for `-`."""
        line = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=45)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = json.dumps(body) if body else None
        line.request(method, path, data, named | ({"Content-Type": "application/json"} if data else {}))
        return line, line.getresponse()

    def ask(self, method: str, path: str, body: Any = None, token: str = "", status: int = 200,
            **headers: str) -> Answer:
        """Sends a request, and the same again where the answer says: not yet, or not now. Checks the status."""
        if token:
            headers["Authorization"] = f"Bearer {token}"
        for _ in range(20):
            line, response = self.open(method, path, body, **headers)
            answer = Answer(response.status, response.headers, response.read())
            line.close()
            if answer.status not in (202, 429, 503):
                break
            time.sleep(float(answer.headers.get("Retry-After", 1)))
        same(answer.status, status, f"status of {method} {path} ({answer.body[:1000]!r})")
        return answer

    def get(self, path: str, token: str = "") -> Any:
        return self.ask("GET", path, token=token).json

    def build(self, signer: Signer, *operations: dict[str, Any]) -> dict[str, Any]:
        """Has a transaction prepared, checks it against what was asked for, and signs it.

        That the bytes say what the body says is the node's word here. A signer that trusts no node encodes the body.
        """
        asked = {"signers": [{"party": signer.party, "key": signer.key}], "operations": list(operations)}
        prepared = self.ask("POST", "/v1/transactions/prepare", asked).json["prepared"]
        body, raw = prepared["body"], bytes.fromhex(prepared["bytes"])
        same(covers(body, asked), True, "whether the prepared body is what was asked for")
        same(prepared["id"], digest("transaction-body", raw).hex(), "the transaction's id")
        message = tag("transaction-signature") + self.genesis + raw
        same(prepared["signingBytes"], message.hex(), "the bytes to sign")
        return body | {"signatures": [signer.sign(message)]}

    def post(self, transaction: Any, status: int = 200, path: str = "/v1/transactions", **headers: str) -> Answer:
        return self.ask("POST", path, transaction, status=status, **headers)

    def submit(self, transaction: Any, path: str = "/v1/transactions", **headers: str) -> Answer:
        """Posts what has to take effect whole."""
        answer = self.post(transaction, path=path, **headers)
        same(answer.json["transaction"]["state"], "certified", "state")
        same(answer.json["receipt"]["result"], "done", "result")
        for outcome in answer.json["receipt"]["outcomes"]:
            same(outcome.get("exceptions") or [], [], "lines that did not take effect")
        return answer

    def do(self, signer: Signer, *operations: dict[str, Any]) -> dict[str, Any]:
        """Builds, signs, submits; gives the receipt."""
        return self.submit(self.build(signer, *operations)).json["receipt"]

    def token(self, signer: Signer) -> str:
        reader = {"principal": signer.party, "key": signer.key}
        given = self.ask("POST", "/v1/challenges", reader, status=201).json
        message = tag("session") + self.genesis + bytes.fromhex(given["challenge"])
        same(given["signingBytes"], message.hex(), "the challenge's bytes to sign")
        signed = reader | {"challenge": given["challenge"], "signature": signer.sign(message)}
        return self.ask("POST", "/v1/tokens", signed, status=201).json["token"]

    def balance(self, member: Signer, token: str, *wanted: int) -> None:
        """Reads a balance and compares it: available, held, pending, debt."""
        found = self.get(f"/v1/accounts/{member.account}/balances/{UNIT}", token)["balance"]
        same(tuple(int(found[n]) for n in ("available", "held", "pending", "debt")), wanted, "balance")


def refused(answer: Answer, code: str, **members: Any) -> dict[str, Any]:
    """Checks a problem document (RFC 9457): its members, and that it has its texts. Gives it."""
    same(answer.headers.get_content_type(), "application/problem+json", "media type")
    found = answer.json
    wanted = {"type": f"urn:lianfen:problem:{code}", "code": code, "status": answer.status, "retryable": False}
    wanted |= members
    same({name: found.get(name) for name in wanted}, wanted, "the problem")
    same(all((found["title"], found["detail"], found["message"]["en"], found["message"]["zh"])), True, "its texts")
    return found


def check_statement(proof: bytes, genesis: bytes, member: Signer) -> tuple[int, ...]:
    """Reads whom a balance's proof is about and its four figures, all at fixed places, and checks its closing digest.

    What makes the statement true, the path to the state root and the signatures, is left to `lianfen proof verify`.
    """
    start = b"LFPROOF\x01" + genesis + b"\x00" + member.raw + bytes([len(UNIT)]) + UNIT.encode() + b"\x01"
    same(proof[:len(start)], start, "the proof's beginning: its chain, account and unit")
    same(proof[-32:], digest("proof", proof[:-32]), "the proof's closing digest")
    return tuple(int.from_bytes(proof[at:at + 8], "little") for at in range(len(start), len(start) + 32, 8))


# Operations.

def key(number: int) -> dict[str, str]:
    return {"source": "till", "order": f"{RUN}-{number}"}


def accrue(member: Signer, number: int, amount: int, pending: bool = False) -> dict[str, Any]:
    line = {"account": member.account, "key": key(number), "amount": str(amount), "pending": pending}
    return {"kind": "accrue", "unit": UNIT, "all": True, "lines": [line]}


def total(kind: str, number: int, amount: int) -> dict[str, Any]:
    return {"kind": kind, "unit": UNIT, "all": True, "lines": [{"key": key(number), "total": str(amount)}]}


def redeem(member: Signer, amount: int, reference: str) -> dict[str, Any]:
    return {"kind": "redeem", "account": member.account, "unit": UNIT, "amount": str(amount), "reference": reference}


def main(url: str, directory: Path) -> None:
    genesis = (directory / "genesis").read_bytes()
    node = Node(url, genesis)
    # A development chain's key file holds the seed in the clear, in bytes 7 to 38.
    seed = (directory / "keys" / "1-issuing.key").read_bytes()[7:39]
    mall = Signer({"organisation": 1}, Ed25519PrivateKey.from_private_bytes(seed))
    anna, ben = new_member(), new_member()

    same(node.get("/readyz"), {"status": "ready"}, "readiness")
    same(node.get("/v1/chain")["chain"]["genesis"], node.genesis.hex(), "the node's chain")
    print("connect: the node serves the chain of our genesis")

    token = node.token(mall)
    if UNIT not in [unit["program"]["unit"] for unit in node.get("/v1/units?limit=500", token)["items"]]:
        refused(node.ask("GET", f"/v1/units/{UNIT}", token=token, status=404), "unit-not-found")
        node.do(mall, {"kind": "publish", "issuer": 1, "program": {
            "unit": UNIT, "currency": "CNY", "faceMinor": "1", "facePoints": "1",
            "expiry": {"months": 12, "zone": {"0": 480}}}})
    same(node.get(f"/v1/units/{UNIT}", token)["unit"]["issuer"], 1, "issuer")
    print("publish: the unit is there")

    lines = [{"account": who.account, "credential": who.key} for who in (anna, ben)]
    opened = node.do(mall, {"kind": "open", "organisation": 1, "all": True, "lines": lines})
    same(opened["outcomes"][0]["done"], 2, "accounts opened")
    as_anna, as_ben = node.token(anna), node.token(ben)
    node.balance(anna, as_anna, 0, 0, 0, 0)
    print("open: two accounts, and a token for each by a signed challenge")

    node.do(mall, accrue(anna, 1, 120), accrue(anna, 2, 300, pending=True), accrue(anna, 3, 40, pending=True))
    node.balance(anna, as_anna, 120, 0, 340, 0)
    print("earn: one sale is final, two are pending")

    node.do(mall, total("vest", 2, 300), total("void", 3, 40))
    node.balance(anna, as_anna, 420, 0, 0, 0)
    accrual = node.get(f"/v1/accruals/{UNIT}/till/{RUN}-3/0/0", token)["accrual"]
    same((accrual["account"], accrual["vested"], accrual["voided"]), (anna.account, "0", "40"), "what became of it")
    print("vest and void: one pending sale counts now, the other is cancelled")

    gift = {"from": anna.account, "to": ben.account, "unit": UNIT, "amount": "50"}
    signed = node.build(anna, {"kind": "transfer"} | gift)
    first = node.submit(signed, Idempotency_Key=f"gift-{RUN}")
    node.balance(anna, as_anna, 370, 0, 0, 0)
    node.balance(ben, as_ben, 50, 0, 0, 0)
    print("transfer: anna gave, ben has")

    second = node.submit(signed, Idempotency_Key=f"gift-{RUN}")
    same(first.headers["Idempotent-Replayed"], None, "the first answer's header")
    same(second.headers["Idempotent-Replayed"], "true", "the repeat's header")
    same(second.body, first.body, "the repeat's bytes")
    same(node.submit(signed).json, first.json, "the answer without a key")
    single = {name: signed[name] for name in ("nonce", "validUntil", "signers", "signatures")} | {"operation": gift}
    same(node.submit(single, "/v1/transfers").json, first.json, "the answer of the route for transfers")
    other = node.build(anna, {"kind": "freeze", "account": anna.account})
    refused(node.post(other, 422, Idempotency_Key=f"gift-{RUN}"), "idempotency-key-reused")
    node.balance(ben, as_ben, 50, 0, 0, 0)
    print("repeat: the same answer four times, nothing happened twice, and one key is good for one body")

    # Anna's own stream, from the height of her last transaction on; it is open before the next is sent.
    line, stream = node.open("GET", f"/v1/accounts/{anna.account}/events", Authorization=f"Bearer {as_anna}",
                             Last_Event_ID=first.json["height"])
    same((stream.status, stream.headers.get_content_type()), (200, "text/event-stream"), "the stream")
    basket = redeem(anna, 20, f"basket-{RUN}")
    taken = node.submit(node.build(anna, basket)).json
    node.balance(anna, as_anna, 350, 0, 0, 0)
    print("redeem: 20 points against a basket")

    event: dict[str, str] = {}
    while "data" not in event:  # comments have an empty name, and each event here has one line of data, its last
        read = stream.readline()
        same(read != b"", True, "whether the stream goes on")
        name, _, value = read.decode().rstrip("\n").partition(": ")
        event[name] = value
    line.close()
    data = json.loads(event["data"])
    same((event["event"], event["id"]), ("transaction", taken["height"]), "the event")
    same((data["id"], data["place"]), (taken["transaction"]["id"], taken["transaction"]["place"]), "its transaction")
    same(data["whole"]["transaction"]["operations"], [basket], "its operations, whole for who signed them")
    print("follow: the stream brought that redemption, and nothing before it")

    deadline = int(node.get("/v1/chain")["chain"]["time"]) + 600_000
    receipt = node.do(anna, {"kind": "reserve", "account": anna.account, "unit": UNIT, "amount": "60",
                             "organisation": 1, "use": {"redeem": f"basket-{RUN}-2"}, "deadline": str(deadline)})
    node.balance(anna, as_anna, 290, 60, 0, 0)
    commit = {"kind": "commit", "hold": receipt["outcomes"][0]["hold"], "amount": "45"}
    node.do(mall, commit)
    node.balance(anna, as_anna, 305, 0, 0, 0)
    refused(node.post(node.build(mall, commit), 409), "hold-unknown", operation=0)
    print("reserve and commit: 60 held, 45 taken, 15 back, and no second time")

    node.do(mall, total("claw-back", 1, 20))
    # It is a total: saying it again changes nothing. The line is `exists`, which is no refusal, not even under `all`.
    again = node.post(node.build(mall, total("claw-back", 1, 20))).json
    same(again["receipt"]["outcomes"][0]["exceptions"][0]["result"], "exists", "the repeated total")
    node.balance(anna, as_anna, 285, 0, 0, 0)
    node.do(mall, accrue(ben, 4, 30))
    node.do(ben, redeem(ben, 80, ""))
    node.do(mall, total("claw-back", 4, 30))
    node.balance(ben, as_ben, 0, 0, 0, 30)
    node.do(mall, accrue(ben, 5, 45))
    node.balance(ben, as_ben, 15, 0, 0, 0)
    print("return: clawed back once; what was spent became a debt, paid by the next points")

    signed = node.build(anna, redeem(anna, 5000, ""))
    refusal = refused(node.post(signed, 409), "balance-insufficient", number=38, field="$.operations[0]", operation=0)
    same(node.post(signed, 409).json, refusal, "the refusal once more")
    found = node.get(f"/v1/transactions/{refusal['transaction']}")["transaction"]
    same((found["state"], found["result"]), ("certified", refusal["code"]), "what the chain says of it")
    path = f"/v1/accounts/{anna.account}/balances/{UNIT}"
    refused(node.ask("GET", path, status=401), "token-missing")
    refused(node.ask("GET", path, token=as_ben, status=403), "not-yours")
    forged = signed | {"signatures": [ben.sign(b"something else")]}
    refused(node.post(forged, 401), "signature-invalid")
    node.balance(anna, as_anna, 285, 0, 0, 0)
    print("refusals: too much, no token, another's token, a forged signature; the balance stands")

    answer = node.ask("GET", path + "/proof", token=as_anna, Accept="application/octet-stream")
    same(check_statement(answer.body, node.genesis, anna), (285, 0, 0, 0), "what the proof states")
    altered = answer.body[:100] + bytes([answer.body[100] ^ 1]) + answer.body[101:]
    def lianfen(*words: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["lianfen", *words, "--genesis", directory / "genesis"],
                              capture_output=True, text=True, timeout=60, check=False)

    with tempfile.TemporaryDirectory() as scratch:
        file, changes = Path(scratch, "proof"), Path(scratch, "changes")
        run = lianfen("validators", "follow", "--node", node.url.geturl(), "--out", changes)
        same(run.returncode, 0, f"exit code of lianfen validators follow ({run.stdout}{run.stderr})")
        for proof, wanted in ((answer.body, 0), (altered, 1)):
            file.write_bytes(proof)
            run = lianfen("proof", "verify", file, "--changes", changes)
            same(run.returncode, wanted, f"exit code of lianfen proof verify ({run.stdout}{run.stderr})")
            same(f"{anna.account} had 285 {UNIT} available" in run.stdout, wanted == 0, "whether it vouches for it")
    print("prove: the validators are followed; the proof states the balance, holds for `lianfen proof verify`, and an altered copy does not")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: round.py URL DIR")
    main(sys.argv[1], Path(sys.argv[2]))
