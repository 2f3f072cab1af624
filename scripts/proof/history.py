#!/usr/bin/env python3
"""A history of calls and faults, and the rules that it must obey. One format for real processes and for dht-sim.

Usage: history.py FILE [--rule NAME]... [--json]        ends with 1 when a rule is broken

A history is JSON lines in any order. Times are microseconds of one monotonic clock. A line is a call or an event:

    {"kind": "call", "id": 7, "client": "c1", "node": "n2", "op": "put", "key": "k", "start": 10, "end": 20,
     "outcome": 200, "version": 5, "value": "hash", "acks": 3, "wanted": 3}
    {"kind": "event", "event": "pause", "at": 12, "node": "n3"}

Fields of a call; all but the first eight may be missing:

    id, client, node   the call, who made it, and the node that was asked
    op                 put, get, delete, cas (a put with a condition), provide, find
    key, start, end
    outcome            an HTTP status, 0 for no answer at all, or a word of dht-sim (see OUTCOMES)
    version            what was written or read: a whole number, ordered as the store orders versions
    value              hash of what was written or read; different writes of a key write different values
    acks, wanted       what a write's answer says
    w                  acks that the caller asked for, if it did
    takers             nodes that acknowledged, where the answer names them
    ttl_us             the life that the caller asked for; without it the default life, which is refreshed
    quorum             1, a number, "majority" or "all"; without it the default of reads
    expect             cas: the version that must be there, "none" for none
    number             the value as a number, where the key is a counter
    providers, complete   provide: what was announced, [one]; find: what was found, and whether that is said to be all

Events: meta (fields of Bounds), start, ready, pause, resume, kill (a process that ends without a word), term (one that
hands over first), partition (groups: lists of nodes), heal, clock (step_us), holders (records: [key, version, value]
triples that `node` holds; value null for a tombstone). All but meta, partition and heal name their node.
"""

import argparse
import bisect
import collections
import dataclasses
import itertools
import json
import sys
import threading

# What dht-sim says, as HTTP would.
OUTCOMES = {"stored": 200, "partial": 202, "failed": 503, "found": 200, "not_found": 404, "timed_out": 504,
            "conflict": 412, "refused": 503, "dropped": 0, "timeout": 0}
SECOND = 1_000_000


@dataclasses.dataclass
class Call:
    """One call. See the head of this file."""

    id: int
    client: str
    node: str
    op: str
    key: str
    start: int
    end: int
    outcome: int
    version: int | None = None
    value: str | None = None
    acks: int | None = None
    wanted: int | None = None
    w: int | None = None
    takers: list | None = None
    ttl_us: int | None = None
    quorum: int | str | None = None
    expect: int | str | None = None
    number: int | None = None
    providers: list | None = None
    complete: bool | None = None

    @property
    def is_write(self):
        return self.op in ("put", "delete", "cas")

    @property
    def is_acknowledged(self):
        """Somebody keeps it, by the answer's own word."""
        return self.outcome in (200, 202) and self.acks != 0

    @property
    def may_have_happened(self):
        """No answer says that nothing was written: 4xx do, and so does a 503 that counts no acks."""
        return self.is_acknowledged or self.outcome in (0, 504) or (self.outcome == 503 and self.acks is not None)

    @property
    def is_found(self):
        return self.op == "get" and self.outcome == 200

    @property
    def is_absent(self):
        return self.op == "get" and self.outcome == 404

    def __str__(self):
        said = f"{self.op} {self.outcome} by {self.node} at {self.start / SECOND:.3f}...{self.end / SECOND:.3f} s"
        if self.acks is not None:
            said += f", acks {self.acks} of {self.wanted}"
        return said + (f", version {self.version}" if self.version is not None else "")


@dataclasses.dataclass
class Event:
    """A fault, or what was seen besides calls."""

    event: str
    at: int
    node: str | None = None
    groups: list | None = None
    records: list | None = None
    step_us: int | None = None


