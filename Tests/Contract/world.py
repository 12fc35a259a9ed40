"""What the node is given before the runs, and what the runs draw from: parties whose keys are known, points in every
state, reservations, and spare accounts for what can be done to an account only once.
"""

import random
import threading
from collections import deque

from client import Client, Key, account_id, now

UNITS = {"SPRING": 1, "RIVER": 2}
SOURCE = "contract"
ACTORS = 12
BATCH = 60
DAY = 86_400_000
# What one process tells the others of what it has filled a node with.
FILLED = ("transactions", "holds", "orders", "proposal", "certified")


class World:
    """Fills a node, or with `filled` takes up what another process has filled it with."""

    def __init__(self, url, directory, seed, filled=None):
        self.client = Client(url)
        self.random = random.Random(f"{seed}")
        self.lock = threading.RLock()
        self.issuing = {n: Key.of_file(f"{directory}/keys/{n}-issuing.key") for n in range(1, 5)}
        self.voting = Key.of_file(f"{directory}/nodes/1/voting.key")
        # Only recipes sign with these: nothing that is generated may decide about the consortium that the runs rest on.
        self.governing = {n: Key.of_file(f"{directory}/keys/{n}-governing.key") for n in range(1, 5)}
        self.culprit = (4, Key.of_file(f"{directory}/nodes/4/voting.key"))
        organisations = self.client.get("/v1/genesis")["genesis"]["organisations"]
        self.culprit_terms = next(it for it in organisations if it["id"] == self.culprit[0])
        self.keys = {}
        for key in [*self.issuing.values(), self.voting]:
            self.keys[key.public] = key
        self.strangers = [self.known(f"stranger {n}") for n in range(16)]
        self.pools = {}
        self.tokens = {}
        self.count = 0
        if filled is None:
            self.fill()
        else:
            self.actors = [(id, self.known(f"actor {id}")) for id in filled["actors"]]
            for name in FILLED:
                setattr(self, name, filled[name])

    def known(self, name):
        key = Key.named(name)
        self.keys[key.public] = key
        return key

    def filled(self):
        return {
            "actors": [id for id, _ in self.actors],
            **{name: getattr(self, name) for name in FILLED},
        }

    def fresh(self):
        """An account id that nobody has."""
        with self.lock:
            return account_id(self.random.randbytes(16))

    def order(self):
        with self.lock:
            self.count += 1
            return {"source": SOURCE, "order": f"{self.random.randrange(1 << 48):012x}-{self.count}", "line": 0, "kind": 0}

    # Filling

    def fill(self):
        self.transactions = []
        for unit, issuer in UNITS.items():
            program = {
                "unit": unit, "decimals": 0, "currency": "CNY", "faceMinor": "1", "facePoints": "1",
                "expiry": {"months": 12, "zone": {"0": 480}} if unit == "RIVER" else None,
            }  # fmt: skip
            self.submit([{"kind": "publish", "program": program, "issuer": issuer}], [self.organisation(issuer)])
        ids = [self.fresh() for _ in range(ACTORS)]
        self.actors = [(id, self.known(f"actor {id}")) for id in ids]
        lines = [self.line(id, f"actor {id}") for id in ids] + [{"account": self.fresh()}]
        self.submit([{"kind": "open", "organisation": 1, "lines": lines}], [self.organisation(1)])
        self.orders = []
        for unit, issuer in UNITS.items():
            lines = []
            for id in ids:
                for pending in (False, True):
                    key = self.order()
                    self.orders.append({"unit": unit, "account": id, **key})
                    lines.append({"account": id, "key": key, "amount": "1000000", "pending": pending})
            self.submit([{"kind": "accrue", "unit": unit, "lines": lines}], [self.organisation(issuer)])
        self.holds = [self.reserve() for _ in range(3)]
        # From here on three organisations decide, so two carry what one proposes; one proposal waits for ever.
        self.submit([{"kind": "accuse", "evidence": self.evidence(1)}], [self.organisation(1)])
        self.proposal = self.propose(1)
        self.certified = int(self.client.get("/v1/chain")["height"])

    def submit(self, operations, signers):
        answer = self.client.submit(operations, signers)
        with self.lock:
            self.transactions.append({"id": answer["transaction"]["id"], "signer": signers[0][0]})
        return answer

    def organisation(self, number):
        return ({"organisation": number}, self.issuing[number])

    def line(self, id, name):
        return {
            "account": id,
            "credential": self.known(name).public,
            "guardian": self.known(f"guardian {id}").public,
        }

    def reserve(self):
        (account, key), taker = self.actor(), self.random.randrange(1, 5)
        operation = {
            "kind": "reserve", "account": account, "unit": "SPRING", "amount": "10", "organisation": taker,
            "use": {"redeem": "contract"}, "deadline": str(now() + 6 * 3_600_000),
        }  # fmt: skip
        answer = self.submit([operation], [({"account": account}, key)])
        hold = answer["receipt"]["outcomes"][0]["hold"]
        return {"hold": hold, "account": account, "organisation": taker}

    # Governance

    def governor(self, number):
        return ({"governor": number}, self.governing[number])

    def evidence(self, height):
        """Two votes for a height that the culprit's key signed."""
        validator, key = self.culprit
        votes = []
        with self.lock:
            headers = sorted(self.random.randbytes(32) for _ in range(2))
        for header in headers:
            at = now()
            tag = b"lianfen/1/vote"
            message = bytes([len(tag)]) + tag + bytes.fromhex(self.client.genesis) + (0).to_bytes(4, "little")
            message += height.to_bytes(8, "little") + (0).to_bytes(4, "little") + b"\0" + header + at.to_bytes(8, "little")
            votes.append({"header": header.hex(), "time": str(at), "signature": key.sign(message)})
        return {
            "validator": validator, "key": key.public, "epoch": 0, "height": str(height), "round": 0,
            "first": votes[0], "second": votes[1],
        }  # fmt: skip

    def decision(self):
        """One that changes nothing that the runs rest on, however often it is carried."""
        with self.lock:
            kind = self.random.choice(("quota", "quota", "keys"))
            if kind == "keys":
                return {"keys": self.exchange()}
            return {"quota": {"organisation": self.random.randrange(1, 4), "quota": str(self.random.randrange(1 << 50, 1 << 60))}}

    def exchange(self):
        """Another governing key for the one that is suspended, and so signs nothing by it; its quota stays as it is."""
        validator, voting = self.culprit
        governing = Key(self.random.randbytes(32))
        terms = {**self.culprit_terms, "governingKey": governing.public}
        name = terms["name"].encode()
        message = b"\x15lianfen/1/application" + bytes.fromhex(self.client.genesis)
        message += validator.to_bytes(4, "little") + bytes([len(name)]) + name + b"\1" + bytes.fromhex(terms["votingKey"])
        message += bytes.fromhex(terms["issuingKey"]) + bytes.fromhex(terms["governingKey"])
        message += int(terms["quota"]).to_bytes(8, "little")
        keys = (voting, self.issuing[validator], governing)
        return {"organisation": terms, "signatures": [key.sign(message) for key in keys]}

    def propose(self, by):
        operation = {"kind": "propose", "decision": self.decision(), "by": by}
        return self.submit([operation], [self.governor(by)])["receipt"]["outcomes"][0]["proposal"]

    def carry_out_old(self):
        """Few proposals may be open: of those that nobody waits for, what is there is carried out."""
        token = self.token_of_organisation(1)
        for it in self.client.get("/v1/proposals?limit=100", token)["items"]:
            if it["proposer"] == 2:
                self.submit([{"kind": "approve", "proposal": it["id"], "by": 1}], [self.governor(1)])

    def make_proposal(self):
        return [self.propose(3) for _ in range(4)]

    def actor(self):
        with self.lock:
            return self.random.choice(self.actors)

    # What can be used once, made in batches when it runs out.

    def take(self, name):
        with self.lock:
            pool = self.pools.setdefault(name, deque())
            if not pool:
                pool.extend(getattr(self, f"make_{name}")())
            return pool.popleft()

    def make_spare(self):
        """Accounts with a key and a guardian."""
        ids = [self.fresh() for _ in range(BATCH)]
        lines = [self.line(id, f"actor {id}") for id in ids]
        self.submit([{"kind": "open", "organisation": 1, "lines": lines}], [self.organisation(1)])
        return ids

    def make_unclaimed(self):
        ids = [self.fresh() for _ in range(BATCH)]
        lines = [{"account": id} for id in ids]
        self.submit([{"kind": "open", "organisation": 1, "lines": lines}], [self.organisation(1)])
        return ids

    def make_frozen(self):
        ids = [self.take("spare") for _ in range(8)]
        for id in ids:
            guardian = ({"guardian": id}, self.known(f"guardian {id}"))
            self.submit([{"kind": "freeze", "account": id}], [guardian])
        return ids

    def make_hold(self):
        return [self.reserve() for _ in range(8)]

    def accrued(self, pending):
        lines = []
        for _ in range(BATCH):
            line = {"account": self.actor()[0], "key": self.order(), "amount": "50", "pending": pending}
            lines.append(line)
        self.submit([{"kind": "accrue", "unit": "SPRING", "lines": lines}], [self.organisation(1)])
        return [line["key"] for line in lines]

    def make_pending(self):
        return self.accrued(True)

    def make_vested(self):
        return self.accrued(False)

    # Tokens

    def token(self, principal, key):
        name = (repr(principal), key.public)
        with self.lock:
            if name not in self.tokens:
                self.tokens[name] = self.client.token(principal, key)
            return self.tokens[name]

    def token_of_account(self, id):
        key = self.known(f"actor {id}")
        return self.token({"account": id}, key)

    def token_of_organisation(self, number):
        return self.token({"organisation": number}, self.issuing[number])

    def token_of_validator(self):
        return self.token({"validator": 1}, self.voting)


def valid_until(margin=60_000):
    return str(now() + margin)
