#!/usr/bin/env python3
"""Makes the small changes of mutations.py one at a time and runs the tests: those that no test notices are printed.

Usage: mutants.py --check                      every change still finds its place; nothing is built
       mutants.py --compile                    all changes at once, to see that each of them builds
       mutants.py [--only NAME,...] [--first-only]

The changes are made in a copy of the sources as they are, in the folder --work, and built there into one folder, so
that each costs the build of what depends on one file; copy and build stay for the next time. Ends with 1 when a
mutant lives that is not explained, with 2 when a change does not find its place or does not build.
"""

import argparse
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

from mutations import MUTATIONS

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Tests that take longer than so many times what they take as the tree is, and so many seconds, hang.
PATIENCE_TIMES, PATIENCE_SECONDS = 5, 300


def pattern(text):
    """`text` with any white space for its own."""
    return re.compile(r"\s+".join(re.escape(word) for word in text.split()))


def places(mutation, root):
    """Where its old text stands: (file, match)."""
    found = []
    for path in sorted((root / "Sources").glob("**/*.swift")):
        text = path.read_text()
        if mutation.within in text:
            found += [(path, match) for match in pattern(mutation.old).finditer(text)]
    return found


def misplaced(root):
    """What is wrong with the list, as sentences."""
    wrong = [f"{mutation.name}: found {len(found)} times: {mutation.old}"
             for mutation in MUTATIONS if len(found := places(mutation, root)) != 1]
    listed = [mutation.name for mutation in MUTATIONS]
    tests = "\n".join(path.read_text() for path in (root / "Tests").glob("**/*.swift"))
    words = {word for mutation in MUTATIONS for word in mutation.tests.split("|") if word}
    wrong += [f"no suite {word}" for word in sorted(words) if not re.search(rf"\b(struct|class) {word}\b", tests)]
    return wrong + [f"{name} is listed twice" for name in sorted({n for n in listed if listed.count(n) > 1})]


@contextlib.contextmanager
def changed(mutation, root):
    """The change for the length of the block."""
    ((path, match),) = places(mutation, root)
    before = path.read_text()
    path.write_text(before[:match.start()] + mutation.new + before[match.end():])
    try:
        yield
    finally:
        path.write_text(before)


def end_session(leader):
    """Ends whatever the process of that id has started: it leads a session of its own."""
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if int(stat.read_text().rsplit(")", 1)[1].split()[3]) == leader:
                os.kill(int(stat.parent.name), signal.SIGKILL)


class Tree:
    """A copy of the sources with a build folder."""

    def __init__(self, work):
        self.root, self.build_folder = work / "tree", work / "build"
        # Seconds that all tests took as the tree is; nothing is known of them before.
        self.usual_s = None

    def bring_up_to_date(self):
        """Copies what differs and nothing else, so that a build from before is of use."""
        listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                check=True, capture_output=True, text=True).stdout.split("\0")
        wanted = {pathlib.Path(name) for name in listed if name and (ROOT / name).is_file()}
        for path in self.root.glob("**/*"):
            if path.is_file() and path.relative_to(self.root) not in wanted:
                path.unlink()
        for name in wanted:
            copy, content = self.root / name, (ROOT / name).read_bytes()
            if not copy.exists() or copy.read_bytes() != content:
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(content)
                copy.chmod((ROOT / name).stat().st_mode)

    def swift(self, *arguments, seconds=None):
        """Runs swift; its status, None for one that took too long, and what it printed."""
        command = ["swift", arguments[0], "--package-path", self.root, "--scratch-path", self.build_folder,
                   *arguments[1:]]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, start_new_session=True)
        try:
            return self._outcome(process, seconds)
        finally:
            end_session(process.pid)

    @staticmethod
    def _outcome(process, seconds):
        try:
            output, _ = process.communicate(timeout=seconds)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            return None, ""

    def build(self):
        """Nothing when it builds, else the errors."""
        status, output = self.swift("build", "--build-tests")
        errors = list(dict.fromkeys(re.findall(r".*error:.*", output)))
        return "" if status == 0 else "\n".join(errors[:20]) or output[-800:]

    def test(self, filters=""):
        """The name of a test that fails, "" when all pass, None when they hang. A filter that finds no test is an
        error."""
        patience = None if self.usual_s is None else PATIENCE_SECONDS + PATIENCE_TIMES * self.usual_s
        status, output = self.swift("test", "--skip-build", *(["--filter", filters] if filters else []),
                                    seconds=patience)
        if status is None:
            return None
        ran = sum(int(number) for number in re.findall(r"Test run with (\d+) tests?", output))
        if status == 0:
            if ran == 0:
                raise SystemExit(f"mutants: no test is found by {filters}")
            return ""
        failed = re.search(r'Test (".+?"|\S+) .*?(?:failed after|recorded an issue)', output)
        return failed.group(1) if failed else f"ended with {status}"


