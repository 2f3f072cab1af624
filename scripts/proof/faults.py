#!/usr/bin/env python3
"""Faults by the dozen against real processes, and what was answered wrongly under them.

Each row sets up a cluster, injects its fault many times, and holds the history of all calls against the rules of
history.py. A row passes when the fault is impossible, or answered as what it is: no answer was wrong, and the nodes
agreed in time. Ends with 1 when a row fails.

Usage: faults.py [--only a,c] [--quick] [--jobs N] [--json] [--histories FOLDER]

SVC_DHT_BIN names a directory with other binaries than the release build's. Rows m and n make hosts out of network
namespaces: they need root or namespaces for users, and are skipped without.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

import cluster as clusters
import history as histories
from cluster import Cluster, Hosts, parallel

SECOND = histories.SECOND
ROWS = {}
# Rows whose nodes have hosts of their own.
HOSTED = ("m", "n")


@dataclasses.dataclass
class Report:
    """What a row has shown."""

    row: str
    fault: str
    times: int = 0
    calls: int = 0
    # Wrong answers by the rule that they break.
    wrong: dict = dataclasses.field(default_factory=dict)
    # Seconds until all holders held the same; None when that was waited for in vain, or not at all.
    agreed_s: float | None = None
    is_agreement_due: bool = False
    seconds: float = 0
    note: str = ""
    skipped: str = ""

    @property
    def passes(self):
        return not self.wrong and not (self.is_agreement_due and self.agreed_s is None)


class Bench:
    """What every row needs: how much to do, and a history to judge."""

    def __init__(self, row, fault, is_quick, folder):
        self.report, self.is_quick = Report(row, fault), is_quick
        self.history = histories.History(folder and pathlib.Path(folder) / f"{row}.jsonl")

    def pick(self, quick, full):
        return quick if self.is_quick else full

    @contextlib.contextmanager
    def cluster(self, size, env=None, **more):
        """Nodes that know each other, and have all met often enough to expect quick answers."""
        with Cluster(size, env, history=self.history, **more) as cluster:
            cluster.settle()
            self.calm_down(cluster)
            yield cluster

    def calm_down(self, cluster, nodes=None, count=25):
        """Calls that are answered quickly make those nodes expect quick answers, whatever held them up before."""
        for node in nodes or cluster.nodes:
            keys = names(f"calm{len(self.history.calls)}-", count)
            put_all(cluster, keys, lambda key: f"of {key}", [node], width=1)
            read_all(cluster, keys[::5], cluster.nodes, width=1)

    def bounds(self, **bounds):
        """Times that the rules go by, in seconds."""
        self.history.add({"kind": "event", "event": "meta", **{f"{k}_us": int(v * SECOND) for k, v in bounds.items()}})

    def count(self, kind, times=1):
        """Notes wrong answers that no rule of the history tells."""
        if times:
            self.report.wrong[kind] = self.report.wrong.get(kind, 0) + times

    def await_agreement(self, cluster, keys, seconds):
        self.report.is_agreement_due = True
        self.report.agreed_s = cluster.await_agreement(keys, seconds)

    def judge(self):
        """Wrong answers are counted once: what was lost is not counted again as disagreement."""
        self.history.close()
        for kind, times in histories.count(histories.check(self.history)).items():
            self.count(kind, times)
        self.report.calls = len(self.history.calls)
        return self.report


def row(letter, fault):
    """Registers a function of a bench as the row of that letter."""
    def register(function):
        ROWS[letter] = (fault, function)
        return function
    return register


def put_all(cluster, keys, value, through=None, width=4, **more):
    """Puts `value(key)` under each key, through those nodes in turn; the answers by key."""
    nodes = through or cluster.nodes
    return _spread(nodes, keys, width, lambda client, key: client.put(key, value(key), **more))


def delete_all(cluster, keys, through=None, width=4):
    return _spread(through or cluster.nodes, keys, width, lambda client, key: client.delete(key))


def _spread(nodes, keys, width, do):
    cluster, answers, jobs = nodes[0].cluster, {}, list(enumerate(keys))

    def work(worker):
        clients = {}
        for place, key in jobs[worker::width]:
            node = nodes[place % len(nodes)]
            client = clients.setdefault(node.name, None) or cluster.client(node)
            clients[node.name] = client
            answers[key] = do(client, key)
        for client in clients.values():
            client.close()
    parallel(work, range(min(width, len(jobs))), width)
    return answers


def read_all(cluster, keys, nodes=None, width=4, **more):
    """Gets each key from each of those nodes."""
    nodes = [node for node in nodes or cluster.nodes if node.is_alive]

    def work(node):
        client = cluster.client(node)
        answers = [client.get(key, **more) for key in keys]
        client.close()
        return answers
    return [answer for answers in parallel(work, nodes, width) for answer in answers]


def names(prefix, count):
    return [f"{prefix}{number}" for number in range(count)]


@row("a", "four of five paused 0.2 s, 20 puts on the fifth, which is killed later")
def puts_while_others_are_paused(bench):
    bench.bounds(repair=5)
    with bench.cluster(5) as cluster:
        fifth, *others = cluster.nodes
        keys = []
        for turn in range(bench.pick(2, 5)):
            fresh = names(f"a{turn}-", 20)
            with cluster.paused(others, 0.2):
                put_all(cluster, fresh, lambda key: f"of {key}", [fifth], width=1)
            keys += fresh
            bench.report.times += 1
            time.sleep(2)
            bench.calm_down(cluster, [fifth])
        bench.await_agreement(cluster, keys, bench.pick(8, 30))
        fifth.kill()
        time.sleep(1)
        read_all(cluster, keys, others)


@row("b", "four of five paused 0.3 s, keys that exist are asked for; nodes that know nobody yet")
def gets_while_nobody_answers(bench):
    with bench.cluster(5) as cluster:
        keys, asker = names("b", 30), cluster.nodes[0]
        put_all(cluster, keys, lambda key: f"of {key}")
        cluster.client(asker).provide("content", "tcp://provider")
        for _ in range(bench.pick(4, 10)):
            with cluster.paused(cluster.nodes[1:], 0.3):
                read_all(cluster, keys, [asker])
                cluster.client(asker).find("content")
            bench.report.times += 1
            time.sleep(bench.pick(1, 3))
            bench.calm_down(cluster, [asker])
        for turn in range(bench.pick(3, 10)):
            _ask_a_newcomer(cluster, f"late{turn}", cluster.nodes[0].overlay, keys[:5])
            _ask_a_newcomer(cluster, f"lost{turn}", "127.0.0.1:1", keys[:5])
            bench.report.times += 2
        time.sleep(1)
        read_all(cluster, keys)


def _ask_a_newcomer(cluster, name, bootstrap, keys):
    """Asks a node for keys as soon as it listens, and ends it."""
    node = clusters.Node(name, cluster, {**cluster.env, "RON_DHT_BOOTSTRAP": bootstrap})
    node.start()
    client = cluster.client(node)
    for key in keys:
        client.get(key)
    client.find("content")
    # It may have been given a copy meanwhile, which goes with it, as with one that was asked to end.
    node.term()


@row("c", "one of three paused 50 ms while keys are rewritten and deleted")
def rewrites_while_one_is_paused(bench):
    times = bench.pick(10, 30)
    bench.bounds(agree=bench.pick(5, 10))
    with bench.cluster(3) as cluster:
        rewritten, deleted = names("u", times), names("d", times)
        put_all(cluster, rewritten + deleted, lambda key: f"old {key}")
        for turn in range(times):
            keys = [rewritten[turn], deleted[turn]]
            with cluster.paused(cluster.nodes[2:], 0.05):
                _spread(cluster.nodes[:1], keys, 1, lambda client, key:
                        client.put(key, f"new {key}") if key[0] == "u" else client.delete(key))
            bench.report.times += 1
            read_all(cluster, keys)
            bench.calm_down(cluster, cluster.nodes[:1])
        bench.await_agreement(cluster, rewritten + deleted, bench.pick(8, 20))
        read_all(cluster, rewritten + deleted)


@row("d", "three nodes grow to many, keys are overwritten, then deleted")
def overwrites_in_a_grown_cluster(bench):
    bench.bounds(agree=bench.pick(5, 60))
    with bench.cluster(3) as cluster:
        keys = names("d", bench.pick(30, 40))
        put_all(cluster, keys, lambda key: f"old {key}")
        cluster.grow(bench.pick(6, 9))
        cluster.settle()
        read_all(cluster, keys)
        time.sleep(2)
        put_all(cluster, keys, lambda key: f"new {key}")
        bench.report.times += len(keys)
        read_all(cluster, keys)
        delete_all(cluster, keys)
        bench.report.times += len(keys)
        read_all(cluster, keys)
        time.sleep(bench.pick(5, 60))
        bench.await_agreement(cluster, keys, 10)
        read_all(cluster, keys)


@row("e", "five nodes put one key at one moment")
def puts_of_one_key_at_one_moment(bench):
    bench.bounds(agree=bench.pick(4, 10))
    with bench.cluster(5) as cluster:
        keys, start = names("e", bench.pick(40, 80)), threading.Barrier(5)

        def write(node):
            client = cluster.client(node)
            for key in keys:
                start.wait()
                client.put(key, f"{node.name} of {key}")
        parallel(write, cluster.nodes, 5)
        bench.report.times = len(keys)
        read_all(cluster, keys)
        bench.await_agreement(cluster, keys, bench.pick(5, 15))
        time.sleep(max(0, bench.pick(4.2, 10.2) - (bench.report.agreed_s or 99)))
        read_all(cluster, keys)


@row("f", "four clients count with If-Match on four nodes")
def counting(bench):
    with bench.cluster(5) as cluster:
        cluster.client(cluster.nodes[0]).put("counter", "0", number=0)
        until, stuck = time.monotonic() + bench.pick(5, 15), []

        def count_up(node):
            client, dice, streak, seen = cluster.client(node), random.Random(node.name), 0, None
            while time.monotonic() < until:
                got = client.get("counter", is_counter=True)
                if got.status == 200:
                    number, etag = got.call["number"] + 1, got.headers["etag"]
                    put = client.put("counter", str(number), number=number, if_match=etag)
                    # Its read names again and again a version that is not there.
                    streak = streak + 1 if put.status in (409, 412) and etag == seen else 0
                    if streak == 50:
                        stuck.append(node.name)
                    seen = etag
                time.sleep(dice.random() * 0.02)
        parallel(count_up, cluster.nodes[1:], 4)
        time.sleep(1)
        read_all(cluster, ["counter"], is_counter=True)
        bench.count("stuck", len(stuck))
        swaps = [call for call in bench.history.calls if call.op == "cas"]
        bench.report.times = len(swaps)
        bench.report.note = f"{sum(swap.is_acknowledged for swap in swaps)} acknowledged, ends " + "/".join(sorted(
            {str(call.number) for call in bench.history.calls[-5:]}))


@row("g", "a value of the default life is replaced by one of two seconds through another node")
def a_shorter_life_replaces_a_longer(bench):
    env = {"RON_DHT_TTL_SECS": "30", "RON_DHT_REPUBLISH_SECS": "3"}
    with bench.cluster(5, env) as cluster:
        keys = names("g", bench.pick(15, 40))
        put_all(cluster, keys, lambda key: f"v1 {key}", cluster.nodes[:1])
        put_all(cluster, keys, lambda key: f"v2 {key}", cluster.nodes[1:2], ttl=2)
        bench.report.times = len(keys)
        time.sleep(3.6)
        for _ in range(bench.pick(4, 10)):
            read_all(cluster, keys)
            time.sleep(1.5)


@row("h", "a delete while one holder is frozen for longer than the default life")
def a_delete_while_a_holder_is_frozen(bench):
    env = {"RON_DHT_TTL_SECS": "3", "RON_DHT_REPUBLISH_SECS": "1"}
    with bench.cluster(5, env) as cluster:
        for turn in range(bench.pick(1, 3)):
            keys = names(f"h{turn}-", 60)
            put_all(cluster, keys, lambda key: f"of {key}", ttl=600)
            deleter, frozen, keys = _apart(cluster, keys)
            with cluster.paused([frozen]):
                delete_all(cluster, keys, [deleter])
                time.sleep(bench.pick(5, 6))
            bench.report.times += len(keys)
            for wait in (0.5, 2, 3):
                time.sleep(wait)
                read_all(cluster, keys)


def _apart(cluster, keys):
    """Two nodes and those keys that the second should hold and the first should not: the two with the most."""
    held = cluster.holders(keys)
    pairs = [(a, b, [key for key in keys if b.name in held[key] and a.name not in held[key]])
             for a, b in itertools.permutations(cluster.nodes, 2)]
    a, b, found = max(pairs, key=lambda pair: len(pair[2]))
    return a, b, found[:20]


@row("i", "an overwrite is refused as full by all holders")
def an_overwrite_that_is_refused(bench):
    env = {"RON_DHT_MEM_MAX": str(16 << 20), "RON_DHT_TTL_SECS": "8", "RON_DHT_REPUBLISH_SECS": "2"}
    with bench.cluster(3, env) as cluster:
        keys = names("i", bench.pick(10, 20))
        put_all(cluster, keys, lambda key: f"of {key}", cluster.nodes[:1])
        time.sleep(3)
        read_all(cluster, keys)
        _fill(cluster)
        answers = put_all(cluster, keys, lambda key: key.ljust(60_000, "x"), cluster.nodes[:1])
        bench.report.times = sum(answer.status == 503 for answer in answers.values())
        read_all(cluster, keys)
        time.sleep(bench.pick(10, 20))
        read_all(cluster, keys)
        if bench.report.times == 0:
            bench.report.note = "the overwrites were not refused: the fault did not happen"


def _fill(cluster):
    """Fills all stores, with records that outlive the row, in steps that leave no room for a large one."""
    client = clusters.Client(cluster.nodes[2], None, "fill")
    number = itertools.count()
    for size in (60_000, 8_000, 1_000):
        refused = 0
        while refused < 3 and next(number) < 20_000:
            status = client.request("PUT", f"/dht/kv/fill{next(number)}?ttl_secs=600", b"x" * size).status
            refused = refused + 1 if status not in (200, 202) else 0


@row("j", "eight nodes restarted by SIGTERM one after another, as soon as /readyz says 200")
def a_rolling_restart(bench):
    with bench.cluster(8) as cluster:
        _restart_all(bench, cluster, "term", 0)


@row("k", "the same under fixed ids: SIGTERM 1 s apart, kill -9 3 s apart")
def a_rolling_restart_under_fixed_ids(bench):
    size = bench.pick(6, 8)
    for kind, gap in (("term", 1), ("kill", 3)):
        with bench.cluster(size, has_fixed_ids=True) as cluster:
            _restart_all(bench, cluster, kind, gap)
            # The next cluster's nodes have the same names.
            for node in cluster.nodes:
                cluster.event("term", node)


def _restart_all(bench, cluster, kind, gap):
    keys = names(f"{kind}{gap}-", bench.pick(300, 500))
    put_all(cluster, keys, lambda key: f"of {key}")
    time.sleep(1)
    waits = []
    for node in cluster.nodes:
        if kind == "kill":
            node.kill()
        elif node.term() != 0:
            bench.count("exit status")
        node.start()
        waits.append(node.await_ready())
        bench.report.times += 1
        time.sleep(gap)
    time.sleep(3)
    answers = read_all(cluster, keys, [cluster.nodes[0], cluster.nodes[-1]])
    found = {answer.call["key"] for answer in answers if answer.status == 200}
    bench.report.note += f"{kind}: {len(keys) - len(found)} of {len(keys)} gone, ready after {max(waits):.2f} s; "


@row("l", "the only holder is held up 60 ms, the deadline is 1500 ms")
def a_get_from_a_busy_host(bench):
    with bench.cluster(2, {"RON_DHT_REPLICA": "1", "RON_DHT_DEADLINE_MS": "1500"}) as cluster:
        asker, holder = cluster.nodes
        keys = names("l", bench.pick(80, 240))
        put_all(cluster, keys, lambda key: f"of {key}")
        held = cluster.holders(keys)
        keys = [key for key in keys if list(held[key]) == [holder.name]][:bench.pick(25, 100)]
        early = 0
        for key in keys:
            bench.calm_down(cluster, [asker], 15)
            with cluster.paused([holder], 0.06):
                call = cluster.client(asker).get(key).call
            bench.report.times += 1
            early += call["outcome"] not in (200, 404) and call["end"] - call["start"] < 1_400_000
        bench.count("gave up early", early)


@row("m", "two of five cut off, both sides write")
def writes_on_both_sides(bench):
    bench.bounds(agree=bench.pick(20, 60))
    with bench.cluster(5, hosts=Hosts()) as cluster:
        keys, few, many = names("m", 44), cluster.nodes[:2], cluster.nodes[2:]
        put_all(cluster, keys, lambda key: f"before {key}")
        with cluster.cut_off(few):
            began = time.monotonic()
            for moment, seconds in (("early", 0), ("late", bench.pick(11, 40))):
                time.sleep(max(0, seconds - (time.monotonic() - began)))
                half = keys[::2] if moment == "early" else keys[1::2]
                parallel(lambda side: put_all(cluster, half, lambda key: f"{moment} {side[0].name} {key}", side, 6),
                         (few, many), 2)
            time.sleep(max(0, bench.pick(15, 45) - (time.monotonic() - began)))
        bench.report.times = len(keys)
        healed = time.monotonic()
        bench.await_agreement(cluster, keys, bench.pick(20, 60))
        if bench.report.agreed_s is None:
            time.sleep(max(0, bench.pick(20.5, 60.5) - (time.monotonic() - healed)))
        read_all(cluster, keys)


@row("n", "no fault: nodes hold the same records and nobody asks for any")
def bytes_when_nothing_differs(bench):
    count, seconds = bench.pick(2_000, 100_000), bench.pick(15, 120)
    with bench.cluster(5, hosts=Hosts()) as cluster:
        put_all(cluster, names("n", 50), lambda key: f"of {key}")
        client = clusters.Client(cluster.nodes[0], None, "fill")
        for number in range(50, count):
            client.request("PUT", f"/dht/kv/n{number}", b"of no interest")
        time.sleep(bench.pick(5, 30))
        sent = sum(cluster.hosts.bytes(node.name) for node in cluster.nodes)
        time.sleep(seconds)
        # What one sends, another receives.
        sent = (sum(cluster.hosts.bytes(node.name) for node in cluster.nodes) - sent) / 2
        read_all(cluster, names("n", 50))
        bench.report.times = count
        bench.report.note = f"{sent / len(cluster.nodes) / seconds:.0f} B/s sent by a node, pings and sessions included"


def run_here(letter, arguments):
    """Runs a row in this process."""
    fault, function = ROWS[letter]
    bench = Bench(letter, fault, arguments.quick, arguments.histories)
    began = time.monotonic()
    function(bench)
    report = bench.judge()
    report.seconds = time.monotonic() - began
    return report


def run_apart(letter, arguments):
    """Runs a row in a process of its own, with hosts of its own where it wants them."""
    command = [__file__, "--only", letter, "--json", *(["--quick"] if arguments.quick else []),
               *(["--histories", arguments.histories] if arguments.histories else [])]
    if letter in HOSTED:
        reason = Hosts.unavailable()
        if reason:
            return Report(letter, ROWS[letter][0], skipped=reason)
        command = Hosts.command(command)
    else:
        command = [sys.executable, *command]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if not done.stdout.strip():
        return Report(letter, ROWS[letter][0], wrong={"broken": 1}, note=f"ended with {done.returncode}")
    (line,) = done.stdout.splitlines()
    return Report(**json.loads(line))


def show(report):
    if report.skipped:
        return print(f"{report.row}  {report.fault}: skipped: {report.skipped}", flush=True)
    wrong = ", ".join(f"{times} {kind}" for kind, times in report.wrong.items()) or "0"
    agreed = "-" if not report.is_agreement_due else "never" if report.agreed_s is None else f"{report.agreed_s:.1f} s"
    print(f"{report.row}  {'pass' if report.passes else 'FAIL'}  {report.times:5}  {report.calls:6}  {agreed:>8}  "
          f"{report.seconds:5.0f} s  {wrong}\n       {report.fault}" + (f": {report.note}" if report.note else ""),
          flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(ROWS), help="letters of rows, with commas")
    parser.add_argument("--quick", action="store_true", help="fewer times")
    parser.add_argument("--jobs", type=int, default=1, help="rows at a time (1)")
    parser.add_argument("--json", action="store_true", help="a JSON line a row")
    parser.add_argument("--histories", help="write each row's history into this folder")
    arguments = parser.parse_args()
    letters = arguments.only.split(",")
    if unknown := set(letters) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    clusters.end_on_signals()
    if arguments.histories:
        pathlib.Path(arguments.histories).mkdir(parents=True, exist_ok=True)
    is_alone = arguments.json and len(letters) == 1 and (letters[0] not in HOSTED or os.environ.get(clusters.INSIDE))
    if is_alone:
        print(json.dumps(dataclasses.asdict(run_here(letters[0], arguments))))
        return
    if not arguments.json:
        print("row        times   calls   agreed    took  wrong answers")
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        reports = []
        for report in pool.map(lambda letter: run_apart(letter, arguments), letters):
            print(json.dumps(dataclasses.asdict(report)), flush=True) if arguments.json else show(report)
            reports.append(report)
    ran = [report for report in reports if not report.skipped]
    failed = [report.row for report in ran if not report.passes]
    if not arguments.json:
        print(f"{len(ran) - len(failed)} of {len(ran)} rows pass" + (f"; not {', '.join(failed)}" if failed else "")
              + (f"; {len(reports) - len(ran)} skipped" if len(ran) < len(reports) else ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