@dataclasses.dataclass
class Bounds:
    """What the rules take for granted; a `meta` event changes them."""

    replica: int = 3
    # A record has all its copies again so long after a loss or the end of a fault.
    repair_us: int = 5 * SECOND
    # A copy that nobody confirmed may be believed so long by a read with quorum 1.
    cache_us: int = 60 * SECOND
    # All nodes answer alike so long after the last write or fault.
    agree_us: int = 30 * SECOND
    # Nodes that were cut off for so long are known to be gone.
    gone_us: int = 120 * SECOND
    # A node that has started is known to the others so much later, if it does not say that it is ready before.
    join_us: int = 5 * SECOND
    ttl_us: int = 86_400 * SECOND
    # A record may be seen so long after its end: the grain of lives, and the way of the answer.
    slack_us: int = 1_500_000
    # The quorum of a read that names none.
    read_quorum: int | str = "majority"


@dataclasses.dataclass(frozen=True)
class Violation:
    """A rule that was broken, the key, the calls that show it, and how, in a sentence."""

    rule: str
    key: str
    calls: tuple
    text: str

    def __str__(self):
        return f"{self.rule}: {self.key}: {self.text}"


class History:
    """Calls and events. Any thread may add to it; each line is also written to `path`, if there is one."""

    def __init__(self, path=None):
        self.calls, self.events, self.bounds = [], [], Bounds()
        self._lock = threading.Lock()
        self._file = open(path, "w") if path else None

    @classmethod
    def read(cls, lines):
        history = cls()
        for line in lines:
            if line.strip():
                history.add(json.loads(line))
        return history

    def add(self, item):
        """Takes in one line as a dictionary."""
        with self._lock:
            if self._file:
                self._file.write(json.dumps(item) + "\n")
            if item["kind"] == "call":
                call = _make(Call, item)
                call.outcome = OUTCOMES.get(call.outcome, call.outcome)
                self.calls.append(call)
            elif item["event"] == "meta":
                self.bounds = dataclasses.replace(self.bounds, **_known(Bounds, item))
            else:
                self.events.append(_make(Event, item))

    def close(self):
        if self._file:
            self._file.close()


def _known(kind, item):
    names = {field.name for field in dataclasses.fields(kind)}
    return {name: value for name, value in item.items() if name in names}


def _make(kind, item):
    return kind(**_known(kind, item))


