#!/usr/bin/env python3
"""Holds the heads of the Swift sources: each file opens with RO:WHAT, those of libraries with RO:WHY as well; no tag
is made up; and what RO:TEST names is there.

A tag begins a comment line (`// RO:TEST  ...`) and goes on in the comment lines below that are indented further. An
RO:TEST names files and folders by their paths from the root; a file without a folder lies beside the one before it.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TAGS = {"WHAT", "WHY", "INVARIANTS", "SECURITY", "METRICS", "TEST"}
FOLDERS = ("Sources", "Tests", "Fuzz", "Benchmarks", "Examples")
LIBRARY = re.compile(r"Sources/Dht\w+/")


def head_of(text):
    """The tags of a file in order, each with its text, up to the first line that is no comment."""
    tags = []
    for line in text.splitlines():
        if found := re.match(r"// RO:(\w+) *(.*)", line):
            tags.append([found.group(1), found.group(2)])
        elif tags and (found := re.match(r"// {2,}(\S.*)", line)):
            tags[-1][1] += " " + found.group(1)
        else:
            break
    return tags


def faults_of(path):
    """What is wrong with one file's head."""
    text = path.read_text()
    tags = head_of(text)
    names = [name for name, _ in tags]
    if names[:1] != ["WHAT"]:
        yield "does not open with RO:WHAT"
    elif LIBRARY.match(str(path.relative_to(ROOT))) and "WHY" not in names:
        yield "does not say RO:WHY"
    for name in sorted(set(re.findall(r"\bRO:(\w+)", text)) - TAGS):
        yield f"RO:{name} is not a tag; there are: {' '.join(sorted(TAGS))}"
    if len(names) != len(set(names)):
        yield "has a tag twice"
    for name, tests in tags:
        if name == "TEST":
            yield from missing(tests)


def missing(tests):
    """What an RO:TEST names and is not there."""
    folder = pathlib.PurePath()
    named = re.findall(r"[\w.+-]+(?:/[\w.+-]*)+|[\w+-]+\.(?:swift|sh|py)\b", tests)
    if not named:
        yield f"RO:TEST names no file: {tests}"
    for item in named:
        path = pathlib.PurePath(item.rstrip("."))
        path = path if "/" in item else folder / path
        folder = path.parent
        if not (ROOT / path).exists():
            yield f"RO:TEST names {item}, which is not there"


def main():
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.swift"))
             if ".build" not in path.parts and path.name != "Package.swift"]  # fmt: skip
    faults = [f"{path.relative_to(ROOT)}: {fault}" for path in paths for fault in faults_of(path)]
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"headers: {len(paths)} files, {len(faults)} faults")
    return 1 if faults or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
