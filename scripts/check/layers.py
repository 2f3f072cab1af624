#!/usr/bin/env python3
"""Holds the order of the rooms in Sources/DhtLoop: a lower room never names a higher one.

A room names another when it uses a type that is declared there. Besides: which system modules a room may import, and
that epoll is called in the reactor only.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2] / "Sources/DhtLoop"

# Lowest first; rooms of one line are equals and may name each other.
ORDER = [
    ["Base"],
    ["Proto"],
    ["Config"],
    ["Oap", "Kademlia", "Store"],
    ["Reactor"],
    ["Session", "Overlay"],
    ["Telemetry", "Admin"],
    ["LoadGen"],
    ["Node"],
]
# What the rooms that must stay free of the system may import all the same.
PURE = {"Base": {"Glibc", "CNettle"}, "Proto": {"CCbor"}, "Oap": set(), "Kademlia": set(), "Store": set()}
# Base holds helpers that read files and write to the console. The rooms above it that are pure may not use them.
FREE_OF_IO = set(PURE) - {"Base"}
NOWHERE = {"Foundation", "FoundationEssentials", "Dispatch"}

COMMENT_OR_TEXT = re.compile(r'//[^\n]*|/\*.*?\*/|"""(?:.*?)"""|"(?:\\.|[^"\\\n])*"', re.S)
DECLARED = re.compile(r"\b(?:class|struct|enum|protocol|actor|typealias)\s+([A-Z]\w*)")
TOP_LEVEL = re.compile(r"^(?!.*\bimport\b)(?:@\S+\s+|[a-z(){}]+\s+)*?(?:class|struct|enum|protocol|actor|typealias)\s+([A-Z]\w*)", re.M)
IMPORT = re.compile(r"^[^\n\w]*(?:\w+[ \t]+)*import[ \t]+(?:(?:struct|class|enum|func|var|let)[ \t]+)?(\w+)", re.M)


def main():
    rank = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
    files, wrong = [], []
    for path in sorted(ROOT.rglob("*.swift")):
        room, text = path.relative_to(ROOT).parts[0], path.read_text()
        if room not in rank:
            wrong.append(f"{path}: room {room} has no place in the order")
            continue
        files.append((path, room, COMMENT_OR_TEXT.sub(" ", text)))

    home = {}
    for path, room, code in files:
        for name in TOP_LEVEL.findall(code):
            home.setdefault(name, room)
    system_types = {
        name for _, room, code in files if room == "Base" and "Glibc" in IMPORT.findall(code)
        for name in TOP_LEVEL.findall(code)
    }  # fmt: skip
    for path, room, code in files:
        # A nested type may bear the name of something higher up.
        own = {name for _, other, text in files if rank[other] <= rank[room] for name in DECLARED.findall(text)}
        for name in sorted(set(re.findall(r"\b[A-Z]\w*", code)) - own):
            if name in home and rank[home[name]] > rank[room]:
                wrong.append(f"{path}: {room} names {name} of {home[name]}")
        imports = set(IMPORT.findall(code))
        if room in PURE:
            wrong += [f"{path}: {room} may not import {name}" for name in sorted(imports - PURE[room])]
        if room in FREE_OF_IO:
            used = set(re.findall(r"\b[A-Z]\w*", code)) & system_types
            wrong += [f"{path}: {room} is pure, and {name} is not" for name in sorted(used)]
        wrong += [f"{path}: {name} stays out of DhtLoop" for name in sorted(imports & NOWHERE)]
        if room != "Reactor" and re.search(r"\bepoll_(?:create1?|ctl|p?wait)\b", code):
            wrong.append(f"{path}: epoll is called in Reactor only")

    for line in wrong:
        print(line.replace(str(ROOT.parent.parent) + "/", ""), file=sys.stderr)
    print(f"layers: {len(files)} files, {len(home)} types, {len(wrong)} faults")
    return 1 if wrong or not home else 0


if __name__ == "__main__":
    sys.exit(main())
