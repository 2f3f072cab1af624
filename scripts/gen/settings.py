#!/usr/bin/env python3
"""Writes the tables of settings in docs/OPERATIONS.md, between their markers, as the programs declare them.

Usage: settings.py BIN [--check]        BIN holds svc-dht; --check writes nothing and fails if they differ
"""

import pathlib
import re
import subprocess
import sys

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs/OPERATIONS.md"
PLACE = re.compile(r"(<!-- settings: scripts/gen/settings.py -->\n).*?(<!-- end of settings -->)", re.S)


def main():
    program = pathlib.Path(sys.argv[1]).resolve() / "svc-dht"
    shown = subprocess.run([program, "config", "--table"], capture_output=True, text=True, check=True).stdout
    before = DOCUMENT.read_text()
    after, places = PLACE.subn(lambda found: f"{found.group(1)}\n{shown}\n{found.group(2)}", before)
    if places != 1:
        sys.exit(f"{DOCUMENT.name}: {places} places for settings, not one")
    if "--check" not in sys.argv:
        DOCUMENT.write_text(after)
    elif after != before:
        sys.exit(f"{DOCUMENT.name}: the settings are not those declared; scripts/gen/settings.py BIN writes them")
    print(f"settings: {len(re.findall(r'^. `', shown, re.M))} declared")


if __name__ == "__main__":
    main()