class Timeline:
    """What the events say of a moment."""

    def __init__(self, history):
        self.bounds = history.bounds
        self.events = sorted(history.events, key=lambda event: event.at)
        self.faults = [event for event in self.events if event.event != "holders"]
        self.last_fault_us = max((event.at for event in self.faults), default=0)
        self._fault_times = [event.at for event in self.faults]
        self._cuts = [event for event in self.faults if event.event in ("partition", "heal")]
        self._ends = collections.defaultdict(list)
        for event in self.faults:
            if event.event in ("kill", "term"):
                self._ends[event.node].append(event.at)
        self._dead_at = {}
        self._count_members()

    def _count_members(self):
        """How many nodes there are from which time on: a newcomer counts when it is ready, or others must know it."""
        changes, there, coming = [], set(), {}
        for event in self.faults:
            if event.event == "start":
                coming[event.node] = event.at + self.bounds.join_us
            elif event.event in ("ready", "kill", "term") and event.node in coming:
                since = coming.pop(event.node)
                if event.event == "ready" or since < event.at:
                    changes.append((min(since, event.at), 1))
                    there.add(event.node)
            if event.event in ("kill", "term") and event.node in there:
                changes.append((event.at, -1))
                there.discard(event.node)
        changes += [(since, 1) for since in coming.values()]
        changes.sort()
        self._member_times = [at for at, _ in changes]
        self._members = list(itertools.accumulate((change for _, change in changes), initial=0))

    def members(self, at):
        """How many nodes there are, paused and cut off ones included; 0 where no event names a start."""
        return self._members[bisect.bisect_right(self._member_times, at)]

    def were_all_copies_lost(self, write, at):
        """Whether so many holders may have died by then, before repair, that no copy need be left."""
        if id(write) not in self._dead_at:
            self._dead_at[id(write)] = self._copies_end(write)
        return self._dead_at[id(write)] <= at

    def _copies_end(self, write):
        """When the last copy may have died; infinity when one must be left."""
        copies, whole = write.acks if write.acks is not None else self.bounds.replica, self.bounds.replica
        repaired_us, is_first, died = write.end + self.bounds.repair_us, True, set()
        for event in self.faults[bisect.bisect_left(self._fault_times, write.start):]:
            if event.event in ("resume", "heal", "start") and event.at < repaired_us:
                repaired_us = event.at + self.bounds.repair_us
            if event.event == "ready" and event.node in died:
                died.discard(event.node)
                copies = min(whole, copies + 1)
            if event.event != "kill":
                continue
            if event.at >= repaired_us:
                copies, is_first = max(copies, whole), False
                died.clear()
            if is_first and write.takers is not None and event.node not in write.takers:
                continue
            copies -= 1
            died.add(event.node)
            repaired_us = event.at + self.bounds.repair_us
            if copies <= 0:
                return event.at
        return float("inf")

    def is_cut_off(self, reader, write, at):
        """Whether no holder of `write` could be reached by `reader` for so long that all of them count as gone."""
        groups, since = None, 0
        for event in self._cuts:
            if event.at <= at:
                groups, since = event.groups if event.event == "partition" else None, event.at
        if groups is None or at - since < self.bounds.gone_us:
            return False
        there = next((set(group) for group in groups if reader in group), {reader})
        holders = set(write.takers) if write.takers is not None else {write.node}
        return not holders & there

    def has_publisher_died(self, write, at):
        return any(write.start <= ended <= at for ended in self._ends[write.node])


