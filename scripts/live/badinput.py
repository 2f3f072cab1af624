#!/usr/bin/env python3
"""Says to a hub and to a node what nobody should say.

    bad_input.py OVERLAY HUB_ADMIN NODE_ADMIN NODE_ID_HEX MAX_VALUE HUB_PID NODE_PID [ROUNDS]

Each case must get the answer that is named with it, and move its counter. Then all of them are repeated ROUNDS times
(default 20, at least 2), and the memory of both processes must stay where it was.
"""

import os
import pathlib
import socket
import struct
import sys
import time

import cbor2

HELLO = b"OAP1" + struct.pack(">BI", 1, 1)
MAX_FRAME = 1 << 20
PATIENCE = 10.0


class Failure(Exception):
    pass


def connect(address):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


# MARK: - Sessions


class Session:
    """One OAP session; `hello` None leaves the handshake to the case."""

    def __init__(self, address, hello=HELLO):
        self.socket = connect(address)
        if hello:
            self.socket.sendall(hello)
            if self.read(len(HELLO)) != HELLO:
                raise Failure("no HELLO came back")

    def read(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise Failure(f"the session ended after {len(data)} of {count} bytes")
            data += part
        return data

    def send_frame(self, payload, kind=1):
        self.socket.sendall(struct.pack(">IB", len(payload) + 1, kind) + payload)

    def frame(self):
        length, kind = struct.unpack(">IB", self.read(5))
        return kind, self.read(length - 1)

    def reply(self, rpc):
        """The message that answers `rpc`. Others, such as a newcomer's ping to any node, are none of ours."""
        while True:
            envelope = cbor2.loads(self.frame()[1])
            if envelope["id"] == rpc:
                return envelope["msg"]

    def expect_pong(self, rpc):
        if (reply := self.reply(rpc)) != {"Pong": {}}:
            raise Failure(f"answered with {reply}")

    def expect_end(self):
        """The other side ends the session; what it had sent before is read past."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass


def ends(sent, hello=None):
    """A session that sends `sent` is closed by the other side."""

    def run(world):
        session = Session(world.overlay, hello)
        try:
            session.socket.sendall(sent)
        except (BrokenPipeError, ConnectionResetError):
            pass
        session.expect_end()

    return run


def echoes(payload):
    """The switch sends back what is no envelope."""

    def run(world):
        session = Session(world.overlay)
        session.send_frame(payload)
        if session.frame() != (1, payload):
            raise Failure("the payload did not come back")

    return run


def silent(make):
    """The node drops it without a word: what is answered is the ping before it and the ping behind it."""

    def run(world):
        session = Session(world.overlay)
        source = os.urandom(32)
        # A good frame first: a switch lets nobody claim an id with an envelope that is broken.
        session.send_frame(envelope(world, source, {"Ping": {}}, rpc=RPC + 1))
        session.send_frame(make(world, source))
        session.send_frame(envelope(world, source, {"Ping": {}}, rpc=RPC + 2))
        session.expect_pong(RPC + 1)
        session.expect_pong(RPC + 2)

    return run


def unanswered(make):
    """The switch refuses it; the session goes on."""

    def run(world):
        session = Session(world.overlay)
        session.send_frame(make(world, os.urandom(32)))
        session.send_frame(envelope(world, os.urandom(32), {"Ping": {}}, rpc=RPC + 2))
        session.expect_pong(RPC + 2)

    return run


def answers(make, expected):
    """The node answers it with `expected`: a message's name and the fields that matter."""

    def run(world):
        session = Session(world.overlay)
        session.send_frame(make(world, os.urandom(32)))
        reply = session.reply(RPC)
        ((name, fields),) = expected.items()
        got = reply.get(name)
        if got is None or any(got.get(key) != value for key, value in fields.items()):
            raise Failure(f"answered with {reply}, not {expected}")

    return run


# MARK: - Payloads


RPC = int.from_bytes(os.urandom(7), "big")


def envelope(world, source, message, rpc=RPC, net=0):
    return cbor2.dumps(
        {"v": 1, "dst": world.node, "src": source, "at": "", "net": net, "id": rpc, "msg": message}
    )


def with_message(raw):
    """A good head, and `raw` as the message."""

    def make(world, source):
        return envelope(world, source, 0)[:-1] + raw

    return make


def message(body, **fields):
    return lambda world, source: envelope(world, source, body, **fields)


def cut(body, count):
    return lambda world, source: envelope(world, source, body)[:-count]


def put_over_limit(world, source):
    record = {"key": os.urandom(32), "seq": 1, "ttl": 60, "value": bytes(world.max_value + 1)}
    return envelope(world, source, {"Put": {"record": record}})


MALFORMED = {"Error": {"kind": "malformed"}}


NESTING = b"\xa1\x61x" + b"\x81" * (MAX_FRAME - 256)
KEY31 = b"\x01" * 31


# MARK: - HTTP


def http(admin, request, *codes, header=None):
    """`request` is answered with one of `codes`; 0 stands for a connection closed without a word."""

    def run(world):
        connection = connect(getattr(world, admin))
        try:
            connection.sendall(request(world) if callable(request) else request)
        except (BrokenPipeError, ConnectionResetError):
            pass
        reply = b""
        try:
            while b"\r\n\r\n" not in reply:
                part = connection.recv(65536)
                if not part:
                    break
                reply += part
        except ConnectionResetError:
            pass
        code = int(reply.split(b" ", 2)[1]) if reply.startswith(b"HTTP/1.") else 0
        if code not in codes:
            raise Failure(f"answered with {code}, not {codes}: {reply[:120]!r}")
        if header and header.lower() not in reply.lower():
            raise Failure(f"no {header!r} in {reply[:200]!r}")

    return run


def request(method, path, *headers, body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def too_large_value(world):
    body = bytes(world.max_value + 1)
    return request("PUT", "/dht/kv/big", f"Content-Length: {len(body)}", body=body)


# MARK: - The list

HANDSHAKE = 'overlay_handshake_fail_total{reason="%s"}'
CLOSED = 'overlay_session_end_total{reason="%s"}'
PATH = 'overlay_frames_total{path="%s"}'
REJECTED = 'dht_rejected_total{reason="%s"}'

# Name, what to do, whose counter, which.
CASES = [
    ("HELLO with a wrong magic", ends(b"OAP2" + HELLO[4:]), "hub", HANDSHAKE % "bad_magic"),
    ("HTTP instead of a HELLO", ends(b"GET / HTTP/1.1\r\n\r\n"), "hub", HANDSHAKE % "bad_magic"),
    ("HELLO with version 2", ends(b"OAP1\x02" + HELLO[5:]), "hub", HANDSHAKE % "bad_version"),
    ("HELLO without gossip", ends(b"OAP1\x01" + bytes(4)), "hub", HANDSHAKE % "missing_gossip"),
    ("half a HELLO", ends(HELLO[:5]), "hub", HANDSHAKE % "timeout"),
    ("no HELLO", ends(b""), "hub", HANDSHAKE % "timeout"),
    ("a frame of length 0", ends(bytes(4) + b"\1", HELLO), "hub", CLOSED % "zero_length"),
    ("a frame of length 2^31", ends(struct.pack(">IB", 1 << 31, 1), HELLO), "hub", CLOSED % "too_long"),
    ("a frame of length 2^32-1", ends(b"\xff" * 4 + b"\1", HELLO), "hub", CLOSED % "too_long"),
    ("a frame one byte too long", ends(struct.pack(">IB", MAX_FRAME + 1, 1), HELLO), "hub", CLOSED % "too_long"),
    ("a frame of unknown kind", ends(struct.pack(">IB", 2, 9) + b"x", HELLO), "hub", CLOSED % "unknown_kind"),
    ("a payload that is no CBOR", echoes(b"\xff\x1c hello"), "hub", PATH % "echo"),
    ("an empty payload", echoes(b""), "hub", PATH % "echo"),
    ("an indefinite map", echoes(b"\xbf\x61v\x01\xff"), "hub", PATH % "echo"),
    ("1 MiB of nesting", echoes(b"\x81" * (MAX_FRAME - 1)), "hub", PATH % "echo"),
    ("an envelope cut in its head", echoes(b"\xa7\x61v\x01\x63dst\x58\x20" + bytes(20)), "hub", PATH % "echo"),
    ("an envelope cut behind its address, from a stranger", unanswered(cut({"Ping": {}}, 12)), "hub", PATH % "refused_source"),
    ("an envelope cut behind its address", silent(cut({"Ping": {}}, 12)), "node", REJECTED % "truncated"),
    ("a message cut short", answers(cut({"Get": {"key": KEY31}}, 4), MALFORMED), "node", REJECTED % "truncated"),
    ("a message of indefinite length", answers(with_message(b"\xbf\x64Ping\xa0\xff"), MALFORMED), "node", REJECTED % "indefinite"),
    ("1 MiB of nesting in a message", answers(with_message(NESTING), MALFORMED), "node", REJECTED % "too_deep"),
    ("a key of 31 bytes", answers(message({"Get": {"key": KEY31}}), MALFORMED), "node", REJECTED % "bad_key_length"),
    ("a target of the wrong type", answers(message({"FindNode": {"target": 1}}), MALFORMED), "node", REJECTED % "wrong_type"),
    ("a reserved head", answers(with_message(b"\x1c"), MALFORMED), "node", REJECTED % "malformed"),
    ("a byte behind the message", answers(with_message(b"\xa1\x64Ping\xa0\x00"), MALFORMED), "node", REJECTED % "trailing_bytes"),
    ("an unknown message", answers(message({"Teleport": {}}), {"Error": {"kind": "unsupported"}}), "node", REJECTED % "unsupported"),
    ("another network's frame", silent(message({"Ping": {}}, net=9)), "node", REJECTED % "wrong_net"),
    ("an answer to nothing", silent(message({"Pong": {}})), "node", REJECTED % "stray_reply"),
    ("a value over the limit", answers(put_over_limit, {"Stored": {"ok": False, "code": "too_large"}}), "node", 'dht_rpcs_total{op="put",code="denied"}'),
    ("a body over the limit", http("node_admin", too_large_value, 413), "node", REJECTED % "http"),
    ("a request line of 1 MiB", http("node_admin", b"GET /" + b"x" * (1 << 20) + b" HTTP/1.1\r\n\r\n", 0, 400, 414), "node", REJECTED % "http"),
    ("a request line of 1 MiB, to the hub", http("hub_admin", b"GET /" + b"x" * (1 << 20) + b" HTTP/1.1\r\n\r\n", 0, 400, 414), "hub", None),
    ("a header of 1 MiB", http("node_admin", request("GET", "/healthz", "X: " + "x" * (1 << 20)), 0, 400, 431), "node", REJECTED % "http"),
    ("a header without a colon", http("node_admin", request("GET", "/healthz", "x"), 400), "node", REJECTED % "http"),
    ("bytes that are no HTTP", http("node_admin", HELLO + b"\r\n\r\n", 0), "node", None),
    ("a length that is no number", http("node_admin", request("PUT", "/dht/kv/k", "Content-Length: many"), 0, 400, 413), "node", None),
    ("an unknown path", http("node_admin", request("GET", "/nowhere"), 404), "node", None),
    ("an unknown method", http("node_admin", request("POST", "/dht/kv/k", "Content-Length: 0"), 405, header=b"Allow:"), "node", None),
]  # fmt: skip


class World:
    def __init__(self, arguments):
        self.overlay, self.hub_admin, self.node_admin = arguments[:3]
        self.node = bytes.fromhex(arguments[3])
        self.max_value = int(arguments[4])
        self.pids = {"hub": int(arguments[5]), "node": int(arguments[6])}
        self.rounds = int(arguments[7]) if len(arguments) > 7 else 20

    def metric(self, who, series):
        connection = connect(self.hub_admin if who == "hub" else self.node_admin)
        connection.sendall(request("GET", "/metrics"))
        page = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        for line in page.splitlines():
            if line.startswith(series + " "):
                return int(float(line.rsplit(" ", 1)[1]))
        raise Failure(f"the {who} has no metric {series}")

    def await_over(self, who, series, before):
        until = time.monotonic() + PATIENCE
        while self.metric(who, series) <= before:
            if time.monotonic() > until:
                raise Failure(f"{series} did not move from {before}")
            time.sleep(0.01)

    def anonymous_kib(self, who):
        for line in pathlib.Path(f"/proc/{self.pids[who]}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
        raise Failure(f"the {who} has died")


def hold_announced(world):
    """200 sessions announce a frame of 1 MiB each and send one byte of it."""
    before = world.anonymous_kib("hub")
    sessions = [Session(world.overlay) for _ in range(200)]
    for session in sessions:
        session.socket.sendall(struct.pack(">IB", MAX_FRAME, 1) + b"x")
    # A pong on a session of its own comes after the hub has read those bytes: it reads them in order of arrival.
    answers(message({"Ping": {}}), {"Pong": {}})(world)
    grown = world.anonymous_kib("hub") - before
    for session in sessions:
        session.socket.close()
    if grown > 4096:
        raise Failure(f"200 announced frames of 1 MiB took {grown} KiB")
    print(f"  ok    200 sessions that announce 1 MiB each: {grown} KiB more memory in the hub")


def main():
    world = World(sys.argv[1:])
    failed = 0
    for name, run, who, series in CASES:
        try:
            before = world.metric(who, series) if series else 0
            run(world)
            if series:
                world.await_over(who, series, before)
            print(f"  ok    {name}" + (f": {series}" if series else ""))
        except (Failure, OSError) as error:
            failed += 1
            print(f"  FAIL  {name}: {error}", file=sys.stderr)
    if failed:
        return 1
    hold_announced(world)

    # Memory goes up and down by the buffer of one frame, 1 MiB, and by the 2 MB of buffers that may be kept for later;
    # what leaks grows by more in half of the rounds. The first half fills what is filled once.
    taken = {who: [] for who in world.pids}
    for _ in range(world.rounds):
        for _, run, _, _ in CASES:
            run(world)
        for who in world.pids:
            taken[who].append(world.anonymous_kib(who))
    half = world.rounds // 2
    for who, kib in taken.items():
        first, second = max(kib[:half]), max(kib[half:])
        grown = second - first > 3072
        print(f"  {'FAIL ' if grown else 'ok   '} {who}: peak of anonymous memory {first} KiB in {half} rounds of "
              f"{len(CASES)} cases, {second} KiB in {world.rounds - half} more")  # fmt: skip
        failed += grown
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
