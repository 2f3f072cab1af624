#!/usr/bin/env python3
"""Embeds web/page.html into the library as Swift; --check says whether the Swift file is what the page would give."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "web/page.html"
SWIFT = ROOT / "Sources/DhtLoop/Admin/DashboardPage.swift"
HEAD = """\
// RO:WHAT  The page at GET / of the admin port. Made by scripts/gen/page.py out of web/page.html: edit that.
// RO:WHY   One self-contained text in the binary: nothing to install, nothing fetched from elsewhere.
// RO:TEST  scripts/live/page.sh
// swift-format-ignore-file

enum DashboardPage {
    static let html: StaticString = #\"\"\"
"""
TAIL = '"""#\n}\n'


def main():
    page = PAGE.read_text()
    if '"""#' in page or "\\#(" in page:
        sys.exit(f"{PAGE}: would end the Swift text early")
    swift = HEAD + page + TAIL
    if "--check" not in sys.argv:
        SWIFT.write_text(swift)
    elif not SWIFT.exists() or SWIFT.read_text() != swift:
        sys.exit("the embedded page is not that of web/page.html: run `make page`")


if __name__ == "__main__":
    main()
