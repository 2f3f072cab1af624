#!/usr/bin/env python3
"""Holds docs/dhtmsg.cddl against the golden vectors, with two validators.

Each of them forgives something that the grammar does not: pycddl the upper bound of a list and bytes for a text,
zcbor a negative number for a uint; zcbor also wants a map's keys in the grammar's order. So what a sender may
write must match under pycddl, and under zcbor too in the order we write; and every other vector must be refused by
at least one of them. Left out is what a grammar does not say: bytes behind the item, indefinite lengths, depth, order,
a key twice.
"""

import json
import pathlib
import sys

import pycddl
import zcbor

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNSAID = {"trailing_bytes", "indefinite", "too_deep", "repeated_key"}
# A grammar has no word for an order.
UNSAID_NAMES = {"StoredMany, an index twice", "StoredMany, indexes that descend"}
# Both validators take a bignum (tag 2) for a plain integer.
MISREAD = {"net is 18446744073709551616", "id is 18446744073709551616"}


class Grammar:
    def __init__(self, text):
        self.pycddl = pycddl.Schema(text)
        self.zcbor = zcbor.DataTranslator.from_cddl(text, default_max_qty=1 << 32).my_types["envelope"]

    def refusals(self, payload):
        """Which of the validators refuse `payload`."""
        refused = set()
        try:
            self.pycddl.validate_cbor(payload)
        except pycddl.ValidationError:
            refused.add("pycddl")
        try:
            self.zcbor.validate_str(payload)
        except Exception:  # it raises whatever its CBOR reader raised
            refused.add("zcbor")
        return refused


def main():
    grammar = Grammar((ROOT / "docs/dhtmsg.cddl").read_text())
    golden = json.loads((ROOT / "Tests/DhtLoopTests/Proto/vectors.json").read_text())
    wrong, taken, refused = [], 0, 0

    for vector in golden["valid"]:
        by = grammar.refusals(bytes.fromhex(vector["hex"]))
        if vector["lenient"] or vector["expect"]["body"] is None:
            refused += 1
            if not by:
                wrong.append(f"{vector['name']}: the grammar takes it")
            continue
        taken += 1
        if by - (set() if vector["canonical"] else {"zcbor"}):
            wrong.append(f"{vector['name']}: refused by {' and '.join(sorted(by))}")
    for vector in golden["invalid"]:
        if vector["error"] in UNSAID or vector["name"] in MISREAD | UNSAID_NAMES:
            continue
        refused += 1
        if not grammar.refusals(bytes.fromhex(vector["hex"])):
            wrong.append(f"{vector['name']}: the grammar takes it")

    for line in wrong:
        print(line, file=sys.stderr)
    print(f"cddl: of {taken} vectors that must match and {refused} that must not, {len(wrong)} do otherwise")
    return 1 if wrong or not taken or not refused else 0


if __name__ == "__main__":
    sys.exit(main())
