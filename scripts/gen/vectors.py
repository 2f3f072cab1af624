#!/usr/bin/env python3
"""Golden vectors of the wire, written by an encoder that shares no code with ours (cbor2).

    make_vectors.py            writes Tests/DhtLoopTests/Proto/vectors.json
    make_vectors.py --check    regenerates them and fails when the file differs

Every valid vector is read back with cbor2 before it is written, and every invalid one must be refused by cbor2
exactly when it is marked as broken CBOR, so that a mistake here does not become the truth.
"""

import difflib
import importlib.metadata
import io
import json
import pathlib
import sys

import cbor2

PATH = pathlib.Path(__file__).resolve().parents[2] / "Tests/DhtLoopTests/Proto/vectors.json"

DST = bytes(range(32))
SRC = bytes(range(0xFF, 0xDF, -1))
KEY = bytes.fromhex("00" * 31 + "01")
ZERO = bytes(32)
HOME = "127.0.0.1:9700"
V6 = "[2001:db8::1]:9700"


# MARK: - CBOR by hand, for the shapes an encoder does not write


def head(major, value, width=None):
    """One CBOR head; `width` in bytes (0, 1, 2, 4, 8) forces a longer form than needed."""
    if width is None:
        width = 0 if value < 24 else 1 if value < 1 << 8 else 2 if value < 1 << 16 else 4 if value < 1 << 32 else 8
    if width == 0:
        return bytes([major << 5 | value])
    return bytes([major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[width]]) + value.to_bytes(width, "big")


def pairs(*items):
    """A map of text keys to values already encoded, in this order."""
    return head(5, len(items)) + b"".join(cbor2.dumps(key) + value for key, value in items)


def nest(levels, around=b""):
    """`levels` arrays inside each other; the innermost holds `around`."""
    return b"\x81" * (levels - 1) + (b"\x81" + around if around else b"\x80")


def diagnostic(raw):
    """`raw` in the notation of RFC 8949, section 8; a head longer than needed shows as _0 to _3."""
    text, rest = _diagnose(raw)
    assert not rest, "one item"
    return text


def _diagnose(raw):
    major, short = raw[0] >> 5, raw[0] & 31
    width = {24: 1, 25: 2, 26: 4, 27: 8}.get(short, 0)
    value = int.from_bytes(raw[1 : 1 + width], "big") if width else short
    rest = raw[1 + width :]
    mark = "" if major == 7 or head(major, value) == raw[: 1 + width] else f"_{width.bit_length() - 1}"
    if major == 7:
        item = cbor2.loads(raw[: 1 + width])
        return {True: "true", False: "false", None: "null"}.get(item, repr(item)), rest
    if major < 2:
        return str(value if major == 0 else -1 - value) + mark, rest
    if major == 2:
        return f"h'{rest[:value].hex()}'{mark}", rest[value:]
    if major == 3:
        return json.dumps(rest[:value].decode()) + mark, rest[value:]
    parts = []
    for _ in range({4: value, 5: 2 * value, 6: 1}[major]):
        part, rest = _diagnose(rest)
        parts.append(part)
    mark = mark and mark + " "
    if major == 4:
        return f"[{mark}{', '.join(parts)}]", rest
    if major == 6:
        return f"{value}{mark.strip()}({parts[0]})", rest
    return "{" + mark + ", ".join(f"{k}: {v}" for k, v in zip(parts[::2], parts[1::2])) + "}", rest


# MARK: - Valid vectors

MESSAGES = {
    "Ping", "Pong", "FindNode", "Nodes", "Get", "Found", "Put", "Stored", "Provide", "FindProviders", "Providers",
    "Busy", "Error", "Unreachable", "PutMany", "StoredMany",
}  # fmt: skip
valid = []


def envelope(message, dst=DST, src=SRC, at=HOME, net=0, rpc=1):
    return {"v": 1, "dst": dst, "src": src, "at": at, "net": net, "id": rpc, "msg": message}


