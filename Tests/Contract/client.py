"""A small client of the HTTP interface: keys, account ids, signing, tokens. The node does the encoding.

The bytes to sign come from POST /v1/transactions/prepare, so nothing of the ledger's format is written down here but
the three things that the interface leaves to its users: account ids, the bytes of a ticket, and the order of an envelope.
"""

import hashlib
import pathlib
import threading
import time

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def checksum(values):
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for index, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            if top >> index & 1:
                check ^= generator
    return check


def account_id(data):
    """16 bytes as the Bech32m text of an account."""
    number, values = int.from_bytes(data, "big") << 2, []
    for shift in range(125, -1, -5):
        values.append(number >> shift & 31)
    expanded = [3, 3, 0, ord("l") & 31, ord("f") & 31]
    check = checksum(expanded + values + [0] * 6) ^ 0x2BC830A3
    values += [check >> 5 * (5 - index) & 31 for index in range(6)]
    return "lf1" + "".join(ALPHABET[value] for value in values)


def account_bytes(text):
    number = 0
    for character in text[3:-6]:
        number = number << 5 | ALPHABET.index(character)
    return (number >> 2).to_bytes(16, "big")


class Key:
    """An Ed25519 key and its public half as the interface writes it."""

    def __init__(self, seed):
        self.seed = seed
        self.secret = Ed25519PrivateKey.from_private_bytes(seed)
        raw = self.secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = "01" + raw.hex()

    @staticmethod
    def named(name):
        """The same key for the same name, whatever else happens."""
        return Key(hashlib.sha256(b"lianfen contract test " + name.encode()).digest())

    @staticmethod
    def of_file(path):
        """The key of a development chain, which is stored in the clear: magic, version, variant 0, seed, public key."""
        data = pathlib.Path(path).read_bytes()
        assert data[:7] == b"LFKEY\x01\x00", "a clear key file"
        key = Key(data[7:39])
        assert data[39:].hex() == key.public, "the public key belongs to the seed"
        return key

    def sign(self, message):
        return "01" + self.secret.sign(message).hex()


class Refused(Exception):
    """An answer that is not the one hoped for."""


class Client:
    def __init__(self, url):
        self.url = url
        self.local = threading.local()
        self.genesis = self.get("/v1/genesis")["genesis"]["hash"]

    @property
    def session(self):
        if not hasattr(self.local, "session"):
            self.local.session = requests.Session()
        return self.local.session

    def get(self, path, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.session.get(self.url + path, headers=headers, timeout=30)
        if answer.status_code != 200:
            raise Refused(f"GET {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def post(self, path, json):
        answer = self.session.post(self.url + path, json=json, timeout=60)
        if answer.status_code not in (200, 201):
            raise Refused(f"POST {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def prepare(self, body):
        return self.post("/v1/transactions/prepare", body)["prepared"]

    def signed(self, operations, signers):
        """A signed transaction: `signers` are (party, key)."""
        body = {
            "signers": [{"party": party, "key": key.public} for party, key in signers],
            "operations": operations,
        }
        prepared = self.prepare(body)
        message = bytes.fromhex(prepared["signingBytes"])
        signatures = [key.sign(message) for _, key in signers]
        return {**prepared["body"], "signatures": signatures}, prepared

    def envelope(self, operations, signers):
        """The same as canonical bytes: the body, then the signatures."""
        transaction, prepared = self.signed(operations, signers)
        return bytes.fromhex(prepared["bytes"] + "".join(transaction["signatures"]))

    def submit(self, operations, signers):
        transaction, _ = self.signed(operations, signers)
        answer = self.post("/v1/transactions", transaction)
        if answer["transaction"]["result"] != "done":
            raise Refused(f"{operations}: {answer}")
        return answer

    def token(self, principal, key):
        asked = {"principal": principal, "key": key.public}
        challenge = self.post("/v1/challenges", asked)
        signature = key.sign(bytes.fromhex(challenge["signingBytes"]))
        return self.post("/v1/tokens", {**asked, "challenge": challenge["challenge"], "signature": signature})["token"]

    def ticket(self, organisation, key, line, valid_until):
        """An organisation's word for one account: tag, genesis, organisation, line, time."""
        tag = b"lianfen/1/ticket"
        message = bytes([len(tag)]) + tag + bytes.fromhex(self.genesis) + organisation.to_bytes(4, "little")
        message += account_bytes(line["account"]) + bytes([ROLES.index(line.get("role", "consumer"))])
        for name in ("credential", "guardian"):
            value = line.get(name)
            message += b"\x00" if value is None else b"\x01" + bytes.fromhex(value)
        message += valid_until.to_bytes(8, "little")
        return {
            "organisation": organisation,
            "validUntil": str(valid_until),
            "key": key.public,
            "signature": key.sign(message),
        }


ROLES = ["consumer", "guide", "store", "dealer", "treasury", "escrow"]


def now():
    return int(time.time() * 1000)
