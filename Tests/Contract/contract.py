#!/usr/bin/env python3
"""Holds the served OpenAPI document against a live node with data, twice: as a stranger, and with bodies that are signed.

Fails unless every check of schemathesis and of ours held, every operation got a 2xx and every kind of operation was
accepted at least once. To be run by .build/venv/bin/python (see scripts/python-venv); `make contract` does.

LIANFEN: the tool, .build/debug/lianfen where it is not given. SEED: of what is generated. EXAMPLES: how many a route.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import requests

from probes import probe
from recipes import RECIPES
from world import World

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOOL = os.environ.get("LIANFEN") or str(ROOT / ".build/debug/lianfen")
SEED = int(os.environ.get("SEED") or 20261121)
EXAMPLES = int(os.environ.get("EXAMPLES") or 4)


def say(text):
    print(f"contract: {text}", flush=True)


class Node:
    """A development chain of four validators in a directory of its own."""

    def __init__(self, directory):
        self.directory, self.snapshots = f"{directory}/chain", f"{directory}/snapshots"
        os.mkdir(self.snapshots)
        subprocess.run(
            [TOOL, "init", "--dev", "--validators", "4", "--dir", self.directory],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.log = f"{directory}/node.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [TOOL, "node", "--dir", self.directory, "--listen", "127.0.0.1:0", "--drain", "0", "--snapshots", self.snapshots],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = re.search(r"Serving (http://\S+?)/?\s", self.text())
            if found:
                self.url = found.group(1)
                while requests.get(self.url + "/readyz", timeout=10).status_code != 200:
                    if time.monotonic() > deadline:
                        raise SystemExit("contract: the node does not become ready")
                    time.sleep(0.1)
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise SystemExit(f"contract: the node does not start\n{self.text()}")

    def write_snapshot(self):
        """Its height, and the number of its first chunk."""
        deadline = time.monotonic() + 30
        while True:
            written = subprocess.run(
                [TOOL, "snapshot", "write", "--dir", self.directory, "--out", self.snapshots, "--json"],
                capture_output=True, text=True)
            if written.returncode == 0:
                break
            # What is certified reaches the tables on the disk a moment later.
            if "snapshot-refused" not in written.stderr + written.stdout or time.monotonic() > deadline:
                raise SystemExit(f"contract: no snapshot is written\n{written.stdout}{written.stderr}")
            time.sleep(0.5)
        return {"height": str(json.loads(written.stdout)["height"]), "index": "0"}

    def text(self):
        return pathlib.Path(self.log).read_text(errors="replace")

    def stop(self):
        """Ends it as its user would; what is wrong with its end or its log."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return ["the node did not end within a minute"]
        wrong = [] if status in (0, 130, 143) else [f"the node ended with {status}"]
        lines = self.text().splitlines()
        return wrong + [line for line in lines if '"level":"error"' in line or "Fatal error" in line][:5]


def run(name, node, directory, document, world, snapshot, paths):
    """One run of schemathesis. What was wrong, and what it counted."""
    report, told = f"{directory}/{name}.json", f"{directory}/{name}-told.json"
    with open(told, "w") as file:
        json.dump(
            {
                "url": node.url, "directory": node.directory, "seed": SEED, "signing": name == "signing", "report": report,
                "filled": world.filled(), "snapshot": snapshot, "paths": paths,
            },
            file,
        )  # fmt: skip
    environment = {
        **os.environ,
        "PYTHONPATH": str(HERE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "SCHEMATHESIS_HOOKS": "hooks",
        "CONTRACT": told,
    }
    command = [
        str(pathlib.Path(sys.executable).parent / "schemathesis"), "--config-file", str(HERE / "schemathesis.toml"),
        "run", document, "--url", node.url, "--checks", "all", "--mode", "all", "--seed", str(SEED),
        "--max-examples", str(EXAMPLES), "--workers", "1", "--warnings", "off", "--no-color",
    ]  # fmt: skip
    began = time.monotonic()
    ended = subprocess.run(
        command, cwd=directory, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    seconds = time.monotonic() - began
    if not os.path.exists(report):
        return [f"{name}: schemathesis ended with {ended.returncode}\n{ended.stdout}"], {}
    with open(report) as file:
        counted = json.load(file)
    requests_made = sum(sum(statuses.values()) for statuses in counted["statuses"].values())
    phases = ", ".join(f"{it[0].lower()} {it[1]} s" for it in re.findall(r"(\w+) \(in ([0-9.]+)s\)", ended.stdout))
    say(f"{name}: {len(counted['statuses'])} operations, {requests_made} requests, {seconds:.0f} s ({phases})")
    for trouble, count in sorted(counted["trouble"].items()):
        say(f"{name}: {count}× not prepared: {trouble}")
    return ([] if ended.returncode == 0 else [f"{name}:\n{ended.stdout}"]), counted


def missed(paths, counted):
    """Operations without a 2xx, and kinds that were not accepted."""
    wrong = []
    for path, methods in paths.items():
        for method in methods:
            label = f"{method.upper()} {path}"
            statuses = counted["statuses"].get(label, {})
            if not any(status.startswith("2") for status in statuses):
                wrong.append(f"{label} never got a 2xx: {statuses}")
    wrong += [f"no {kind} was accepted" for kind in RECIPES if not counted["accepted"].get(kind)]
    return wrong


def main():
    say(f"SEED={SEED} EXAMPLES={EXAMPLES} {TOOL}")
    began = time.monotonic()
    wrong = []
    with tempfile.TemporaryDirectory(prefix="lianfen-contract-") as directory:
        node = Node(directory)
        try:
            world = World(node.url, node.directory, SEED)
            snapshot = node.write_snapshot()
            # From a file, since the route that a document comes from is left out of a run over it.
            served = requests.get(f"{node.url}/openapi.json", timeout=10)
            described = served.json()
            document, paths = f"{directory}/openapi.json", described["paths"]
            pathlib.Path(document).write_text(json.dumps(described))
            say(f"the node stands at height {world.certified}, {time.monotonic() - began:.0f} s")
            asked, found = probe(node.url, world)
            wrong += [f"probe: {it}" for it in found]
            say(f"probes: {asked} requests, {len(found)} answered otherwise, {time.monotonic() - began:.0f} s")
            # A client that was written by the guide and the document alone does its whole round.
            tools = os.environ | {"PATH": f"{pathlib.Path(TOOL).resolve().parent}:{os.environ['PATH']}"}
            rounds = subprocess.run(
                [sys.executable, HERE / "round.py", node.url, node.directory],
                capture_output=True, text=True, env=tools, timeout=120)
            if rounds.returncode != 0:
                wrong.append(f"round: {rounds.stdout}{rounds.stderr}")
            say(f"round: {len(rounds.stdout.splitlines())} steps, {time.monotonic() - began:.0f} s")
            # Both at once, each in a process of its own: the stranger changes nothing that the other could see.
            with concurrent.futures.ThreadPoolExecutor() as pool:
                begun = {
                    name: pool.submit(run, name, node, directory, document, world, snapshot, paths)
                    for name in ("stranger", "signing")
                }
            for name, ended in begun.items():
                found, counted = ended.result()
                wrong += found
            if counted:
                wrong += missed(paths, counted)
                say("accepted: " + ", ".join(f"{counted['accepted'].get(kind, 0)} {kind}" for kind in RECIPES))
        finally:
            wrong += node.stop()
    for it in wrong:
        print(it, file=sys.stderr)
    say(f"{'FAILED' if wrong else 'ok'}, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
