#!/usr/bin/env python3
"""Finds the circles among the files of a folder: files that name one another, directly or by way of others.

A file names another when it uses a type, function, property or case that is declared there. What is used is what the
compiler found while it built: this reads the index that a debug build leaves behind, so equal names in several types
are told apart. Build first; a file that is newer than its index is an error.

    circles.py                                       the rooms called Kademlia
    circles.py Sources/DhtLoop/Session               another folder
    circles.py --most 4 Sources/DhtLoop/Admin        circles of up to four files pass

Exit code 1 when a circle has more than --most (2) files, 2 when there is no index to read.
"""

import argparse
import collections
import ctypes
import os
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
STORE = ROOT / ".build/debug/index/store"
# indexstore/indexstore.h of the toolchain.
RECORD = 2
DEFINITION, REFERENCE, IMPLICIT = 1 << 1, 1 << 2, 1 << 8


class NoIndex(Exception):
    """There is no index that could be read, or an old one."""


class Text(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    def __str__(self):
        return ctypes.string_at(self.data, self.length).decode() if self.length else ""


APPLIER = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_void_p)


class Index:
    """The index store of one build, through the toolchain's own reader."""

    def __init__(self, store):
        if not (store / "v5/units").is_dir():
            raise NoIndex(f"no index in {store}; run `swift build` first")
        swift = shutil.which("swift")
        library = pathlib.Path(os.path.realpath(swift or "")).parents[1] / "lib/libIndexStore.so"
        if not swift or not library.exists():
            raise NoIndex(f"there is no {library} to read the index with")
        self.library = ctypes.CDLL(str(library))
        self.error = ctypes.c_void_p()
        self.store = self.call("store_create", ctypes.c_void_p, str(store).encode(), ctypes.byref(self.error))
        if not self.store:
            raise NoIndex(f"cannot read {store}")

    def call(self, name, result, *arguments):
        function = getattr(self.library, "indexstore_" + name)
        function.restype = result
        return function(*(ctypes.c_void_p(item) if isinstance(item, int) else item for item in arguments))

    def units(self):
        """(source file, names of its records, seconds when they were written) of each unit of the build."""
        for entry in os.scandir(STORE / "v5/units"):
            reader = self.call("unit_reader_create", ctypes.c_void_p, self.store, entry.name.encode(), ctypes.byref(self.error))
            if not reader:
                continue
            records = []

            def take(_, item, records=records):
                if self.call("unit_dependency_get_kind", ctypes.c_int, item) == RECORD:
                    records.append(str(self.call("unit_dependency_get_name", Text, item)))
                return True

            main_file = str(self.call("unit_reader_get_main_file", Text, reader))
            self.call("unit_reader_dependencies_apply_f", ctypes.c_bool, reader, None, APPLIER(take))
            self.call("unit_reader_dispose", None, reader)
            yield main_file, records, entry.stat().st_mtime

    def occurrences(self, record):
        """(roles, symbol, its name) of each place in a record where a symbol is defined or used."""
        reader = self.call("record_reader_create", ctypes.c_void_p, self.store, record.encode(), ctypes.byref(self.error))
        if not reader:
            return []
        found = []

        def take(_, item):
            symbol = self.call("occurrence_get_symbol", ctypes.c_void_p, item)
            found.append((
                self.call("occurrence_get_roles", ctypes.c_uint64, item),
                str(self.call("symbol_get_usr", Text, symbol)), str(self.call("symbol_get_name", Text, symbol))))  # fmt: skip
            return True

        self.call("record_reader_occurrences_apply_f", ctypes.c_bool, reader, None, APPLIER(take))
        self.call("record_reader_dispose", None, reader)
        return found


def read(files):
    """Where each symbol of `files` is defined, and the symbols that each file uses, by their names."""
    index = Index(STORE)
    newest = {}
    for path, records, written in index.units():
        path = pathlib.Path(path)
        if path in files and written > newest.get(path, (0,))[0]:
            newest[path] = (written, records)
    stale = [path for path in files if path not in newest or newest[path][0] < path.stat().st_mtime]
    if stale:
        raise NoIndex(f"no index, or an old one, of {stale[0].relative_to(ROOT)}; run `swift build` first")
    home, uses = {}, collections.defaultdict(dict)
    for path, (_, records) in newest.items():
        for roles, symbol, name in (item for record in records for item in index.occurrences(record)):
            if roles & DEFINITION:
                home[symbol] = path
            elif roles & REFERENCE and not roles & IMPLICIT:
                uses[path][symbol] = name
    return home, uses


def edges_of(files):
    """For each file, the other files that it names, and the names."""
    home, uses = read(files)
    edges = {path: collections.defaultdict(set) for path in files}
    for path, symbols in uses.items():
        for symbol, name in symbols.items():
            other = home.get(symbol, path)
            if other != path:
                edges[path][other].add(name)
    return edges


def circles_of(edges):
    """The strongly connected components of more than one file, largest first."""
    def reached(start, graph):
        seen, waiting = {start}, [start]
        while waiting:
            for other in graph[waiting.pop()]:
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return seen

    backwards = {path: [other for other in edges if path in edges[other]] for path in edges}
    left, circles = set(edges), []
    while left:
        start = min(left)
        circle = reached(start, edges) & reached(start, backwards)
        left -= circle
        if len(circle) > 1:
            circles.append(sorted(circle))
    return sorted(circles, key=lambda circle: (-len(circle), circle))


def show(circle, edges, names_shown):
    """Prints a circle: each file, what it names of the others, and by which names."""
    for path in circle:
        for other in (other for other in circle if other in edges[path]):
            names = sorted(edges[path][other])
            more = f", and {len(names) - names_shown} more" if len(names) > names_shown else ""
            print(f"    {path.name} -> {other.name}: {', '.join(names[:names_shown])}{more}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--most", type=int, default=2, help="files that a circle may have (default 2)")
    parser.add_argument("--names", type=int, default=4, help="names shown of each pair (default 4)")
    options = parser.parse_args()
    folders = [folder.resolve() for folder in options.folders] or sorted(ROOT.glob("Sources/*/Kademlia"))
    files = {path for folder in folders for path in folder.rglob("*.swift")}
    if not files:
        parser.error("no Swift files there")
    try:
        edges = edges_of(files)
    except NoIndex as missing:
        print(f"circles: {missing}", file=sys.stderr)
        return 2
    circles = circles_of(edges)
    for circle in circles:
        print(f"  {len(circle)} files name one another{'' if len(circle) > options.most else ' (passes)'}:")
        show(circle, edges, options.names)
    largest = max(map(len, circles), default=0)
    print(f"circles: {len(files)} files, {sum(map(len, edges.values()))} pairs, {len(circles)} circles, "
          f"the largest of {largest} files; at most {options.most} may be")
    return 1 if largest > options.most else 0


if __name__ == "__main__":
    sys.exit(main())
