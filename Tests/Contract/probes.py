"""Requests that no generator thinks of: each kind of wrong input with the problem that it has to get, and no other."""

import json
import uuid

import requests
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from client import Key

BODY = "/v1/transactions/prepare"
JSON = {"Content-Type": "application/json"}


def text(**changes):
    """A body that is right but for what is asked for, as text, so that it can be wrong in ways that no value is."""
    members = {
        "nonce": '"1"',
        "signers": '[{"party": {"organisation": 1}, "key": "01' + "ab" * 32 + '"}]',
        "operations": '[{"kind": "release", "hold": "' + "00" * 32 + '"}]',
        **changes,
    }
    return "{" + ", ".join(f'"{name}": {value}' for name, value in members.items()) + "}"


def wrong_places():
    """Paths, methods, media types, parameters: request, status, code."""
    yield ("GET", "/v1/nothing", {}, None), 404, "path-unknown"
    yield ("GET", "/v1/chain/", {}, None), 404, "path-unknown"
    yield ("GET", "/v1/blocks/1/nothing", {}, None), 404, "path-unknown"
    yield ("GET", "/v1/%ff", {}, None), 404, "path-unknown"
    yield ("GET", "/v1/%zz", {}, None), 404, "path-unknown"
    yield ("POST", "/nothing", {}, None), 404, "path-unknown"
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "POST"):
        yield (method, "/v1/chain", {}, None), 405, "method-not-allowed"
    yield ("GET", "/v1/transfers", {}, None), 405, "method-not-allowed"
    yield ("PUT", "/openapi.json", {}, None), 405, "method-not-allowed"
    for media_type in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "application/octet-stream", "", "json", "application/json2"):  # fmt: skip
        yield ("POST", BODY, {"Content-Type": media_type}, text()), 415, "media-type-unsupported"
    yield ("POST", BODY, {}, text()), 415, "media-type-unsupported"
    for charset in ("utf-16", "latin1", '"iso-8859-1"', "gb18030"):
        yield ("POST", BODY, {"Content-Type": f"application/json; charset={charset}"}, text()), 415, "charset-unsupported"
    for encoding in ("gzip", "br", "identity, gzip"):
        yield ("POST", BODY, {**JSON, "Content-Encoding": encoding}, text()), 415, "encoding-unsupported"
    for accept in ("text/html", "application/octet-stream", "application/json;q=0", "image/*"):
        yield ("GET", "/v1/chain", {"Accept": accept}, None), 406, "not-acceptable"
    yield ("GET", "/v1/events", {"Accept": "application/json"}, None), 406, "not-acceptable"
    for number in ("01", "-1", "+1", "1.0", "1e3", "0x1", "18446744073709551616", "%D9%A1", "%20", "latest", "1%00"):
        status, code = (404, "path-unknown") if number == "1%00" else (400, "parameter-invalid")
        yield ("GET", f"/v1/blocks/{number}", {}, None), status, code
        if number not in ("%20", "1%00", "+1"):
            yield ("GET", f"/v1/blocks?cursor={number}", {}, None), 400, "cursor-invalid"
            yield ("GET", f"/v1/validators?at={number}", {}, None), 400, "parameter-invalid"
    yield ("GET", "/v1/blocks?cursor=", {}, None), 400, "cursor-invalid"
    for height in ("999999999", "18446744073709551615"):
        for rest in ("", "/header", "/certificate"):
            yield ("GET", f"/v1/blocks/{height}{rest}", {}, None), 404, "height-not-found"
        yield ("GET", f"/v1/validators?at={height}", {}, None), 404, "height-not-found"
    for limit in ("0", "501", "01", "1.0", "1e1", "-1", "", "ten", "99999999999999999999"):
        yield ("GET", f"/v1/blocks?limit={limit}", {}, None), 400, "parameter-invalid"
    for query in ("limt=1", "limit=1&limit=1", "%ff=1", "limit=%zz", "limit=%ff", "Limit=1"):
        yield ("GET", f"/v1/blocks?{query}", {}, None), 400, "parameter-invalid"
    yield ("GET", "/v1/transactions/" + "0" * 64, {}, None), 404, "transaction-not-found"
    for digest in ("0" * 63, "0" * 65, "A" * 64, "g" * 64):
        yield ("GET", f"/v1/transactions/{digest}", {}, None), 400, "parameter-invalid"
    for header in ("", "Bearer", "Bearer ", "Basic YTpi", "Bearer x y", "bearer " + "A" * 600):
        yield ("GET", "/v1/units", {"Authorization": header}, None), 401, "token-invalid"
    yield ("GET", "/v1/units", {}, None), 401, "token-missing"
    yield ("GET", "/v1/events", {"Last-Event-ID": "1.0"}, None), 400, "header-invalid"
    yield ("POST", BODY, {**JSON, "Idempotency-Key": "x" * 256}, text()), 400, "header-invalid"


