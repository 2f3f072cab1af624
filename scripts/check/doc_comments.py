#!/usr/bin/env python3
"""Holds that each public declaration has a doc comment: `///` lines right above it, attributes and other modifiers in
between. That includes members that a protocol asks for, such as `description`, `==`, `hash(into:)` and `init(from:)`.

    doc_comments.py                     all of Sources
    doc_comments.py Sources/DhtLoop     a folder or a file
    doc_comments.py --count             how many in each folder, no list
"""

import argparse
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
Token = collections.namedtuple("Token", "text line end_line")

KINDS = {"actor", "associatedtype", "case", "class", "enum", "func", "init", "let", "macro", "operator", "precedencegroup",
         "protocol", "struct", "subscript", "typealias", "var"}  # fmt: skip
MODIFIERS = {"borrowing", "class", "consuming", "convenience", "distributed", "dynamic", "fileprivate", "final", "indirect",
             "infix", "internal", "isolated", "lazy", "mutating", "nonisolated", "nonmutating", "open", "optional",
             "override", "package", "postfix", "prefix", "private", "public", "required", "static", "unowned",
             "weak"}  # fmt: skip
WORD = re.compile(r"[@#]?`?[A-Za-z_]\w*`?")
QUOTE = re.compile(r'#*"(?:"")?')


def block_end(text, at):
    """The end of the block comment that begins at `at`; they nest."""
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(text, at):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


def string_end(text, at):
    """The end of the string literal that begins at `at`, with what is interpolated."""
    opening = QUOTE.match(text, at).group()
    hashes = opening.count("#")
    closing, escape = opening[hashes:] + "#" * hashes, "\\" + "#" * hashes
    at += len(opening)
    while at < len(text) and not text.startswith(closing, at):
        if not text.startswith(escape, at):
            at += 1
        elif text.startswith("(", at + len(escape)):
            at = code_end(text, at + len(escape))
        else:
            at += len(escape) + 1
    return at + len(closing)


def code_end(text, at):
    """The end of the parentheses that open at `at`."""
    depth = 0
    while at < len(text):
        if QUOTE.match(text, at):
            at = string_end(text, at)
            continue
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
        if depth == 0:
            break
    return at


def tokens_of(text):
    """Words, signs, doc comments; literals are one `""`, other comments are left out."""
    at, line, tokens = 0, 1, []
    while at < len(text):
        if text.startswith("//", at):
            end = (text.find("\n", at) + len(text) + 1) % (len(text) + 1)
            kept = text[at:at + 3] if text.startswith("///", at) and not text.startswith("////", at) else None
        elif text.startswith("/*", at):
            end = block_end(text, at)
            kept = "///" if text.startswith("/**", at) and end - at > 4 else None
        elif QUOTE.match(text, at):
            end, kept = string_end(text, at), '""'
        elif word := WORD.match(text, at):
            end, kept = word.end(), word.group()
        else:
            end, kept = at + 1, None if text[at].isspace() else text[at]
        end_line = line + text.count("\n", at, end)
        if kept:
            tokens.append(Token(kept, line, end_line))
        at, line = end, end_line
    return tokens


def beginning(tokens, at):
    """The first token of the declaration that the modifier at `at` belongs to."""
    while at > 0:
        before = at - 1
        if tokens[before].text == ")":
            depth = 0
            while before > 0:
                depth += {")": 1, "(": -1}.get(tokens[before].text, 0)
                if depth == 0:
                    break
                before -= 1
            before -= 1
        word = tokens[before].text
        if before < 0 or not (word in MODIFIERS or word.startswith("@")):
            break
        at = before
    return at


def declared(tokens, at):
    """What the modifier at `at` declares, as people would say it; nothing where it is no declaration of a name."""
    while at < len(tokens):
        word, following = tokens[at].text, tokens[at + 1].text if at + 1 < len(tokens) else ""
        if word in ("init", "subscript"):
            return word
        if word in KINDS and following not in KINDS | MODIFIERS:
            name = at + 1
            while not WORD.match(following) and tokens[name + 1].text != "(":
                name += 1
                following += tokens[name].text
            return f"{word} {following.strip('`')}"
        if following == "(":
            # `public(set)`, and a function called `open`.
            if word in ("public", "open"):
                return None
            at += 2
            while at < len(tokens) and tokens[at].text != ")":
                at += 1
        elif word not in MODIFIERS | KINDS and not word.startswith("@"):
            return None
        at += 1
    return None


def bare(path):
    """(line, name) of each public declaration in a file that has no doc comment."""
    tokens = tokens_of(path.read_text())
    for at, token in enumerate(tokens):
        if token.text not in ("public", "open") or (at and tokens[at - 1].text == "."):
            continue
        name = declared(tokens, at)
        first = beginning(tokens, at)
        if name is None or any(other.text in ("public", "open") for other in tokens[first:at]):
            continue
        above = tokens[first - 1] if first else None
        if above is None or above.text != "///" or above.end_line + 1 != tokens[first].line:
            yield token.line, name


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=pathlib.Path, default=[ROOT / "Sources"], metavar="PATH")
    parser.add_argument("--count", action="store_true", help="how many in each folder, no list")
    options = parser.parse_args()
    files = sorted({file.resolve() for path in options.paths
                    for file in (path.rglob("*.swift") if path.is_dir() else [path])})  # fmt: skip
    if not files:
        parser.error("no Swift files there")
    counts = collections.Counter()
    for file in files:
        name = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
        for line, declaration in bare(file):
            counts[str(name.parent)] += 1
            if not options.count:
                print(f"{name}:{line}: no doc comment: {declaration}", file=sys.stderr)
    if options.count:
        for folder, count in sorted(counts.items()):
            print(f"  {count:5} {folder}")
    print(f"doc comments: {len(files)} files, {counts.total()} public declarations without one")
    return 1 if counts else 0


if __name__ == "__main__":
    sys.exit(main())
