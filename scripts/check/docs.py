#!/usr/bin/env python3
"""Holds the documents against what they speak of: links and their anchors, make targets, scripts and paths, settings,
subcommands, rows of tables, and in docs/SURFACE-TESTS.md the suites and tests.

Usage: docs.py BIN        BIN holds the release binaries
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.argv[1]).resolve()
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "scripts/compare/README.md"]
# Where paths in the documents begin.
ROOMS = "scripts|docs|deploy|Sources|Tests|Benchmarks|Fuzz|Examples|web"
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
TESTS = "\n".join(path.read_text() for path in ROOT.glob("Tests/**/*.swift"))
SUITES = set(re.findall(r'@Suite\("([^"]+)"', TESTS))
faults = []


def program(*arguments):
    """What a program of ours prints."""
    return subprocess.run([BIN / arguments[0], *arguments[1:]], capture_output=True, text=True, check=True).stdout


# Defaults by variable, as the settings of both programs are declared.
DEFAULTS = dict(re.findall(r"^\| `(\w+)`.*? \| `--[\w-]+` \| (.*?) \|", program("svc-dht", "config", "--table"), re.M))
# Beside the declared ones: those of client commands, and the form that each takes as a fallback.
SETTINGS = {*DEFAULTS, "RON_DHT_ADDR", "RON_DHT_TOKEN_FILE", "RON_DHT_SEEDS", "RON_DHT_X"}
COMMANDS = set(re.findall(r"^  ([a-z]+)\b", program("svc-dht", "--help").split("SUBCOMMANDS:")[1], re.M))


def anchors(document):
    """The anchors that a reader of Markdown gives to headings."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def hold(document, is_so, fault):
    """Notes a fault unless it is so."""
    if not is_so:
        faults.append(f"{document.relative_to(ROOT)}: {fault}")


def check_links(document, text):
    """Links to files and headings."""
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        hold(document, target.exists(), f"no file {link}")
        if anchor and target.suffix == ".md" and target.exists():
            hold(document, anchor in anchors(target), f"no heading {link}")


def check_code(document, text):
    """What is written as code: commands, paths, settings."""
    code = "\n".join(re.findall(r"`([^`\n]+)`", text) + re.findall(r"^    (.*)$", text, re.M))
    for target in re.findall(r"\bmake ([a-z][a-z-]*)\b", code):
        hold(document, target in TARGETS, f"no target: make {target}")
    for path in re.findall(rf"(?<![\w./-])((?:{ROOMS})/[\w./-]+)", code):
        hold(document, (ROOT / path).exists(), f"no file {path}")
    for name in re.findall(r"(?<!\w)((?:RON_DHT|SVC_OVERLAY|RON_OVERLAY)_[A-Z_]*[A-Z])\b", code):
        hold(document, name in SETTINGS, f"no setting {name}")
    for name, default in re.findall(r"`(\w+)` \((\d+)(?=[),;]| of )", text):
        if name in DEFAULTS:
            hold(document, default == DEFAULTS[name], f"{name} is {DEFAULTS[name]} by default")
    for command in re.findall(r"(?:^|\n)\s*svc-dht ([a-z]+)\b", code):
        hold(document, command in COMMANDS, f"no command: svc-dht {command}")


def check_rows(document, text):
    """Rows that a blank line has cut off from their table."""
    for row, below in re.findall(r"(?:\A|\n\n)(\|[^\n]*)\n([^\n]*)", text):
        hold(document, re.match(r"\|[ :-]*-", below), f"a row without a table: {row[:60]}")


def check_table(document, text):
    """Suites, tests and scripts that are said to hold a line."""
    held = re.findall(r"^\| .* \| (.*) \|$", text, re.M)
    items = {item.strip() for cell in held for item in cell.split(";")} - {"held by", "---", "open"}
    for item in sorted(items):
        for script in re.findall(r"`([\w./]+\.(?:sh|py))`", item):
            hold(document, (ROOT / "scripts" / script).exists(), f"no script {script}")
        for test in re.findall(r'"([^"]+)"', item):
            hold(document, test in TESTS, f'no test "{test}"')
        suites = re.sub(r'`[^`]*`|"[^"]*"', "", item)
        for suite in (name.strip() for name in suites.split(",") if name.strip()):
            hold(document, suite in SUITES, f"no suite {suite}")


def check_names(source):
    """Settings that messages and comments of the sources name."""
    for name in re.findall(r"(?<!\w)((?:RON_DHT|SVC_OVERLAY|RON_OVERLAY)_[A-Z_]*[A-Z])\b", source.read_text()):
        hold(source, name in SETTINGS, f"no setting {name}")


for page in DOCUMENTS:
    content = page.read_text()
    check_links(page, content)
    check_code(page, content)
    check_rows(page, content)
    if page.name == "SURFACE-TESTS.md":
        check_table(page, content)
for file in ROOT.glob("Sources/**/*.swift"):
    check_names(file)
for problem in faults:
    print(problem, file=sys.stderr)
print(f"docs: {len(DOCUMENTS)} documents, {len(faults)} faults")
sys.exit(1 if faults else 0)
