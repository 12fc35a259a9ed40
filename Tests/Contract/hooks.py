"""Hooks of both runs. The stranger's run changes nothing that is generated. The signing run gives valid bodies parties
whose keys are known and signs them, sends tokens, and names accounts, heights and transactions that are there.

Only what was generated as valid is touched, and only in `before_call`: a hook on generation would repair what was broken
on purpose as well.
"""

import atexit
import base64
import hashlib
import itertools
import json
import os
import random
import re
import threading
from collections import Counter

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation

from client import Key, Refused, account_id, now
from recipes import RECIPES
from world import SOURCE, UNITS, World, valid_until

with open(os.environ["CONTRACT"]) as told:
    CONFIGURATION = json.load(told)
SIGNING = CONFIGURATION["signing"]
SEED = CONFIGURATION["seed"]
SNAPSHOT = CONFIGURATION["snapshot"]
WORLD = World(CONFIGURATION["url"], CONFIGURATION["directory"], f"{SEED} {SIGNING}", CONFIGURATION["filled"])

# Values that the schema describes by their format alone: half of them exist, half are new and valid.

schemathesis.openapi.format(
    "lianfen-account",
    st.one_of(st.sampled_from([id for id, _ in WORLD.actors]), st.binary(min_size=16, max_size=16).map(account_id)),
)
PUBLIC_KEYS = [key.public for key in [*WORLD.strangers, *WORLD.issuing.values()]]
schemathesis.openapi.format(
    "lianfen-public-key",
    # A new key is a new point of the curve; in the signing run one whose secret is known, or nothing could be signed.
    st.sampled_from(PUBLIC_KEYS)
    if SIGNING
    else st.one_of(st.sampled_from(PUBLIC_KEYS), st.integers(0, 255).map(lambda n: Key.named(f"new {n}").public)),
)


def unsigned_envelope(amount):
    """Bytes that are a transaction, signed by somebody for something else."""
    id, _ = WORLD.actors[amount % len(WORLD.actors)]
    operation = {"kind": "transfer", "from": id, "to": WORLD.actors[0][0], "unit": "SPRING", "amount": str(amount)}
    return WORLD.client.envelope([operation], [({"account": id}, WORLD.strangers[0])])[:-1] + bytes([amount & 1])


ENVELOPES = [unsigned_envelope(amount) for amount in range(8)]
schemathesis.openapi.media_type("application/octet-stream", st.sampled_from(ENVELOPES))


# What the runs came to

LOCK = threading.Lock()
STATUSES = {}
ACCEPTED = Counter()
TROUBLE = Counter()
NUMBERS = itertools.count()


@atexit.register
def report():
    with open(CONFIGURATION["report"], "w") as file:
        json.dump({"statuses": STATUSES, "accepted": ACCEPTED, "trouble": TROUBLE}, file)


@schemathesis.hook
def after_call(context, case, response):
    with LOCK:
        statuses = STATUSES.setdefault(case.operation.label, {})
        statuses[str(response.status_code)] = statuses.get(str(response.status_code), 0) + 1
        if response.status_code == 200 and response.request.method == "POST":
            transaction = json.loads(response.content).get("transaction", {})
            if transaction.get("state") == "certified" and transaction.get("result") == "done":
                ACCEPTED.update(set(transaction["kinds"]))


# Parties, signatures, tokens

KINDS = {}
for path, methods in CONFIGURATION["paths"].items():
    if "post" in methods and methods["post"]["operationId"].startswith("submit"):
        name = methods["post"]["operationId"].removeprefix("submit")
        kind = re.sub("(?<=.)([A-Z])", r"-\1", name).lower()
        if kind in RECIPES:
            KINDS["POST " + path] = kind


def is_valid(case, location):
    """Whether this part of a case was made to be accepted."""
    if case.meta is None:
        return False
    part = case.meta.components.get(location)
    return part is not None and part.mode.is_positive