def judge(mutation, tree, is_first_only):
    """The word for a mutant's fate, and more of it."""
    with changed(mutation, tree.root):
        if errors := tree.build():
            return "broken", errors
        noticed = tree.test(mutation.tests)
        if noticed == "" and mutation.tests and not is_first_only:
            noticed = tree.test()
    if noticed is None:
        return "hangs", mutation.breaks
    if noticed:
        return "noticed", noticed
    return ("explained", mutation.explained) if mutation.explained else ("LIVES", mutation.breaks)


def compile_all(arguments):
    """Builds with all changes at once, but for those that stand where another one does."""
    tree = Tree(pathlib.Path(arguments.work))
    tree.bring_up_to_date()
    with contextlib.ExitStack() as changes:
        left_out = []
        for mutation in MUTATIONS:
            # An earlier change may have taken its place, or have made another one like it.
            if len(places(mutation, tree.root)) == 1:
                changes.enter_context(changed(mutation, tree.root))
            else:
                left_out.append(mutation.name)
        errors = tree.build()
    print(f"{len(MUTATIONS) - len(left_out)} changes at once {'do not build' if errors else 'build'}"
          + (f"; left out: {', '.join(left_out)}" if left_out else ""))
    if errors:
        raise SystemExit(errors)


def run(mutations, arguments):
    fates = {}
    tree = Tree(pathlib.Path(arguments.work))
    tree.bring_up_to_date()
    began = time.monotonic()
    if errors := tree.build():
        raise SystemExit(f"mutants: the tree does not build as it is:\n{errors}")
    built = time.monotonic()
    filters = "|".join(sorted({word for mutation in mutations for word in mutation.tests.split("|") if word}))
    if failed := tree.test(filters if arguments.first_only else ""):
        raise SystemExit(f"mutants: the tests fail as they are: {failed}")
    tree.usual_s = time.monotonic() - built
    print(f"as it is: built in {built - began:.0f} s, tested in {tree.usual_s:.0f} s", flush=True)
    for mutation in mutations:
        began = time.monotonic()
        fates[mutation], more = judge(mutation, tree, arguments.first_only)
        print(f"{fates[mutation]:9} {mutation.name:36} {time.monotonic() - began:4.0f} s  {more}", flush=True)
    return fates


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only whether every change finds its place")
    parser.add_argument("--compile", action="store_true", help="only whether all of them build")
    parser.add_argument("--list", action="store_true", help="print the list")
    parser.add_argument("--only", help="names, with commas")
    parser.add_argument("--first-only", action="store_true", help="do not hold survivors against all tests")
    parser.add_argument("--work", default=str(pathlib.Path(tempfile.gettempdir()) / "svc-dht-mutants"),
                        help="folder of the copy and its build")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else [mutation.name for mutation in MUTATIONS]
    if unknown := set(names) - {mutation.name for mutation in MUTATIONS}:
        parser.error(f"no such mutation: {', '.join(sorted(unknown))}")
    if arguments.list:
        for mutation in MUTATIONS:
            print(f"{mutation.name:36} {mutation.breaks}")
        return
    if wrong := misplaced(ROOT):
        print("\n".join(wrong), file=sys.stderr)
        print(f"mutants: {len(wrong)} of {len(MUTATIONS)} changes do not find their place", file=sys.stderr)
        sys.exit(2)
    if arguments.check:
        print(f"mutants: {len(MUTATIONS)} changes find their place")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if arguments.compile:
        return compile_all(arguments)
    fates = run([mutation for mutation in MUTATIONS if mutation.name in names], arguments)
    lives = [mutation.name for mutation, fate in fates.items() if fate == "LIVES"]
    broken = [mutation.name for mutation, fate in fates.items() if fate == "broken"]
    hangs = [mutation.name for mutation, fate in fates.items() if fate == "hangs"]
    print(f"{len(fates)} mutants, {len(lives)} live{': ' if lives else ''}{', '.join(lives)}"
          + (f"; {len(hangs)} hang: {', '.join(hangs)}" if hangs else ""))
    if broken:
        print(f"do not build: {', '.join(broken)}", file=sys.stderr)
    sys.exit(2 if broken else 1 if lives else 0)


if __name__ == "__main__":
    main()
