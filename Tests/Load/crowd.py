#!/usr/bin/env python3
"""What a node does for one till while a crowd leans on it: event streams, some of which never read, and requests that
drip. Prints one line of JSON with the till's latencies and the node's resident memory; fails where a bound is missed.

    crowd.py --lianfen BINARY [--streams 10000] [--mute 2000] [--drips 3000] [--seconds 20]

Starts a demonstration of its own in a temporary directory, so that blocks keep coming.
"""

import argparse
import json
import os
import re
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

P99_MS_MAX = 50
RESIDENT_MB_MAX = 500


def call(url, method="GET", body=None, token=None):
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=30) as answer:
        return json.load(answer)


def clear_key(path):
    """A key file without a passphrase holds its seed after seven bytes."""
    with open(path, "rb") as file:
        return Ed25519PrivateKey.from_private_bytes(file.read()[7:39])


def token_of(url, principal, key):
    public = "01" + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    challenge = call(f"{url}/v1/challenges", "POST", {"principal": principal, "key": public})
    signature = "01" + key.sign(bytes.fromhex(challenge["signingBytes"])).hex()
    asked = {"principal": principal, "key": public, "challenge": challenge["challenge"], "signature": signature}
    return call(f"{url}/v1/tokens", "POST", asked)["token"]


class Crowd(threading.Thread):
    """All the sockets that are not the till's, on one thread."""

    def __init__(self, port, streams, mute, drips):
        super().__init__(daemon=True)
        self.port, self.streams, self.mute, self.drips = port, streams, mute, drips
        self.selector = selectors.DefaultSelector()
        self.dripping = []
        self.opened = threading.Event()
        self.ending = False
        self.bytes_read = 0
        self.shed = 0
        self.lost = 0
        self.silent = []

    def connect(self):
        connection = socket.socket()
        connection.connect(("127.0.0.1", self.port))
        return connection

    def stream(self, reads):
        connection = self.connect()
        if not reads:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"GET /v1/events HTTP/1.1\r\nHost: load\r\nLast-Event-ID: 0\r\n\r\n")
        connection.setblocking(False)
        if reads:
            self.selector.register(connection, selectors.EVENT_READ, "stream")
        else:
            self.silent.append(connection)

    def drip(self):
        connection = self.connect()
        connection.setblocking(False)
        self.selector.register(connection, selectors.EVENT_READ, "drip")
        self.dripping.append([connection, 0])

    def run(self):
        for index in range(self.streams):
            self.stream(reads=index % self.streams >= self.mute)
        head = b"GET /v1/chain HTTP/1.1\r\nHost: load\r\nX-Drip: " + b"x" * 64
        for _ in range(self.drips):
            self.drip()
        self.opened.set()
        next_drip = time.monotonic()
        while not self.ending:
            for key, _ in self.selector.select(timeout=0.05):
                try:
                    data = key.fileobj.recv(65536)
                except (BlockingIOError, ConnectionResetError):
                    data = b""
                self.bytes_read += len(data)
                if data == b"" or (key.data == "drip" and b"408" in data[:64]):
                    self.selector.unregister(key.fileobj)
                    key.fileobj.close()
                    if key.data == "drip":
                        self.shed += 1
                        self.dripping = [one for one in self.dripping if one[0] is not key.fileobj]
                    else:
                        self.lost += 1
            if time.monotonic() >= next_drip:
                next_drip += 1
                for one in self.dripping:
                    try:
                        one[0].send(head[one[1] % len(head):][:1])
                        one[1] += 1
                    except OSError:
                        pass
                # A client that was shed comes back.
                for _ in range(self.drips - len(self.dripping)):
                    self.drip()