def is_meant_well(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


def chance_for(case):
    """The same for the same case, whatever thread it runs on."""
    text = repr((SEED, case.operation.label, case.path_parameters, case.query, case.body, dict(case.headers or {})))
    return random.Random(hashlib.sha256(text.encode("utf-8", "backslashreplace")).digest())


@schemathesis.hook
def before_call(context, case, kwargs):
    if is_meant_well(case) and case.headers and "Idempotency-Key" in case.headers:
        # A key is for one body: the same one again with another is refused, and rightly so (see probes.py).
        key = case.headers["Idempotency-Key"][:200].strip()
        case.headers["Idempotency-Key"] = f"{key}{'s' if SIGNING else 'g'}{next(NUMBERS)}"
    if not SIGNING:
        return
    chance = chance_for(case)
    # The first few name what is there, by who may see it; later ones also what is not.
    is_first = False
    if is_meant_well(case):
        with LOCK:
            MEANT_WELL[case.operation.label] += 1
            is_first = MEANT_WELL[case.operation.label] <= 3
    if case.path_parameters and is_valid(case, ParameterLocation.PATH) and (is_first or chance.random() < 0.75):
        name_what_exists(case, chance)
    choose_token(case, chance, is_first)
    if is_valid(case, ParameterLocation.BODY):
        try:
            make_body(case, chance)
        except Refused as refusal:
            # Some of what the schema allows cannot be prepared, and is sent as it is. Counted, so that it stays rare.
            with LOCK:
                TROUBLE[re.sub("[0-9a-f]{16,}|lf1[0-9a-z]+", "…", str(refusal))[:160]] += 1


def name_what_exists(case, chance):
    parameters = case.path_parameters
    path = case.operation.path
    if "account" in parameters:
        parameters["account"] = WORLD.actor()[0]
    if "unit" in parameters:
        parameters["unit"] = chance.choice(list(UNITS))
    if "organisation" in parameters:
        parameters["organisation"] = chance.randrange(1, 5)
    if path.startswith("/v1/snapshots/"):
        parameters.update({name: value for name, value in SNAPSHOT.items() if name in parameters})
    elif "height" in parameters:
        parameters["height"] = str(chance.randrange(1, WORLD.certified + 1))
    if "id" in parameters:
        parameters["id"] = chance.choice(WORLD.transactions)["id"]
    if "proposal" in parameters:
        parameters["proposal"] = WORLD.proposal
    if "hold" in parameters:
        parameters["hold"] = chance.choice(WORLD.holds)["hold"]
    if "/accruals/" in path:
        order = chance.choice(WORLD.orders)
        parameters.update({name: order[name] for name in ("unit", "order", "line", "kind")})
        parameters["source"] = SOURCE


TOKENS = set()


def bearer(token):
    TOKENS.add(token)
    return f"Bearer {token}"


MEANT_WELL = Counter()


def choose_token(case, chance, is_first):
    """The token of whoever may see what the path names, mostly. Where the run has sent none, none is sent."""
    sent = (case.headers or {}).get("Authorization")
    if sent is None or sent.removeprefix("Bearer ") not in TOKENS:
        return
    parameters, path = case.path_parameters or {}, case.operation.path
    token = None
    owned = path.endswith(("/entry", "/sub-roots")) or path.startswith("/v1/snapshots")
    if owned or path in ("/v1/votes", "/v1/finals", "/v1/report"):
        token = WORLD.token_of_validator()
    elif is_first or chance.random() < 0.8:
        if parameters.get("account") in dict(WORLD.actors):
            token = WORLD.token_of_account(parameters["account"])
        elif "/organisations/" in path and parameters.get("organisation") in WORLD.issuing:
            token = WORLD.token_of_organisation(parameters["organisation"])
        elif "/reservations/" in path:
            token = next(
                (WORLD.token_of_account(it["account"]) for it in WORLD.holds if it["hold"] == parameters["hold"]), None
            )
        elif "id" in parameters:
            signer = next((it["signer"] for it in WORLD.transactions if it["id"] == parameters["id"]), {})
            if "organisation" in signer:
                token = WORLD.token_of_organisation(signer["organisation"])
            elif signer.get("account") in dict(WORLD.actors):
                token = WORLD.token_of_account(signer["account"])
    if token is not None:
        case.headers["Authorization"] = bearer(token)


if SIGNING:

    @schemathesis.auth()
    class Token:
        def get(self, case, context):
            return WORLD.token_of_organisation(1)

        def set(self, case, data, context):
            case.headers = case.headers or {}
            case.headers["Authorization"] = bearer(data)


def make_body(case, chance):
    label = case.operation.label
    if label == "POST /v1/transactions" and not isinstance(case.body, dict):
        members, signers = RECIPES["transfer"](WORLD, chance, {})
        case.body = WORLD.client.envelope([{"kind": "transfer", **members}], signers)
    elif label == "POST /v1/votes":
        # A list of none: what the schema calls bytes is a form of its own.
        case.body = bytes.fromhex(WORLD.client.genesis) + b"\0"
    elif not isinstance(case.body, dict):
        return
    elif label in KINDS:
        body = dict(case.body)
        operations, signers = choose([{"kind": KINDS[label], **body.pop("operation")}], body["signers"], chance)
        sign(body, operations, signers, chance)
        operations[0].pop("kind")
        case.body = {**body, "operation": operations[0]}
    elif label == "POST /v1/transactions":
        body = dict(case.body)
        operations, signers = choose(body.pop("operations"), body["signers"], chance)
        sign(body, operations, signers, chance)
        case.body = {**body, "operations": operations}
    elif label == "POST /v1/challenges" and chance.random() < 0.5:
        id, key = WORLD.actor()
        case.body = {"principal": {"account": id}, "key": key.public}
    elif label == "POST /v1/tokens" and chance.random() < 0.8:
        asked = chance.choice(claimants())
        challenge = WORLD.client.post("/v1/challenges", {"principal": asked[0], "key": asked[1].public})
        case.body = {
            "principal": asked[0],
            "key": asked[1].public,
            "challenge": challenge["challenge"],
            "signature": asked[1].sign(bytes.fromhex(challenge["signingBytes"])),
        }


def claimants():
    id, key = WORLD.actor()
    return [({"account": id}, key), WORLD.organisation(2), ({"validator": 1}, WORLD.voting)]


def choose(operations, generated, chance):
    """What is sent and who signs it: something that the ledger accepts, or what was generated, signed by keys that are
    known, so that it is the ledger that refuses it."""
    if chance.random() < 0.6:
        operations = operations[: chance.randrange(1, 3)]
        made, signers = [], {}
        for operation in operations:
            members, needed = RECIPES[operation["kind"]](
                WORLD, chance, {name: value for name, value in operation.items() if name != "kind"}
            )
            made.append({"kind": operation["kind"], **members})
            signers.update({repr(party): (party, key) for party, key in needed})
        return made, list(signers.values())
    signers = {repr(it["party"]): (it["party"], WORLD.keys[it["key"]]) for it in generated if it["key"] in WORLD.keys}
    if not signers:
        signers = {"": (generated[0]["party"], WORLD.strangers[0])}
    return operations, list(signers.values())


def sign(body, operations, signers, chance):
    body["signers"] = [{"party": party, "key": key.public} for party, key in signers]
    if chance.random() < 0.9:
        body["validUntil"] = valid_until()
    if chance.random() < 0.9:
        # What is generated by the bounds has the same few nonces again and again.
        body["nonce"] = str(chance.getrandbits(64))
    prepared = WORLD.client.prepare(
        {**{name: body[name] for name in ("nonce", "validUntil", "signers")}, "operations": operations}
    )
    message = bytes.fromhex(prepared["signingBytes"])
    body["signatures"] = [key.sign(message) for _, key in signers]


# Checks of our own

# What a language's run-time or a host writes and no answer may carry.
TELLTALES = re.compile(
    rb"Fatal error|Stack dump|Thread \d+ crashed|Backtrace|/Sources/|\.swift\b|\.build/|/usr/(?:lib|bin|share)/|/home/|"
    rb"/root/|/proc/|/tmp/|Optional\(|libswift|RocksDB|sqlite|SQLITE|LFKEY"
)
# Private keys in the forms in which they could slip into text.
SECRETS = [
    form
    for key in [*WORLD.issuing.values(), *WORLD.governing.values(), WORLD.voting, WORLD.culprit[1]]
    for form in (
        key.seed,
        key.seed.hex().encode(),
        base64.b64encode(key.seed).rstrip(b"="),
        base64.urlsafe_b64encode(key.seed).rstrip(b"="),
    )
] + [CONFIGURATION["directory"].encode(), os.getcwd().encode()]


def sent(case, response):
    """What the client wrote itself may come back in a refusal."""
    request = response.request
    body = request.body if isinstance(request.body, bytes) else (request.body or "").encode("utf-8", "replace")
    return body + request.url.encode("utf-8", "replace") + repr(dict(request.headers)).encode("utf-8", "replace")


@schemathesis.check
def nothing_leaks(ctx, response, case):
    """No stack trace, no path of the host and no secret stands in any answer."""
    own = sent(case, response)
    head = repr(dict(response.headers)).encode("utf-8", "replace")
    for found in TELLTALES.finditer(response.content + head):
        if found.group() not in own:
            raise AssertionError(f"the answer tells {found.group()!r}")
    for secret in SECRETS:
        assert secret not in response.content and secret not in head, "the answer holds a secret or the chain's directory"
    for token in list(TOKENS):
        assert token.encode() not in response.content, "the answer holds a token that was given out before"


@schemathesis.check
def answers_are_stamped(ctx, response, case):
    """Every answer carries its id; what is about the chain carries height and root, the same in body and head."""
    header = {name.lower(): values[0] for name, values in response.headers.items()}
    assert re.fullmatch("[0-9a-v-]{1,15}", header.get("x-request-id", "")), "X-Request-Id is missing"
    assert re.fullmatch("[0-9]+", header.get("lianfen-height", "")), "Lianfen-Height is missing"
    assert re.fullmatch("[0-9a-f]{64}", header.get("lianfen-state-root", "")), "Lianfen-State-Root is missing"
    if response.status_code < 300 and header.get("content-type", "").startswith("application/json"):
        body = json.loads(response.content)
        if "stateRoot" in body:
            assert body["stateRoot"] == header["lianfen-state-root"], "stateRoot is another than in the head"
            assert body["height"] == header["lianfen-height"], "height is another than in the head"


@schemathesis.check
def problems_are_documents(ctx, response, case):
    """Whatever is refused is refused in one form, in both languages, with the status that it has."""
    if response.status_code < 400 or response.request.method == "HEAD":
        return
    header = {name.lower(): values[0] for name, values in response.headers.items()}
    assert header["content-type"] == "application/problem+json"
    problem = json.loads(response.content)
    assert problem["status"] == response.status_code
    assert re.fullmatch("[a-z][a-z0-9-]+", problem["code"]) and problem["type"].endswith(problem["code"])
    assert problem["message"]["en"] and re.search("[一-鿿]", problem["message"]["zh"])
    assert ("retry-after" in header) == (response.status_code in (429, 503))
    assert ("www-authenticate" in header) == (response.status_code == 401)
    assert ("allow" in header) == (response.status_code == 405)
    if problem["code"] == "field-invalid":
        assert problem["field"].startswith("$")
