#!/usr/bin/env python3
"""Writes the golden vectors as seeds for one fuzz target: fuzz_seeds.py TARGET DIRECTORY"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def sequence(payloads, at):
    """Steps for fuzz-node: two strangers' frames, a get, an answer to it, a put, time."""
    message = payloads[at][payloads[at].find(b"cmsg") + 4 :] if b"cmsg" in payloads[at] else b"\xa0"
    steps = [(0, payloads[at]), (0, payloads[(at + 1) % len(payloads)]), (5, b"k"), (2, message), (2, message)]
    steps += [(6, b"value"), (2, message), (4, (3_000_000).to_bytes(5, "big")), (2, message)]
    return b"".join(bytes([kind]) + len(data).to_bytes(2, "big") + data for kind, data in steps if len(data) < 65536)


def main():
    target, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    golden = json.loads((ROOT / "Tests/DhtLoopTests/Proto/vectors.json").read_text())
    payloads = [bytes.fromhex(vector["hex"]) for kind in ("valid", "invalid") for vector in golden[kind]]
    if target == "fuzz-frames":
        hello = b"OAP1\x01" + (1).to_bytes(4, "big")
        frames = [(len(payload) + 1).to_bytes(4, "big") + b"\x01" + payload for payload in payloads]
        payloads = [hello + b"".join(frames[at : at + 3]) for at in range(0, len(frames), 3)]
    if target == "fuzz-node":
        payloads = [sequence(payloads, at) for at in range(0, len(payloads), 2)]
    for index, payload in enumerate(payloads):
        (directory / f"{index:04}").write_bytes(payload)


if __name__ == "__main__":
    main()