def wrong_bodies():
    """Bodies: bytes, status, code."""
    for broken in (
        "", " ", "{", "}", "nul", "'a'", "{,}", text() + "x", text() + text(), text().replace("}", ",}", 1), "// a\n{}",
        text(nonce="NaN"), text(nonce="Infinity"), text(nonce="0x1"), text(nonce="01"), text(nonce="+1"), text(nonce="1."),
        text(nonce=".5"), text(nonce="1.5"), text(nonce="1e-3"), text(nonce="1e"), text(nonce='"\t"'), text(nonce='"\\x"'),
        text(nonce='"\\ud800"'), text(nonce='"1'), text(nonce="9" * 400), text(nonce="1e400"), text(nonce="-"),
        '{"nonce": "1", "nonce": "1"}', '{"a": {"b": 1, "b": 1}}', '{"nonce": "1", "n\\u006fnce": "1"}',
        "[" * 33 + "]" * 33, "[" * 100_000, '{"a":' * 100_000, "[" * 33 + "1",
    ):  # fmt: skip
        yield broken.encode(), 400, "body-malformed"
    for raw in (b'{"nonce": "\xff"}', b'{"nonce": "\xc0\x80"}', b'{"nonce": "\xed\xa0\x80"}', text().encode("utf-16"), b"\x00"):
        yield raw, 400, "body-malformed"
    # Where an integer string is due, whatever else looks like a number is refused.
    for number in ("1", "1.0", "1e3", '"1.0"', '"1e3"', '"01"', '"-1"', '"+1"', '" 1"', '"1 "', '""', '"18446744073709551616"', '"\u0661"', "true", "[]", "{}"):  # fmt: skip
        yield text(nonce=number).encode(), 400, "field-invalid"
        yield text(validUntil=number).encode(), 400, "field-invalid"
    for wrong in (
        "null", "[]", '"a"', "1", "{}", text(unknown="1"), text(signers="[]"), text(operations="[]"), text(signers="null"),
        text(operations='[{"kind": "nothing"}]'), text(operations="[{}]"), text(operations='[{"kind": "release"}]'),
        text(operations='[{"kind": "release", "hold": "00"}]'), text(signers='[{"party": {}, "key": "00"}]'),
        text(signers='[{"party": {"organisation": 1.5}, "key": "00"}]').replace("1.5", "4294967296"),
        text(signers='[{"party": {"organisation": -1}, "key": "00"}]'),
        text(signers='[{"party": {"organisation": 1, "account": "lf1"}, "key": "00"}]'),
        text(signers='[{"party": {"account": "lf1qqqsyqcyq5rqwzqfpg9scrgwputzxf6q"}, "key": "01' + "ab" * 32 + '"}]'),
    ):  # fmt: skip
        yield wrong.encode(), 400, "field-invalid"