class Key:
    """The calls of one key, and what they establish."""

    def __init__(self, name, calls, timeline):
        self.name, self.timeline, self.bounds = name, timeline, timeline.bounds
        self.calls = sorted(calls, key=lambda call: call.start)
        self.writes = [call for call in self.calls if call.is_write and call.may_have_happened]
        self.acknowledged = [call for call in self.writes if call.is_acknowledged]
        self.reads = [call for call in self.calls if call.op == "get"]
        self._by_value = collections.defaultdict(list)
        for write in self.writes:
            if write.op != "delete":
                self._by_value[write.value].append(write)
        self._learn_versions()
        self._establish()

    def _learn_versions(self):
        """A write whose answer named no version has the one that its value was read with."""
        for read in self.reads:
            write = self.write_of(read)
            if write and write.version is None and len(self._by_value[read.value]) == 1:
                write.version = read.version

    def write_of(self, read):
        """The write that a read has seen; None for a value that nobody wrote."""
        candidates = self._by_value.get(read.value, []) if read.is_found else []
        exact = [write for write in candidates if write.version is not None and write.version == read.version]
        return (exact or candidates or [None])[-1]

    def is_majority_acknowledged(self, write):
        if not write.is_acknowledged:
            return False
        acks = write.acks if write.acks is not None else self.bounds.replica
        return acks > max(write.wanted or 0, self.bounds.replica) // 2

    def is_majority_read(self, read):
        quorum = read.quorum if read.quorum is not None else self.bounds.read_quorum
        return quorum in ("majority", "all") or int(quorum) > self.bounds.replica // 2

    def _establish(self):
        """Sorts by time what majority reads must see: what a majority acknowledged, and what one has seen."""
        found = [(write.end, write) for write in self.writes if self.is_majority_acknowledged(write)]
        for read in self.reads:
            write = self.write_of(read)
            if write and self.is_majority_read(read):
                found.append((read.end, write))
        found.sort(key=lambda pair: pair[0])
        self._times = [at for at, _ in found]
        self._newest = list(_running(found, lambda write: write.version))
        self._latest = list(_running(found, lambda write: write.start))

    def superseder(self, write, at):
        """What was established before `at` and is newer than `write`; None when nothing is."""
        place = bisect.bisect_left(self._times, at) - 1
        if place < 0:
            return None
        newest, latest, found = self._newest[place], self._latest[place], []
        if write.version is not None and newest and newest.version > write.version:
            found.append(newest)
        if write.is_acknowledged and latest and latest.start > write.end:
            found.append(latest)
        return max(found, key=lambda newer: newer.start, default=None)

    def ends_us(self, write):
        """When the life of a write is over; infinity for one that is refreshed."""
        if write.op == "delete":
            return float("inf")
        if write.ttl_us is not None:
            return write.start + write.ttl_us
        at = write.start + self.bounds.ttl_us
        return at if self.timeline.has_publisher_died(write, at) else float("inf")

    def missing(self, read):
        """The acknowledged write that a read which found nothing should have found; None when there was none."""
        candidates = [write for write in self.acknowledged if write.op != "delete" and write.end < read.start]
        if not candidates:
            return None
        write = max(candidates, key=lambda write: write.start)
        if any(self._erases(other, write, read) for other in self.writes):
            return None
        if self.timeline.were_all_copies_lost(write, read.end):
            return None
        return None if self.timeline.is_cut_off(read.node, write, read.start) else write

    def _erases(self, eraser, write, read):
        """Whether `eraser` explains that `write` was not there: a delete, or a write that had ended."""
        if eraser.start >= read.end or eraser.end < write.start:
            return False
        if None not in (eraser.version, write.version) and eraser.version < write.version:
            return False
        return eraser.op == "delete" or self.ends_us(eraser) - SECOND <= read.end


def _running(pairs, measure):
    """For each place the write with the greatest measure so far, None while none has one."""
    best = None
    for _, write in pairs:
        if measure(write) is not None and (best is None or measure(write) > measure(best)):
            best = write
        yield best


# The rules. Each takes the keys and the timeline, and yields violations.

def no_acknowledged_write_is_lost(keys, timeline):
    """The last word of each node on a key: what was acknowledged is found, unless all its copies died before repair."""
    for key in keys:
        since = _last_words_since(key)
        last = {read.node: read for read in key.reads if read.start >= since and (read.is_found or read.is_absent)}
        missing = [key.missing(read) for read in last.values() if read.is_absent]
        if last and len(missing) == len(last) and all(missing):
            read = list(last.values())[-1]
            yield Violation("lost", key.name, (missing[-1], read),
                            f"{len(last)} nodes do not find it in the end: {missing[-1]}; {read}")


def _last_words_since(key):
    """After the last write and the last fault; where nobody read after that, after the last write."""
    wrote = max((write.end for write in key.writes), default=0)
    calm = max(wrote, key.timeline.last_fault_us)
    return calm if any(read.start >= calm for read in key.reads) else wrote


def not_found_is_proven(keys, timeline):
    """404 only if no holder that could be reached had the record. That it was lost is for the rule before."""
    lost = {violation.key for violation in no_acknowledged_write_is_lost(keys, timeline)}
    for key in keys:
        for read in key.reads:
            missing = key.missing(read) if read.is_absent and key.name not in lost else None
            if missing:
                yield Violation("false_no", key.name, (missing, read), f"{read} after {missing}")


def reads_never_go_back(keys, timeline):
    """Majority reads see what a majority acknowledged, and what another one has seen; reads of one copy, as long
    after that as a cached copy is believed."""
    yield from (broken for broken in _old_reads(keys) if broken.rule == "stale")


def no_delete_is_undone(keys, timeline):
    """What was deleted is not read again."""
    yield from (broken for broken in _old_reads(keys) if broken.rule == "undeleted")


