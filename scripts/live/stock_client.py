#!/usr/bin/env python3
"""A client with no code of ours: stock_client.py HOST:PORT NODE_ID_HEX. Says HELLO, pings the node through the
switch, asks it for the nodes near its own id, and prints both replies as cbor2 decodes them."""

import os, socket, struct, sys  # noqa: E401

import cbor2

host, port = sys.argv[1].rsplit(":", 1)
node, me = bytes.fromhex(sys.argv[2]), os.urandom(32)
peer = socket.create_connection((host, int(port)), timeout=20)
stream = peer.makefile("rb")
peer.sendall(b"OAP1" + struct.pack(">BI", 1, 1))
assert stream.read(9)[:5] == b"OAP1\x01"
for rpc, message in enumerate(({"Ping": {}}, {"FindNode": {"target": node}}), int.from_bytes(os.urandom(7), "big")):
    payload = cbor2.dumps({"v": 1, "dst": node, "src": me, "at": "", "net": 0, "id": rpc, "msg": message})
    peer.sendall(struct.pack(">IB", len(payload) + 1, 1) + payload)
    reply = {"id": None}
    while reply["id"] != rpc:  # a newcomer's ping to any node is none of ours
        reply = cbor2.loads(stream.read(struct.unpack(">IB", stream.read(5))[0] - 1))
    assert (reply["src"], reply["dst"]) == (node, me), reply
    print(reply["msg"])
