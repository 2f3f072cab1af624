#!/usr/bin/env python3
"""Writes the golden vectors as seeds for one fuzz target: fuzz_seeds.py TARGET DIRECTORY"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    target, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    golden = json.loads((ROOT / "Tests/DhtLoopTests/Proto/vectors.json").read_text())
    payloads = [bytes.fromhex(vector["hex"]) for kind in ("valid", "invalid") for vector in golden[kind]]
    if target == "fuzz-frames":
        hello = b"OAP1\x01" + (1).to_bytes(4, "big")
        frames = [(len(payload) + 1).to_bytes(4, "big") + b"\x01" + payload for payload in payloads]
        payloads = [hello + b"".join(frames[at : at + 3]) for at in range(0, len(frames), 3)]
    for index, payload in enumerate(payloads):
        (directory / f"{index:04}").write_bytes(payload)


if __name__ == "__main__":
    main()