def _old_reads(keys):
    for key in keys:
        for read in key.reads:
            write = key.write_of(read)
            newer = write and key.superseder(
                write, read.start - (0 if key.is_majority_read(read) else key.bounds.cache_us))
            if not newer or key.timeline.were_all_copies_lost(newer, read.start):
                continue
            rule = "undeleted" if newer.op == "delete" else "stale"
            yield Violation(rule, key.name, (write, newer, read), f"{read} saw {write} after {newer}")


def nothing_outlives_its_life(keys, timeline):
    """A record is not found after its end."""
    for key in keys:
        for read in key.reads:
            write = key.write_of(read)
            if write and write.ttl_us is not None and read.start > write.end + write.ttl_us + key.bounds.slack_us:
                yield Violation("outlived", key.name, (write, read), f"{read} saw {write}, which had ended")


def values_are_written_first(keys, timeline):
    """What is read was written."""
    for key in keys:
        for read in key.reads:
            if read.is_found and read.value is not None and not key.write_of(read):
                yield Violation("invented", key.name, (read,), f"{read} saw a value that nobody wrote")


def a_version_is_one_value(keys, timeline):
    """Two values never share a version."""
    for key in keys:
        seen = {}
        for call in (*key.acknowledged, *(read for read in key.reads if read.is_found)):
            if call.version is None:
                continue
            value = "a tombstone" if call.op == "delete" else call.value
            first = seen.setdefault(call.version, (value, call))
            if first[0] != value:
                yield Violation("one_version", key.name, (first[1], call),
                                f"version {call.version} is {first[0]} and {value}")
                break


def versions_follow_time(keys, timeline):
    """A write that began after another was acknowledged by a majority has a newer version."""
    for key in keys:
        known = [write for write in key.acknowledged if write.version is not None]
        ended = sorted((w for w in known if key.is_majority_acknowledged(w)), key=lambda write: write.end)
        times = [write.end for write in ended]
        newest = list(_running([(w.end, w) for w in ended], lambda write: write.version))
        for write in known:
            place = bisect.bisect_left(times, write.start) - 1
            if place >= 0 and newest[place].version >= write.version:
                yield Violation("order", key.name, (newest[place], write), f"{write} is older than {newest[place]}")


def increments_count(keys, timeline):
    """Acknowledged increments of a counter equal its end value, but for those that nobody knows the end of; and no
    version has two acknowledged successors."""
    for key in keys:
        swaps = [write for write in key.writes if write.op == "cas"]
        acknowledged = [swap for swap in swaps if swap.is_acknowledged]
        heirs = collections.defaultdict(list)
        for swap in acknowledged:
            heirs[swap.expect].append(swap)
        for expect, rivals in heirs.items():
            if expect is not None and len(rivals) > 1:
                yield Violation("cas", key.name, tuple(rivals), f"{len(rivals)} acknowledged over {expect}")
        yield from _end_value(key, swaps, acknowledged)


def _end_value(key, swaps, acknowledged):
    if not any(swap.number is not None for swap in swaps):
        return
    begin = next((write.number for write in key.writes if write.op == "put" and write.number is not None), 0)
    last = max(write.end for write in key.writes)
    ends = [read.number for read in key.reads if read.is_found and read.start > last and read.number is not None]
    if not ends:
        return
    counted, unknown = max(ends) - begin, len(swaps) - len(acknowledged)
    if not len(acknowledged) <= counted <= len(acknowledged) + unknown:
        yield Violation("counter", key.name, (), f"{len(acknowledged)} acknowledged increments, {unknown} of which "
                                                 f"nobody knows, and the counter went up by {counted}")