class Rowdies(threading.Thread):
    """Requests that are wrong, one after another, each with the status that it has to get."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.ending = False
        self.sent = 0
        self.wrong = []

    @staticmethod
    def post(body, more=b""):
        return (b"POST /v1/transactions HTTP/1.1\r\nHost: load\r\nContent-Type: application/json\r\n" + more
                + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def cases(self):
        yield b"400", self.post(b"[" * 100_000)
        yield b"400", self.post(b'{"nonce": "\xff\xfe"}')
        yield b"400", self.post(b'{"nonce": "1", "nonce": "2"}')
        yield b"400", self.post(b'{"nonce": 1.0}')
        yield b"400", self.post(b'{"nonce": "1e3"}')
        yield b"400", self.post(b"{}", b"Content-Length: 2\r\n")
        yield b"400", self.post(b"{}", b"Transfer-Encoding: chunked\r\n")
        yield b"413", (b"POST /v1/transactions HTTP/1.1\r\nHost: load\r\nContent-Type: application/json\r\n"
                       b"Content-Length: 900000000\r\n\r\n{")
        yield b"431", b"GET / HTTP/1.1\r\nHost: load\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n"
        yield b"415", self.post(b"{}").replace(b"application/json", b"text/html")
        # Half a request, and then nobody.
        yield None, b"POST /v1/transactions HTTP/1.1\r\nHost: load\r\nContent-Length: 100\r\n\r\n{"

    def run(self):
        while not self.ending:
            for status, request in self.cases():
                with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
                    connection.sendall(request)
                    self.sent += 1
                    if status is None:
                        continue
                    head = connection.recv(4096)
                    if not head.startswith(b"HTTP/1.1 " + status):
                        self.wrong.append(f"{request[:60]!r} got {head[:40]!r} and not {status.decode()}")
            time.sleep(0.02)


def requests_a_second(url, path, token):
    """What wrk gets out of 64 connections, or nothing where it is not installed."""
    if shutil.which("wrk") is None:
        return None
    told = subprocess.run(
        ["wrk", "-t2", "-c64", "-d5", "-H", f"Authorization: Bearer {token}", url + path],
        capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told:
        sys.exit(f"crowd: wrk got answers of failure: {told}")
    return round(float(re.search(r"Requests/sec:\s+([\d.]+)", told).group(1)))


def resident_megabytes(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) // 1024


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--lianfen", required=True)
    arguments.add_argument("--streams", type=int, default=10_000)
    arguments.add_argument("--mute", type=int, default=2_000)
    arguments.add_argument("--drips", type=int, default=3_000)
    arguments.add_argument("--seconds", type=int, default=20)
    wanted = arguments.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as directory:
        chain = f"{directory}/chain"
        errors = open(f"{directory}/errors", "w+")
        node = subprocess.Popen(
            [os.path.abspath(wanted.lianfen), "demo", "--dir", chain, "--listen", "127.0.0.1:0", "--rate", "20",
             "--log-level", "error", "--drain", "0"], stderr=errors, stdout=subprocess.DEVNULL)
        try:
            url = None
            for _ in range(300):
                errors.seek(0)
                found = re.search(r"http://127\.0\.0\.1:(\d+)/", errors.read())
                if found:
                    url, port = found.group(0).rstrip("/"), int(found.group(1))
                    break
                time.sleep(0.1)
            if url is None:
                sys.exit("crowd: the node did not say where it listens")
            # The demonstration's first wallet: 16 bytes of account, then its key file.
            wallet = f"{chain}/wallets/alice.wallet"
            for _ in range(300):
                if os.path.exists(wallet):
                    break
                time.sleep(0.1)
            key = clear_key(f"{chain}/keys/1-issuing.key")
            for _ in range(300):
                if int(call(f"{url}/v1/chain")["height"]) > 5:
                    break
                time.sleep(0.1)
            token = token_of(url, {"organisation": 1}, key)
            unit = call(f"{url}/v1/units", token=token)["items"]
            unit = next(one for one in unit if one["issuer"] == 1)["program"]["unit"]
            with open(wallet, "rb") as file:
                account = bech32m("lf", file.read()[:16])
            path = f"/v1/accounts/{account}/balances/{unit}"
            request = f"GET {path} HTTP/1.1\r\nHost: till\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            before = resident_megabytes(node.pid)
            crowd = Crowd(port, wanted.streams, wanted.mute, wanted.drips)
            began = time.monotonic()
            crowd.start()
            if not crowd.opened.wait(timeout=120):
                sys.exit("crowd: the crowd did not get in within two minutes")
            opening = time.monotonic() - began
            rowdies = Rowdies(port)
            rowdies.start()
            till = socket.create_connection(("127.0.0.1", port))
            till.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            latencies, peak, statuses = [], before, {}
            end = time.monotonic() + wanted.seconds
            while time.monotonic() < end:
                start = time.monotonic()
                till.sendall(request)
                answer = b""
                while b"\r\n\r\n" not in answer:
                    answer += till.recv(65536)
                head, _, body = answer.partition(b"\r\n\r\n")
                length = int(re.search(rb"[Cc]ontent-[Ll]ength: (\d+)", head).group(1))
                while len(body) < length:
                    body += till.recv(65536)
                latencies.append((time.monotonic() - start) * 1000)
                status = int(head.split(b" ", 2)[1])
                statuses[status] = statuses.get(status, 0) + 1
                peak = max(peak, resident_megabytes(node.pid)) if len(latencies) % 20 == 0 else peak
                time.sleep(0.01)
            rowdies.ending = True
            rowdies.join(timeout=25)
            beside = requests_a_second(url, path, token)
            peak = max(peak, resident_megabytes(node.pid))
            crowd.ending = True
            crowd.join(timeout=5)
            latencies.sort()
            result = {
                "streams": wanted.streams, "mute": wanted.mute, "drips": wanted.drips,
                "requests": len(latencies), "statuses": statuses,
                "p50_ms": round(latencies[len(latencies) // 2], 2),
                "p99_ms": round(latencies[len(latencies) * 99 // 100], 2), "max_ms": round(latencies[-1], 2),
                "resident_mb_before": before, "resident_mb_peak": peak, "opening_s": round(opening, 1),
                "event_mb_read": crowd.bytes_read // 1_000_000, "drips_shed": crowd.shed, "streams_lost": crowd.lost,
                "wrong_requests": rowdies.sent, "balances_a_second_beside": beside,
                "load": os.getloadavg()[0],
            }
            print(json.dumps(result))
            failures = []
            if set(statuses) != {200}:
                failures.append(f"answers other than 200: {statuses}")
            if result["p99_ms"] > P99_MS_MAX:
                failures.append(f"p99 {result['p99_ms']} ms is over {P99_MS_MAX} ms")
            if peak > RESIDENT_MB_MAX:
                failures.append(f"{peak} MB resident are over {RESIDENT_MB_MAX} MB")
            if rowdies.wrong:
                failures.append("; ".join(rowdies.wrong[:3]))
            if crowd.lost:
                failures.append(f"{crowd.lost} streams were lost")
            if wanted.seconds > 12 and wanted.drips and not crowd.shed:
                failures.append("no dripping request was shed")
            if failures:
                sys.exit("crowd: " + "; ".join(failures))
        finally:
            node.send_signal(signal.SIGINT)
            try:
                node.wait(timeout=30)
            except subprocess.TimeoutExpired:
                node.kill()


def bech32m(prefix, data):
    alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    bits = int.from_bytes(data, "big") << (-len(data) * 8 % 5)
    count = (len(data) * 8 + 4) // 5
    values = [bits >> 5 * (count - 1 - index) & 31 for index in range(count)]

    def check(numbers):
        total = 1
        for number in numbers:
            top = total >> 25
            total = (total & 0x1FFFFFF) << 5 ^ number
            for bit, generator in enumerate([0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]):
                total ^= generator if top >> bit & 1 else 0
        return total

    spread = [ord(one) >> 5 for one in prefix] + [0] + [ord(one) & 31 for one in prefix]
    tail = check(spread + values + [0] * 6) ^ 0x2BC830A3
    return prefix + "1" + "".join(alphabet[one] for one in values + [tail >> 5 * (5 - index) & 31 for index in range(6)])


if __name__ == "__main__":
    main()
