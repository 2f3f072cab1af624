#!/usr/bin/env python3
"""A peer that answers late: slow_peer.py HOST:PORT SECONDS. Joins at that overlay, answers pings and lookups after
SECONDS, so that whoever asks it learns to wait long, and answers nothing else at all. Runs until it is ended."""

import os, queue, socket, struct, sys, threading, time  # noqa: E401

import cbor2

host, port = sys.argv[1].rsplit(":", 1)
delay, me = float(sys.argv[2]), os.urandom(32)
peer = socket.create_connection((host, int(port)), timeout=20)
peer.settimeout(None)
stream = peer.makefile("rb")
answers = queue.Queue()


def send(dst, rpc, message):
    envelope = {"v": 1, "dst": dst, "src": me, "at": sys.argv[1], "net": 0, "id": rpc, "msg": message}
    payload = cbor2.dumps(envelope)
    peer.sendall(struct.pack(">IB", len(payload) + 1, 1) + payload)


def answer():
    while True:
        due, dst, rpc, message = answers.get()
        time.sleep(max(0, due - time.monotonic()))
        send(dst, rpc, message)


peer.sendall(b"OAP1" + struct.pack(">BI", 1, 1))
assert stream.read(9)[:5] == b"OAP1\x01"
threading.Thread(target=answer, daemon=True).start()
send(bytes(32), 1, {"Ping": {}})
while head := stream.read(5):
    asked = cbor2.loads(stream.read(struct.unpack(">IB", head)[0] - 1))
    replies = {"Ping": {"Pong": {}}, "FindNode": {"Nodes": {"nodes": []}}}
    reply = replies.get(next(iter(asked["msg"])))
    if reply:
        answers.put((time.monotonic() + delay, asked["src"], asked["id"], reply))