def holders_agree(keys, timeline):
    """All nodes answer alike, and all holders hold the same, within a bound after the last write and fault."""
    held = collections.defaultdict(list)
    for event in timeline.events:
        for name, version, value in (event.records or []) if event.event == "holders" else []:
            held[name].append((event.at, event.node, (version, value)))
    for key in keys:
        wrote = max((write.end for write in key.writes), default=0)
        since = max(wrote, timeline.last_fault_us) + key.bounds.agree_us
        answers = collections.defaultdict(list)
        for read in key.reads:
            if read.start >= since and (read.is_found or read.is_absent):
                answers[(read.version, read.value) if read.is_found else None].append(read.node)
        copies = collections.defaultdict(list)
        for at, node, what in held[key.name]:
            if at >= since:
                copies[what].append(node)
        for what, seen in (("nodes answer", answers), ("holders hold", copies)):
            if len(seen) > 1:
                yield Violation("agree", key.name, (), f"{what} differently: " + "; ".join(
                    f"{answer} by {','.join(sorted(set(nodes)))}" for answer, nodes in seen.items()))


def success_means_all_copies(keys, timeline):
    """200 only with as many acks as REPLICA, or the whole network where that is smaller, or the caller asked for."""
    for key in keys:
        for write in key.acknowledged:
            if write.outcome != 200 or write.acks is None:
                continue
            there = timeline.members(write.start) or key.bounds.replica
            needed = min(key.bounds.replica, there, write.w or key.bounds.replica)
            if write.acks < needed:
                yield Violation("short", key.name, (write,), f"{write}, where {needed} are needed")


def complete_means_all_providers(keys, timeline):
    """A find that says it is complete names every provider that was acknowledged before and has not ended."""
    for key in keys:
        announced = [call for call in key.calls if call.op == "provide" and call.is_acknowledged]
        for find in (call for call in key.calls if call.op == "find" and call.outcome == 200 and call.complete):
            for call in announced:
                ends = call.start + (call.ttl_us if call.ttl_us is not None else key.bounds.ttl_us)
                is_due = call.end < find.start and ends - SECOND > find.end
                absent = set(call.providers or []) - set(find.providers or [])
                if is_due and absent and not timeline.were_all_copies_lost(call, find.end):
                    yield Violation("complete", key.name, (call, find), f"{find} lacks {', '.join(absent)}")


RULES = {
    "lost": no_acknowledged_write_is_lost,
    "false_no": not_found_is_proven,
    "stale": reads_never_go_back,
    "undeleted": no_delete_is_undone,
    "outlived": nothing_outlives_its_life,
    "invented": values_are_written_first,
    "one_version": a_version_is_one_value,
    "order": versions_follow_time,
    "counter": increments_count,
    "agree": holders_agree,
    "short": success_means_all_copies,
    "complete": complete_means_all_providers,
}


def check(history, rules=RULES):
    """All violations of those rules, in their order."""
    timeline = Timeline(history)
    by_key = collections.defaultdict(list)
    for call in history.calls:
        by_key[call.key].append(call)
    keys = [Key(name, calls, timeline) for name, calls in sorted(by_key.items())]
    return [violation for rule in rules for violation in RULES[rule](keys, timeline)]


def count(violations):
    """How often each rule was broken."""
    return dict(collections.Counter(violation.rule for violation in violations))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="a history; - for standard input")
    parser.add_argument("--rule", action="append", choices=RULES, help="only this one; may be repeated")
    parser.add_argument("--json", action="store_true", help="counts by rule as JSON")
    parser.add_argument("--most", type=int, default=20, help="violations to print (20)")
    arguments = parser.parse_args()
    with sys.stdin if arguments.file == "-" else open(arguments.file) as lines:
        history = History.read(lines)
    broken = check(history, arguments.rule or RULES)
    if arguments.json:
        print(json.dumps(count(broken)))
    else:
        for violation in broken[:arguments.most]:
            print(violation)
        print(f"{len(history.calls)} calls, {len(history.events)} events, {len(broken)} violations {count(broken)}")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
