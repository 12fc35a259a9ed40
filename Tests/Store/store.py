#!/usr/bin/env python3
"""Backups in a store that speaks the S3 protocol: moto's server on loopback, which checks every signature as the real
store does. Prints one line; fails at the first thing that is not as it should be.

    store.py --lianfen BINARY
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import urllib.error
import urllib.request

# Set before the server's modules are read. What sets the store up needs so many calls; every later one is checked.
SETTING_UP = 4
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = str(SETTING_UP)

import boto3  # noqa: E402
from moto.core import DEFAULT_ACCOUNT_ID  # noqa: E402
from moto.s3.models import s3_backends  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

BUCKET, PREFIX = "lianfen-backups", "malls/north one"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}


class Store:
    def __init__(self):
        self.server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self.server.start()
        host, port = self.server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        anybody = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing", "region_name": "us-east-1"}
        iam = boto3.client("iam", endpoint_url=self.url, **anybody)
        iam.create_user(UserName="node")
        iam.put_user_policy(UserName="node", PolicyName="all", PolicyDocument=json.dumps(POLICY))
        made = iam.create_access_key(UserName="node")["AccessKey"]
        self.key, self.secret = made["AccessKeyId"], made["SecretAccessKey"]
        boto3.client("s3", endpoint_url=self.url, **anybody).create_bucket(Bucket=BUCKET)
        self.s3 = boto3.client(
            "s3", endpoint_url=self.url, region_name="us-east-1", aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
        )

    def plant(self, names):
        """Puts objects there without asking, which is quicker."""
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        for name in names:
            backend.put_object(BUCKET, name, b"half")

    def names(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX + "/")
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))


class Lianfen:
    def __init__(self, binary):
        self.binary = binary

    def run(self, *words):
        """The exit code, and the last line of the answer or of the error, as JSON."""
        done = subprocess.run([self.binary, *words, "--json"], capture_output=True, text=True, timeout=120)
        lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
        return done.returncode, json.loads(lines[-1]) if lines else {}

    def ok(self, *words):
        code, answer = self.run(*words)
        assert code == 0, f"{words}: {answer}"
        return answer

    def refused(self, *words):
        code, answer = self.run(*words)
        assert code != 0, f"{words} was to be refused: {answer}"
        return answer["error"]


def check(lianfen, store, root):
    chain, recipient = f"{root}/chain", f"{root}/recipient.key"
    lianfen.ok("init", "--dev", "--dir", chain)
    lianfen.ok("wallet", "new", "anna", "--dir", chain)
    public = lianfen.ok("backup", "key", recipient, "--dev")["publicKey"]

    def options(secret=store.secret, key=store.key, bucket=BUCKET, url=store.url):
        file = pathlib.Path(root, "secret")
        file.write_text(secret + "\n")
        return [
            "--store", f"s3://{bucket}/{PREFIX}", "--endpoint", url, "--access-key", key, "--secret-file", str(file),
        ]

    def create(**changes):
        return ["backup", "create", "--dir", chain, "--recipient", public, *options(**changes)]

    # The server does check: without a signature, and with a wrong one, nothing comes out.
    try:
        urllib.request.urlopen(f"{store.url}/{BUCKET}?list-type=2")
        raise AssertionError("an unsigned request was answered")
    except urllib.error.HTTPError:
        pass
    last = "A" if store.secret[-1] != "A" else "B"
    said = lianfen.refused(*create(secret=store.secret[:-1] + last))
    assert said["code"] == "backup-place" and "SignatureDoesNotMatch" in said["reason"], said
    assert "secret" in said["reason"] and store.secret[:-1] not in said["reason"], said
    said = lianfen.refused(*create(key="AKIAIOSFODNN7EXAMPLE"))
    assert "InvalidAccessKeyId" in said["reason"], said
    said = lianfen.refused(*create(bucket="no-such-bucket"))
    assert "no such bucket" in said["reason"], said
    said = lianfen.refused(*create(url="http://127.0.0.1:9"))
    assert said["code"] == "backup-place" and "127.0.0.1:9" in said["reason"], said
    assert store.names() == []

    first = lianfen.ok(*create())
    assert len(store.names()) == first["objects"] + 1, store.names()
    lianfen.ok("wallet", "new", "ben", "--dir", chain)
    # More names than fit into one page of the store's list, left by something that was cut off.
    orphans = [f"{PREFIX}/backups/{height:020}/part-{part}" for height in (900001, 900002) for part in range(550)]
    store.plant(orphans)
    second = lianfen.ok(*create())
    assert second["height"] > first["height"] and second["blocks"] == [{"first": 1, "last": second["height"]}], second
    listed = lianfen.ok("backup", "list", *options())["backups"]
    assert [entry["height"] for entry in listed] == [first["height"], second["height"]], listed

    lianfen.ok("wallet", "new", "carl", "--dir", chain)
    third = lianfen.ok(*create(), "--keep", "2")
    assert third["removed"] == [first["height"]], third
    names = store.names()
    left = sorted(set(orphans) & set(names))
    assert not left, f"{len(left)} that belong to no backup are still there: {left[:3]}, {third}"
    whole = ["backup", "verify", *options(), "--genesis", f"{chain}/genesis", "--key", recipient]
    assert lianfen.ok(*whole)["opened"] is True

    restored = lianfen.ok(
        "backup", "restore", *options(), "--genesis", f"{chain}/genesis", "--key", recipient, "--dir", f"{root}/new",
        "--history",
    )
    assert restored["stateRoot"] == third["stateRoot"], restored
    assert lianfen.ok("audit", f"{root}/new")["height"] == third["height"]
    drill = lianfen.ok("backup", "drill", *options(), "--dir", chain, "--key", recipient, "--scratch", root)
    assert drill["compared"] == 2 and drill["stateRoot"] == third["stateRoot"], drill

    # What was changed there, or is gone, is named.
    part = next(name for name in names if name.endswith("/part-0") and f"{third['height']:020}" in name)
    body = store.s3.get_object(Bucket=BUCKET, Key=part)["Body"].read()
    store.s3.put_object(Bucket=BUCKET, Key=part, Body=bytes([body[0] ^ 1]) + body[1:])
    said = lianfen.refused(*whole)
    assert said["code"] == "backup-differs" and part.removeprefix(PREFIX + "/") in said["reason"], said
    store.s3.delete_object(Bucket=BUCKET, Key=part)
    said = lianfen.refused(*whole)
    assert said["code"] == "backup-missing" and part.removeprefix(PREFIX + "/") in said["reason"], said
    assert lianfen.ok(*whole, "--height", str(second["height"]))["height"] == second["height"]
    return third


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lianfen", required=True)
    arguments = parser.parse_args()
    store = Store()
    try:
        with tempfile.TemporaryDirectory(prefix="lianfen-store-") as root:
            made = check(Lianfen(os.path.abspath(arguments.lianfen)), store, root)
    finally:
        store.server.stop()
    print(f"store: three backups of up to {made['bytes']} bytes, every request signed and checked")


main()