def probe(url, world):
    """How many requests were made, and what was answered otherwise than it should have been."""
    wrong, asked = [], 0
    session = requests.Session()

    def ask(method, path, headers, body):
        # By hand, since the library would put in what is missing and mend what is wrong.
        request = requests.Request(method, url + path, headers={"Accept": None, "Content-Type": None, **headers})
        prepared = session.prepare_request(request)
        prepared.url = url + path
        if body is not None:
            data = body.encode() if isinstance(body, str) else body
            prepared.body = data
            prepared.headers["Content-Length"] = str(len(data))
        if "Content-Type" not in headers:
            prepared.headers.pop("Content-Type", None)
        return session.send(prepared, timeout=30)

    def expect(what, answer, status, code):
        nonlocal asked
        asked += 1
        if answer.status_code != status:
            return wrong.append(f"{what}: {answer.status_code} instead of {status} {code}: {answer.text[:300]}")
        if status < 400:
            return None
        problem = answer.json()
        if answer.headers.get("Content-Type") != "application/problem+json" or problem["code"] != code:
            wrong.append(f"{what}: {problem['code']} instead of {code}: {problem['detail']}")
        if not problem["message"]["en"] or not problem["message"]["zh"] or problem["status"] != status:
            wrong.append(f"{what}: half a problem: {answer.text[:300]}")
        return None

    for request, status, code in wrong_places():
        expect(f"{request[0]} {request[1]} {request[2]}", ask(*request), status, code)
    for body, status, code in wrong_bodies():
        expect(f"{body[:80]!r}", ask("POST", BODY, JSON, body), status, code)

    # The document is one of OpenAPI 3.1, by the schema of that.
    document = session.get(url + "/openapi.json", timeout=30).json()
    wrong += [f"openapi.json: {it.instance_path}: {it.message[:200]}" for it in OPENAPI_31_VALIDATOR.iter_errors(document)][:5]

    # As right as can be written, and as JSON Schema has it: 1.0 is the integer 1.
    for right in (text(), "\ufeff" + text(), text(signers='[{"party": {"organisation": 1.0}, "key": "01' + "ab" * 32 + '"}]')):  # fmt: skip
        expect(f"{right[:40]!r}", ask("POST", BODY, JSON, right), 200, None)
    for media_type in ("application/json;charset=utf-8", 'Application/JSON; charset="UTF-8"'):
        expect(media_type, ask("POST", BODY, {"Content-Type": media_type}, text()), 200, None)
    for encoding in ("identity",):
        expect(encoding, ask("POST", BODY, {**JSON, "Content-Encoding": encoding}, text()), 200, None)
    for accept in ("*/*", "application/*;q=0.1", "text/html, application/json;q=0.5", "application/json; charset=utf-8"):
        expect(accept, ask("GET", "/v1/chain", {"Accept": accept}, None), 200, None)

    # Too large: for the path, for the ledger, for the server.
    big = '{"principal": {"organisation": 1}, "key": "' + "0" * 5000 + '"}'
    expect("a large challenge", ask("POST", "/v1/challenges", JSON, big), 413, "body-too-large")
    octets = {"Content-Type": "application/octet-stream"}
    expect("a large envelope", ask("POST", "/v1/transactions", octets, bytes(983_041)), 413, "transaction-too-large")
    for garbage in (b"", b"\x00", bytes(64), b"\xff" * 200):
        expect("garbage", ask("POST", "/v1/transactions", octets, garbage), 400, "body-malformed")

    # HEAD is GET without a body.
    for path in ("/v1/chain", "/v1/blocks?limit=1", "/v1/blocks/1", "/v1/blocks/x", "/v1/nothing", "/openapi.json", "/healthz"):
        head, get = ask("HEAD", path, {}, None), ask("GET", path, {}, None)
        same = ("Content-Type", "Cache-Control", "X-Content-Type-Options")
        if head.status_code != get.status_code or head.content or any(head.headers.get(n) != get.headers.get(n) for n in same):
            wrong.append(f"HEAD {path}: {head.status_code} {dict(head.headers)} is not GET's {dict(get.headers)}")
    stream = ask("HEAD", "/v1/events", {}, None)
    if stream.status_code != 200 or stream.content or stream.headers.get("Content-Type") != "text/event-stream":
        wrong.append(f"HEAD /v1/events: {stream.status_code} {dict(stream.headers)}")
    refused = ask("HEAD", "/v1/transfers", {}, None)
    if refused.status_code != 405 or refused.headers.get("Allow") != "POST" or refused.content:
        wrong.append(f"HEAD /v1/transfers: {refused.status_code} {refused.headers}")
    allow = ask("DELETE", "/v1/chain", {}, None).headers.get("Allow")
    if allow != "GET, HEAD":
        wrong.append(f"DELETE /v1/chain: Allow is {allow}")

    # Signatures and the ledger's refusals; the same again under one name.
    (id, key), stranger = world.actors[0], Key.named("nobody")
    party = {"account": id}
    operation = {"kind": "transfer", "from": id, "to": world.actors[1][0], "unit": "SPRING", "amount": "1"}
    good, _ = world.client.signed([operation], [(party, key)])
    bad = {**good, "signatures": [stranger.sign(b"something else")]}
    submit = lambda body, **headers: ask("POST", "/v1/transactions", {**JSON, **headers}, json.dumps(body))
    expect("a signature of something else", submit(bad), 401, "signature-invalid")
    expect("a signature too many", submit({**good, "signatures": good["signatures"] * 2}), 401, "signature-invalid")
    other, _ = world.client.signed([operation], [(party, stranger)])
    expect("a key that does not speak", submit(other), 409, "key-not-valid")
    twice, _ = world.client.signed([operation], [(party, key)])
    twice["signers"], twice["signatures"] = twice["signers"] * 2, twice["signatures"] * 2
    expect("one party twice", submit(twice), 409, "transaction-impossible")
    name = f"probe {uuid.uuid4()}"
    first, again = (submit(good, **{"Idempotency-Key": name}) for _ in range(2))
    expect("under a name", first, 200, None)
    expect("the same again", again, 200, None)
    if first.content != again.content or again.headers.get("Idempotent-Replayed") != "true":
        wrong.append(f"the same again: {again.text[:300]}")
    another, _ = world.client.signed([operation], [(party, key)])
    expect("another body under it", submit(another, **{"Idempotency-Key": name}), 422, "idempotency-key-reused")
    for prefer in ("wait=0", "wait=99999999999999999999", "wait=", "respond-async, wait=3", "nonsense", 'wait="2"'):
        fresh, _ = world.client.signed([operation], [(party, key)])
        answer = submit(fresh, Prefer=prefer)
        if answer.status_code not in ((200, 202) if prefer == "wait=0" else (200,)):
            wrong.append(f"Prefer: {prefer}: {answer.status_code} {answer.text[:300]}")
    expect("a member of others", session.get(
        f"{url}/v1/accounts/{world.actors[1][0]}", headers={"Authorization": f"Bearer {world.token(party, key)}"}
    ), 403, "not-yours")  # fmt: skip
    for path, cursor in (("units", "x"), (f"accounts/{id}/balances", "x"), (f"accounts/{id}/balances/SPRING/lots", "x"), (f"accounts/{id}/transactions", "1"), (f"accounts/{id}/transactions", "01-0")):  # fmt: skip
        answer = session.get(
            f"{url}/v1/{path}?cursor={cursor}", headers={"Authorization": f"Bearer {world.token(party, key)}"}
        )
        expect(f"{path} with cursor {cursor}", answer, 400, "cursor-invalid")
    return asked, wrong