def plain(value):
    """A value as JSON can hold it: bytes become hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def add(name, known, raw=None, *, sent=None, lenient=False):
    """One valid vector.

    `known` is the envelope as the reader must understand it. `raw` is its encoding where that is not simply
    cbor2's; `sent` is what `raw` holds where it is more, or less, than `known`. `lenient` marks what readers take
    although the grammar does not have it.
    """
    ours = raw is None
    raw = raw or cbor2.dumps(known)
    assert cbor2.loads(raw) == (sent or known), name
    assert all(item["name"] != name for item in valid), name
    ((message, body),) = known["msg"].items()
    valid.append(
        {
            "name": name,
            "canonical": ours,
            "lenient": lenient,
            "hex": raw.hex(),
            "diagnostic": diagnostic(raw),
            "expect": {
                **{key: plain(known[key]) for key in ("dst", "src", "at", "net", "id")},
                "message": message,
                "body": plain(body) if message in MESSAGES else None,
            },
        }
    )


def contacts(count):
    return [[bytes([index]) * 32, f"10.0.{index}.1:{9700 + index}"] for index in range(1, count + 1)]


def record(value=b"value", key=KEY, seq=1, ttl=86400):
    return {"key": key, "seq": seq, "ttl": ttl, "value": value}


def records(count):
    """Records that differ in every field."""
    return [record(b"v" * index, bytes([index]) * 32, index, 60 * index) for index in range(count)]


def add_heads():
    ping = {"Ping": {}}
    add("ping", envelope(ping))
    for name, at in {
        "an empty endpoint": "",
        "a v6 endpoint": V6,
        "a named endpoint": "hub.example.org:9700",
        "an endpoint of 23 bytes": "h" * 18 + ":9700",
        "an endpoint of 24 bytes": "h" * 19 + ":9700",
        "an endpoint of 255 bytes": "h" * 250 + ":9700",
    }.items():
        add(f"ping from {name}", envelope(ping, at=at))
    for number in (0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1):
        add(f"ping with id {number}", envelope(ping, rpc=number))
        add(f"ping on network {number}", envelope(ping, net=number))
    add("ping to any node", envelope(ping, dst=ZERO))
    add("ping from and to the highest id", envelope(ping, dst=b"\xff" * 32, src=b"\xff" * 32))


def add_requests():
    add("find node", envelope({"FindNode": {"target": KEY}}))
    add("get", envelope({"Get": {"key": KEY}}))
    for steps in (1, 3):
        add(f"find node, to be passed on {steps} steps", envelope({"FindNode": {"target": KEY, "recurse": steps}}))
        add(f"get, to be passed on {steps} steps", envelope({"Get": {"key": KEY, "recurse": steps}}))
    for name, item in {
        "a text value": record(b"hello"),
        "an empty value": record(b""),
        "a value with zero bytes": record(b"a\0b\0\0"),
        "every byte value": record(bytes(range(256))),
        "a value of 23 bytes": record(b"x" * 23),
        "a value of 24 bytes": record(b"x" * 24),
        "a value of 255 bytes": record(b"x" * 255),
        "the highest seq and ttl": record(seq=2**64 - 1, ttl=2**64 - 1),
        "seq and ttl 0": record(seq=0, ttl=0),
    }.items():
        add(f"put of {name}", envelope({"Put": {"record": item}}))
    add("put of a tombstone", envelope({"Put": {"record": {**record(b""), "dead": True}}}))
    for count in (1, 2, 23, 24, 64):
        add(f"put many, {count} of them", envelope({"PutMany": {"records": records(count)}}))
    mixed = [{**record(b"", DST), "dead": True}, record(b"", SRC), record(b"x" * 256, KEY), record(b"y", KEY, 2)]
    add("put many, a tombstone and a key twice among them", envelope({"PutMany": {"records": mixed}}))
    add("get with nodes", envelope({"Get": {"key": KEY, "nodes": True}}))
    add("provide", envelope({"Provide": {"cid": KEY, "node": "tcp://node-1", "ttl": 3600}}))
    add("provide with a node of 255 bytes", envelope({"Provide": {"cid": KEY, "node": "n" * 255, "ttl": 1}}))
    add("find providers", envelope({"FindProviders": {"cid": KEY, "limit": 20}}))


def add_replies():
    add("pong", envelope({"Pong": {}}))
    for count in (0, 20):
        more = envelope({"Nodes": {"more": True, "nodes": contacts(count)}})
        add(f"nodes with {count} contacts and more to come", more)
    for count in (0, 1, 20, 23, 24, 64):
        add(f"nodes with {count} contacts", envelope({"Nodes": {"nodes": contacts(count)}}))
    add(
        "nodes with unlike endpoints",
        envelope({"Nodes": {"nodes": [[DST, ""], [SRC, V6], [KEY, "h" * 250 + ":9700"]]}}),
    )
    for count in (0, 1, 20):
        add(f"found with {count} contacts", envelope({"Found": {"record": record(), "nodes": contacts(count)}}))
    add("found of an empty value", envelope({"Found": {"record": record(b""), "nodes": []}}))
    add("stored", envelope({"Stored": {"ok": True, "code": "", "ttl": 86400}}))
    add("stale", envelope({"Stored": {"ok": False, "code": "stale", "ttl": 0, "seq": 2**63}}))
    add("not stored", envelope({"Stored": {"ok": False, "code": "too_large", "ttl": 0}}))
    add("stored many, all of them", envelope({"StoredMany": {"stored": 64, "refused": []}}))
    some = [
        {"index": 0, "code": "full"}, {"index": 1, "code": "stale", "seq": 2**63},
        {"index": 23, "code": "too_large"}, {"index": 24, "code": "stale", "seq": 0}, {"index": 63, "code": "full"},
    ]  # fmt: skip
    add("stored many, some refused", envelope({"StoredMany": {"stored": 59, "refused": some}}))
    none = [{"index": index, "code": "stale", "seq": 2**64 - 1} for index in range(64)]
    add("stored many, none of them", envelope({"StoredMany": {"stored": 0, "refused": none}}))
    for count in (0, 1, 64):
        listed = [[f"tcp://node-{index}", 60 * index] for index in range(count)]
        add(f"providers, {count} of them", envelope({"Providers": {"providers": listed, "nodes": []}}))
    add(
        "providers and contacts",
        envelope({"Providers": {"providers": [["", 0]], "nodes": contacts(2)}}),
    )
    add("busy", envelope({"Busy": {"retry_ms": 250}}))
    add("error", envelope({"Error": {"kind": "unsupported", "detail": ""}}))
    add("error with a detail", envelope({"Error": {"kind": "malformed", "detail": "bad_key_length"}}))
    add("unreachable, from a switch", envelope({"Unreachable": {"node": DST}}, src=ZERO, at=""))


def add_other_shapes():
    """What other encoders may send: the reader must understand it, and our encoder never writes it."""
    find = envelope({"FindNode": {"target": KEY}})
    reverse = dict(reversed(find.items()))
    add("keys in reverse order", find, cbor2.dumps(reverse))
    extra = {**find, "zz": {"deep": [1, {"a": None}]}, "hop": -5, "pi": 1.5, "when": cbor2.CBORTag(4000, 0)}
    add("extra keys at the end", find, cbor2.dumps(extra), sent=extra)
    first = {"zz": b"\0" * 40, **find}
    add("an extra key first", find, cbor2.dumps(first), sent=first)
    every = envelope({"FindProviders": {"cid": KEY, "limit": 2**64 - 1}})
    add("find providers, the highest limit", every, cbor2.dumps(every))
    levels = {**find, "deep": cbor2.loads(nest(16))}
    add("an extra key with 16 levels", find, cbor2.dumps(levels), sent=levels)
    body = envelope({"FindNode": {"hint": [1, 2], "target": KEY, "more": "x"}})
    add("extra keys in a body", find, cbor2.dumps(body), sent=body)
    body = envelope({"Ping": {"hint": "x"}})
    add("an extra key in an empty body", envelope({"Ping": {}}), cbor2.dumps(body), sent=body)
    body = envelope({"Put": {"record": {**record(), "sig": b"\1" * 64, "alg": 7}}})
    add("extra keys in a record", envelope({"Put": {"record": record()}}), cbor2.dumps(body), sent=body)
    body = envelope({"Put": {"record": {**record(), "dead": False}}})
    add("a record that says it lives", envelope({"Put": {"record": record()}}), cbor2.dumps(body), sent=body)
    known = envelope({"PutMany": {"records": [record(), record(b"", SRC)]}})
    items = [{**record(), "sig": b"\1" * 64, "dead": False}, dict(reversed(record(b"", SRC).items()))]
    body = envelope({"PutMany": {"hint": 1, "records": items, "more": [2]}})
    add("put many, extra keys and another order", known, cbor2.dumps(body), sent=body)
    raw = cbor2.dumps(known)
    raw = raw.replace(b"grecords\x82", b"grecords" + head(4, 2, 8))
    add("put many, a long head of the list", known, raw)
    known = envelope({"StoredMany": {"stored": 1, "refused": [{"index": 1, "code": "stale", "seq": 7}]}})
    body = envelope({"StoredMany": {"refused": [{"seq": 7, "why": None, "code": "stale", "index": 1}], "x": 0, "stored": 1}})  # fmt: skip
    add("stored many, extra keys and another order", known, cbor2.dumps(body), sent=body)
    known = envelope({"StoredMany": {"stored": 1, "refused": [{"index": 1, "code": "no_such_word"}]}})
    add("stored many, a code we do not know", known, cbor2.dumps(known))
    body = envelope({"Get": {"key": KEY, "nodes": False}})
    add("get, nodes not wanted", envelope({"Get": {"key": KEY}}), cbor2.dumps(body), sent=body)
    for name, known, sent in (
        ("find node, to be passed on 0 steps", {"target": KEY}, {"target": KEY, "recurse": 0}),
        ("find node, the steps first", {"target": KEY, "recurse": 2}, {"recurse": 2, "target": KEY}),
    ):
        body = envelope({"FindNode": sent})
        add(name, envelope({"FindNode": known}), cbor2.dumps(body), sent=body)
    body = envelope({"Get": {"key": KEY, "recurse": 2**64 - 1}})
    known = envelope({"Get": {"key": KEY, "recurse": 3}})
    add("get, to be passed on more steps than there are", known, cbor2.dumps(body), sent=body, lenient=True)
    body = envelope({"Nodes": {"nodes": [], "more": False}})
    add("nodes, and no more to come", envelope({"Nodes": {"nodes": []}}), cbor2.dumps(body), sent=body)
    body = envelope({"Put": {"record": dict(reversed(record().items()))}})
    add("a record's keys in reverse order", envelope({"Put": {"record": record()}}), cbor2.dumps(body))
    add("an unknown message", envelope({"Teleport": {"to": KEY}}), cbor2.dumps(envelope({"Teleport": {"to": KEY}})))
    add("an unknown message without a map", envelope({"Wave": None}), cbor2.dumps(envelope({"Wave": None})))

    msg = cbor2.dumps({"FindNode": {"target": KEY}})
    for width in (1, 2, 4, 8):
        raw = pairs(
            ("v", head(0, 1, width)), ("dst", head(2, 32, max(width, 1)) + DST), ("src", head(2, 32, width) + SRC),
            ("at", head(3, len(HOME), width) + HOME.encode()), ("net", head(0, 0, width)),
            ("id", head(0, 1, width)), ("msg", msg),
        )  # fmt: skip
        add(f"heads of {width} bytes more than needed", find, raw)
    raw = cbor2.dumps(find)[: -len(msg)] + head(5, 1, 8) + cbor2.dumps("FindNode") + head(5, 1, 4)
    raw += head(3, 6, 2) + b"target" + head(2, 32, 8) + KEY
    add("the constant head, long heads behind it", find, raw)
    raw = b"\xb8\x07" + cbor2.dumps(find)[1:]
    add("a long head of the outer map", find, raw)

    for name, known, sent in (
        ("stored without code and ttl", {"Stored": {"ok": True, "code": "", "ttl": 0}}, {"Stored": {"ok": True}}),
        ("found without nodes", {"Found": {"record": record(), "nodes": []}}, {"Found": {"record": record()}}),
        ("stored many without refused", {"StoredMany": {"stored": 2, "refused": []}}, {"StoredMany": {"stored": 2}}),
        ("find providers without limit", {"FindProviders": {"cid": KEY, "limit": 64}}, {"FindProviders": {"cid": KEY}}),
        ("providers without nodes", {"Providers": {"providers": [], "nodes": []}}, {"Providers": {"providers": []}}),
        ("error without detail", {"Error": {"kind": "x", "detail": ""}}, {"Error": {"kind": "x"}}),
    ):
        add(name, envelope(known), cbor2.dumps(envelope(sent)), sent=envelope(sent), lenient=True)


# MARK: - Invalid vectors

invalid = []


def refuse(name, raw, error, part, broken=False):
    """One invalid vector.

    `error` is the reason's name. `part` is "head" when nobody can be told, "message" when the head was good, so
    that a request is answered with an error. `broken` says that the bytes are not even CBOR.
    """
    stream = io.BytesIO(raw)
    try:
        cbor2.CBORDecoder(stream).decode()
        refused = stream.tell() < len(raw)
    except cbor2.CBORDecodeError:
        refused = True
    assert refused == broken, f"{name}: cbor2 says {'broken' if refused else 'well-formed'}"
    assert all(item["name"] != name for item in invalid), name
    invalid.append({"name": name, "hex": raw.hex(), "error": error, "part": part, "broken": broken})


def message(body, **fields):
    return cbor2.dumps(envelope(body, **fields))


def with_msg(raw):
    """A good head, and `raw` as the message."""
    full = message({"Ping": {}})
    return full[: -len(cbor2.dumps({"Ping": {}}))] + raw


def refuse_heads():
    good = envelope({"Ping": {}})
    refuse("no byte at all", b"", "truncated", "head", broken=True)
    for name, item in {"a text": "hello", "an array": [1, 2], "a number": 7, "null": None, "bytes": b"x"}.items():
        refuse(f"{name} for a payload", cbor2.dumps(item), "not_envelope", "head")
    refuse("an empty map", cbor2.dumps({}), "not_envelope", "head")
    refuse("a map of something else", cbor2.dumps({"type": "chat", "text": "hi"}), "not_envelope", "head")
    refuse("a number for a key", cbor2.dumps({1: 2}), "wrong_type", "head")
    for key in good:
        refuse(f"no {key}", cbor2.dumps({k: v for k, v in good.items() if k != key}), "missing_field", "head")
    for key, values in {
        "v": ("1", None, -1, 1.0, b"\1"),
        "dst": (DST.hex(), 0, None, [DST]),
        "src": (SRC.hex(), 0),
        "at": (HOME.encode(), None, 9700),
        "net": (-1, "0", 0.0, 2**64),
        "id": (-1, "1", 1.5, 2**64, None),
    }.items():
        for value in values:
            refuse(f"{key} is {value!r}", cbor2.dumps({**good, key: value}), "wrong_type", "head")
    for version in (0, 2, 2**64 - 1):
        refuse(f"version {version}", cbor2.dumps({**good, "v": version}), "version", "head")
    for key in ("dst", "src"):
        for size in (0, 31, 33):
            refuse(f"{key} of {size} bytes", cbor2.dumps({**good, key: b"\1" * size}), "bad_key_length", "head")
    refuse("an endpoint of 256 bytes", cbor2.dumps({**good, "at": "h" * 256}), "text_too_long", "head")
    refuse("a key of 256 bytes", cbor2.dumps({"k" * 256: 1, **good}), "text_too_long", "head")
    refuse("17 levels under an extra key", cbor2.dumps({**good, "x": cbor2.loads(nest(17))}), "too_deep", "head")
    refuse("17 tags under an extra key", b"\xa8\x61x" + head(6, 4000) * 17 + b"\x01" + cbor2.dumps(good)[1:], "too_deep", "head")
    refuse("a byte behind an envelope with extra keys", cbor2.dumps({**good, "x": 1}) + b"\0", "trailing_bytes", "head", broken=True)  # fmt: skip


def refuse_cbor():
    raw = message({"Ping": {}})
    ping = cbor2.dumps({"Ping": {}})
    items = [(key, cbor2.dumps(value)) for key, value in envelope({"Ping": {}}).items()]
    refuse("an indefinite outer map", b"\xbf" + raw[1:] + b"\xff", "indefinite", "head")
    refuse("an indefinite endpoint", pairs(*[(k, b"\x7f" + v + b"\xff" if k == "at" else v) for k, v in items]), "indefinite", "head")  # fmt: skip
    refuse("an indefinite dst", pairs(*[(k, b"\x5f" + v + b"\xff" if k == "dst" else v) for k, v in items]), "indefinite", "head")  # fmt: skip
    refuse("an indefinite key", b"\xa7\x7f\x61v\xff" + raw[3:], "indefinite", "head")
    refuse("a break where a key belongs", b"\xa7\xff" + raw[1:], "indefinite", "head", broken=True)
    refuse("an indefinite array under an extra key", b"\xa8" + raw[1:] + b"\x61x\x9f\xff", "indefinite", "head")
    refuse("an indefinite message", with_msg(b"\xbf" + ping[1:] + b"\xff"), "indefinite", "message")
    refuse("an indefinite list of contacts", with_msg(pairs(("Nodes", pairs(("nodes", b"\x9f\xff"))))), "indefinite", "message")  # fmt: skip
    refuse("an indefinite list of records", with_msg(pairs(("PutMany", pairs(("records", b"\x9f" + cbor2.dumps(record()) + b"\xff"))))), "indefinite", "message")  # fmt: skip
    refuse("an indefinite list of refusals", with_msg(pairs(("StoredMany", pairs(("stored", b"\0"), ("refused", b"\x9f\xff"))))), "indefinite", "message")  # fmt: skip
    for number in (2**16, 2**31, 2**63, 2**64 - 1):
        refuse(f"a list of {number} records", with_msg(pairs(("PutMany", pairs(("records", head(4, number)))))), "truncated", "message", broken=True)  # fmt: skip
    refuse("an indefinite value", with_msg(pairs(("Put", pairs(("record", pairs(
        ("key", cbor2.dumps(KEY)), ("seq", b"\1"), ("ttl", b"\1"), ("value", b"\x5f\x41x\xff"))))))), "indefinite", "message")  # fmt: skip
    for byte in (0x1C, 0x1F, 0x3E, 0x5D, 0x7C, 0x9E, 0xBC, 0xDF, 0xFC):
        refuse(f"reserved head {byte:#x} for a message", with_msg(bytes([byte])), "malformed", "message", broken=True)
        refuse(f"reserved head {byte:#x} for a payload", bytes([byte]), "malformed", "head", broken=True)
    refuse("a byte behind the message", raw + b"\0", "trailing_bytes", "message", broken=True)
    refuse("a second envelope behind the first", raw + raw, "trailing_bytes", "message", broken=True)
    for name, lie in {
        "an outer map of 2^64-1 pairs": head(5, 2**64 - 1),
        "an outer map of 2^63 pairs": head(5, 2**63),
        "an outer map of 2^32 pairs": head(5, 2**32),
    }.items():
        refuse(name, lie + raw[1:], "truncated", "head", broken=True)
    for name, lie in {
        "a key of 2^64-1 bytes": head(3, 2**64 - 1),
        "a key of 2^63 bytes": head(3, 2**63),
    }.items():
        refuse(name, b"\xa7" + lie + raw[1:], "truncated", "head", broken=True)
    for major, name in ((2, "bytes"), (3, "a text"), (4, "an array"), (5, "a map")):
        for power in (31, 32, 62, 63):
            lie = head(major, 2**power)
            refuse(f"{name} of 2^{power} in an unknown message", with_msg(pairs(("X", lie))), "truncated", "message", broken=True)  # fmt: skip
        refuse(f"{name} of 2^64-1 in an unknown message", with_msg(pairs(("X", head(major, 2**64 - 1)))), "truncated", "message", broken=True)  # fmt: skip


# A body of each message, without what may be missing and then is not there.
BODIES = {
    "FindNode": {"target": KEY}, "Get": {"key": KEY}, "Unreachable": {"node": KEY},
    "Nodes": {"nodes": []}, "Put": {"record": record()},
    "Found": {"record": record(), "nodes": []}, "Stored": {"ok": True, "code": "", "ttl": 1},
    "Provide": {"cid": KEY, "node": "n", "ttl": 1}, "FindProviders": {"cid": KEY, "limit": 1},
    "Providers": {"providers": [], "nodes": []}, "Busy": {"retry_ms": 1},
    "Error": {"kind": "k", "detail": ""}, "Ping": {}, "Pong": {},
    "PutMany": {"records": [record()]}, "StoredMany": {"stored": 1, "refused": []},
}  # fmt: skip


def refuse_messages():
    for name, body in {"a text": "Ping", "null": None, "an array": ["Ping", {}], "a number": 1}.items():
        refuse(f"{name} for a message", message(body), "wrong_type", "message")
    refuse("a message without a name", message({}), "malformed", "message")
    refuse("two messages in one", message({"Ping": {}, "Pong": {}}), "malformed", "message")
    refuse("a number for a message's name", message({1: {}}), "wrong_type", "message")
    refuse("a message's name of 256 bytes", message({"M" * 256: {}}), "text_too_long", "message")
    refuse("17 levels in an unknown message", message({"X": cbor2.loads(nest(17))}), "too_deep", "message")
    refuse("17 levels under a body's extra key", message({"Ping": {"x": cbor2.loads(nest(17))}}), "too_deep", "message")

    defaults = {("Found", "nodes"), ("Stored", "code"), ("Stored", "ttl"), ("FindProviders", "limit"),
                ("Providers", "nodes"), ("Error", "detail"), ("StoredMany", "refused")}  # fmt: skip
    for name, body in BODIES.items():
        refuse(f"{name} with an array for a body", message({name: []}), "wrong_type", "message")
        for field, value in body.items():
            less = {k: v for k, v in body.items() if k != field}
            if (name, field) not in defaults:
                refuse(f"{name} without {field}", message({name: less}), "missing_field", "message")
            refuse(f"{name} with {field} null", message({name: {**body, field: None}}), "wrong_type", "message")
            if isinstance(value, bytes):
                for size in (0, 31, 33):
                    wrong = {**body, field: b"\1" * size}
                    refuse(f"{name} with a {field} of {size} bytes", message({name: wrong}), "bad_key_length", "message")
            if isinstance(value, str):
                wrong = {**body, field: "t" * 256}
                refuse(f"{name} with a {field} of 256 bytes", message({name: wrong}), "text_too_long", "message")
            if isinstance(value, int) and not isinstance(value, bool):
                refuse(f"{name} with {field} -1", message({name: {**body, field: -1}}), "wrong_type", "message")
    refuse("get, recurse true", message({"Get": {"key": KEY, "recurse": True}}), "wrong_type", "message")
    refuse("find node, recurse -1", message({"FindNode": {"target": KEY, "recurse": -1}}), "wrong_type", "message")
    refuse("nodes, more 1", message({"Nodes": {"nodes": [], "more": 1}}), "wrong_type", "message")
    refuse("get, nodes 1", message({"Get": {"key": KEY, "nodes": 1}}), "wrong_type", "message")
    refuse("a record, dead 1", message({"Put": {"record": {**record(), "dead": 1}}}), "wrong_type", "message")
    refuse("stored, seq -1", message({"Stored": {"ok": True, "code": "", "ttl": 1, "seq": -1}}), "wrong_type", "message")
    refuse("stored, ok 1", message({"Stored": {"ok": 1, "code": "", "ttl": 1}}), "wrong_type", "message")


def refuse_parts():
    good = record()
    for name in ("Put", "Found"):
        for field in good:
            less = {k: v for k, v in good.items() if k != field}
            refuse(f"{name}, a record without {field}", message({name: {"record": less}}), "missing_field", "message")
            wrong = {**good, field: "x"}
            refuse(f"{name}, a record's {field} is a text", message({name: {"record": wrong}}), "wrong_type", "message")
        wrong = {**good, "key": KEY[:31]}
        refuse(f"{name}, a record's key of 31 bytes", message({name: {"record": wrong}}), "bad_key_length", "message")

    for name, fields in {"Nodes": {}, "Found": {"record": good}, "Providers": {"providers": []}}.items():
        for what, listed, error in (
            ("65 contacts", contacts(65), "too_many"),
            ("a contact of one item", [[KEY]], "malformed"),
            ("a contact of three items", [[KEY, HOME, 1]], "malformed"),
            ("a contact that is a map", [{"id": KEY, "at": HOME}], "wrong_type"),
            ("a contact's id of 31 bytes", [[KEY[:31], HOME]], "bad_key_length"),
            ("a contact's endpoint of 256 bytes", [[KEY, "h" * 256]], "text_too_long"),
            ("a contact's endpoint that is bytes", [[KEY, HOME.encode()]], "wrong_type"),
        ):
            refuse(f"{name}, {what}", message({name: {**fields, "nodes": listed}}), error, "message")
    for what, listed, error in (
        ("65 of them", [["n", 1]] * 65, "too_many"),
        ("one of one item", [["n"]], "malformed"),
        ("one of three items", [["n", 1, 1]], "malformed"),
        ("a node of 256 bytes", [["n" * 256, 1]], "text_too_long"),
        ("a ttl of -1", [["n", -1]], "wrong_type"),
    ):
        refuse(f"Providers, {what}", message({"Providers": {"providers": listed, "nodes": []}}), error, "message")
    refuse_batches(good)
    extra = {**envelope({"Get": {"key": KEY[:31]}}), "x": 1}
    refuse("a key of 31 bytes under a head with extra keys", cbor2.dumps(extra), "bad_key_length", "message")


def refuse_batches(good):
    for what, listed, error in (
        ("none", [], "malformed"),
        ("65 of them", records(65), "too_many"),
        ("one that is a text", [good, "x"], "wrong_type"),
        ("the second without value", [good, {k: v for k, v in good.items() if k != "value"}], "missing_field"),
        ("a key of 33 bytes", [{**good, "key": KEY + b"\0"}], "bad_key_length"),
        ("a seq of -1", [{**good, "seq": -1}], "wrong_type"),
        ("a ttl of 1.5", [{**good, "ttl": 1.5}], "wrong_type"),
        ("dead is 1", [{**good, "dead": 1}], "wrong_type"),
    ):
        refuse(f"PutMany, {what}", message({"PutMany": {"records": listed}}), error, "message")
    first, last = {"index": 0, "code": "full"}, {"index": 63, "code": "full"}
    for what, stored, listed, error in (
        ("65 stored", 65, [], "too_many"),
        ("2^64-1 stored", 2**64 - 1, [], "too_many"),
        ("65 refusals", 0, [first] * 65, "too_many"),
        ("an index of 64", 0, [{**first, "index": 64}], "malformed"),
        ("an index of 2^64-1", 0, [{**first, "index": 2**64 - 1}], "malformed"),
        ("an index of -1", 0, [{**first, "index": -1}], "wrong_type"),
        ("an index twice", 0, [first, first], "malformed"),
        ("indexes that descend", 0, [last, first], "malformed"),
        ("a refusal behind the last there can be", 0, [last, {**last, "index": 64}], "malformed"),
        ("a refusal without index", 0, [{"code": "full"}], "missing_field"),
        ("a refusal without code", 0, [{"index": 0}], "missing_field"),
        ("a refusal that is an array", 0, [[0, "full"]], "wrong_type"),
        ("a code of 256 bytes", 0, [{**first, "code": "c" * 256}], "text_too_long"),
        ("a seq of -1", 0, [{**first, "seq": -1}], "wrong_type"),
    ):
        refuse(f"StoredMany, {what}", message({"StoredMany": {"stored": stored, "refused": listed}}), error, "message")


def repeated(fields, key, again=None):
    """A map of `fields`, and behind them `key` once more, with the same value or the one given."""
    items = [(name, cbor2.dumps(value)) for name, value in fields.items()]
    return pairs(*items, (key, cbor2.dumps(fields[key]) if again is None else again))


def refuse_repeats():
    good = envelope({"Ping": {}})
    for key in good:
        refuse(f"{key} twice", repeated(good, key), "repeated_key", "head")
    refuse("v twice, at the beginning", head(5, 8) + cbor2.dumps("v") + b"\1" + cbor2.dumps(good)[1:], "repeated_key", "head")
    bodies = {
        **BODIES, "FindNode": {"target": KEY, "recurse": 1}, "Get": {"key": KEY, "nodes": True, "recurse": 1},
        "Nodes": {"more": True, "nodes": contacts(1)}, "Stored": {"ok": False, "code": "stale", "ttl": 0, "seq": 1},
    }  # fmt: skip
    for name, body in bodies.items():
        for key in body:
            refuse(f"{name}, {key} twice", with_msg(pairs((name, repeated(body, key)))), "repeated_key", "message")
    refuse("Get, key twice, the second null", with_msg(pairs(("Get", repeated(BODIES["Get"], "key", b"\xf6")))), "repeated_key", "message")  # fmt: skip
    refuse("Get, key twice, another key between", with_msg(pairs(("Get", repeated({"key": KEY, "x": 1}, "key")))), "repeated_key", "message")  # fmt: skip
    refuse("Get, key twice under a head with extra keys", pairs(("x", b"\1"), *[
        (key, pairs(("Get", repeated(BODIES["Get"], "key"))) if key == "msg" else cbor2.dumps(value)) for key, value in good.items()
    ]), "repeated_key", "message")  # fmt: skip
    whole = {**record(), "dead": False}
    for key in whole:
        twice = repeated(whole, key)
        refuse(f"Put, a record's {key} twice", with_msg(pairs(("Put", pairs(("record", twice))))), "repeated_key", "message")
        found = pairs(("record", twice), ("nodes", head(4, 0)))
        refuse(f"Found, a record's {key} twice", with_msg(pairs(("Found", found))), "repeated_key", "message")
        listed = head(4, 2) + cbor2.dumps(record()) + twice
        refuse(f"PutMany, the second's {key} twice", with_msg(pairs(("PutMany", pairs(("records", listed))))), "repeated_key", "message")  # fmt: skip
    refusal = {"index": 0, "code": "stale", "seq": 1}
    for key in refusal:
        listed = pairs(("stored", head(0, 0)), ("refused", head(4, 1) + repeated(refusal, key)))
        refuse(f"StoredMany, a refusal's {key} twice", with_msg(pairs(("StoredMany", listed))), "repeated_key", "message")


def add_repeats():
    """Keys that this version does not know are not looked at, and so may repeat."""
    find = envelope({"FindNode": {"target": KEY}})
    body = envelope({"FindNode": {"target": KEY, "x": 2}})
    raw = with_msg(pairs(("FindNode", pairs(("x", head(0, 1)), ("target", cbor2.dumps(KEY)), ("x", head(0, 2))))))
    add("an extra key twice", find, raw, sent=body)


def vectors():
    for build in (add_heads, add_requests, add_replies, add_other_shapes, add_repeats):
        build()
    for build in (refuse_heads, refuse_cbor, refuse_messages, refuse_parts, refuse_repeats):
        build()
    return json.dumps({"valid": valid, "invalid": invalid}, indent=1, ensure_ascii=True) + "\n"


def main():
    text = vectors()
    counted = f"{len(valid)} valid and {len(invalid)} invalid vectors"
    if sys.argv[1:] != ["--check"]:
        PATH.write_text(text)
        print(f"wrote {counted}")
        return 0
    stored = PATH.read_text() if PATH.exists() else ""
    if stored == text:
        print(f"{counted} are as cbor2 {importlib.metadata.version('cbor2')} writes them")
        return 0
    sys.stdout.writelines(
        list(difflib.unified_diff(stored.splitlines(True), text.splitlines(True), "stored", "regenerated"))[:40]
    )
    print("vectors differ: run scripts/gen/vectors.py, then look at the change", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
