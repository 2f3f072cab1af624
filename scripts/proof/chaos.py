#!/usr/bin/env python3
"""Random faults under random calls: pauses of 10 ms and longer, kill -9, restarts with and without the id, cuts of one
or both directions, loss and reordering, one after the other; then a calm, a look at every key from every node, and the
rules of history.py.

Usage: chaos.py [--seconds 60] [--seed N] [--nodes 6] [--longest 3] [--history FILE]

The seed says what is done, not how the processes' turns fall. Cuts, loss and reordering need network namespaces, the
last two a kernel with netem, and are left out where there is none. Ends with 1 when a rule is broken.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import threading
import time

import cluster as clusters
import history as histories
from cluster import Cluster, Hosts, parallel

KEYS = 24


class Caller:
    """One client of one node at a time: puts, gets, deletes and counts until it is told to stop."""

    def __init__(self, cluster, name, seed, stop):
        self.cluster, self.name, self.dice, self.stop = cluster, name, random.Random(seed), stop

    def run(self):
        number = 0
        while not self.stop.is_set():
            node = self.dice.choice(self.cluster.nodes)
            if not node.is_alive:
                continue
            client = clusters.Client(node, self.cluster.history, self.name)
            for _ in range(self.dice.randint(1, 8)):
                number += 1
                self.act(client, f"{self.name}-{number}")
                time.sleep(self.dice.random() * 0.03)
            client.close()

    def act(self, client, value):
        key, what = f"k{self.dice.randrange(KEYS)}", self.dice.random()
        if what < 0.5:
            client.get(key)
        elif what < 0.85:
            client.put(key, value)
        elif what < 0.93:
            client.delete(key)
        else:
            self.count(client)

    @staticmethod
    def count(client):
        got = client.get("counter", is_counter=True)
        if got.status == 200:
            number = got.call["number"] + 1
            client.put("counter", str(number), number=number, if_match=got.headers["etag"])


class Nemesis:
    """Does one thing after another to the nodes. At most one is down at a time, so that no record may be lost."""

    def __init__(self, cluster, seed, longest):
        self.cluster, self.dice, self.longest, self.done = cluster, random.Random(seed), longest, {}
        self.works = [self.pause, self.pause_most, self.kill, self.restart_anew]
        if cluster.hosts:
            self.works += [self.cut, self.cut_one_way, self.lose]

    def run(self, until):
        while time.monotonic() < until:
            work = self.dice.choice(self.works)
            self.done[work.__name__] = self.done.get(work.__name__, 0) + 1
            work()
            time.sleep(self.dice.random())

    def length(self):
        """From 10 ms on, short ones as likely as long ones."""
        return min(self.longest, 0.01 * 10 ** (self.dice.random() * 4))

    def some(self, count):
        return self.dice.sample(self.cluster.nodes, count)

    def pause(self):
        with self.cluster.paused(self.some(1), self.length()):
            pass

    def pause_most(self):
        with self.cluster.paused(self.some(len(self.cluster.nodes) - 1), self.length()):
            pass

    def kill(self):
        (node,) = self.some(1)
        node.kill()
        time.sleep(self.length())
        self.bring_back(node)

    def restart_anew(self):
        """SIGTERM, and back under a new id."""
        (node,) = self.some(1)
        node.env["RON_DHT_NODE_ID"] = "%064x" % self.dice.getrandbits(256)
        node.term()
        self.bring_back(node)

    def bring_back(self, node):
        node.start()
        node.await_ready()
        # Repair may take so long; another one that dies before then may take a record with it.
        time.sleep(self.cluster.history.bounds.repair_us / histories.SECOND)

    def cut(self):
        with self.cluster.cut_off(self.some(self.dice.randint(1, len(self.cluster.nodes) // 2))):
            time.sleep(self.length())

    def cut_one_way(self):
        source, target = self.some(2)
        hosts = self.cluster.hosts
        self.cluster.event("partition", groups=[[source.name], [target.name]])
        hosts.cut(source.name, target.name)
        time.sleep(self.length())
        hosts.join(source.name, target.name)
        self.cluster.event("heal")

    def lose(self):
        """One host loses and reorders a tenth of what it sends."""
        (node,) = self.some(1)
        wire = ["tc", "-n", node.name, "qdisc"]
        asked = [*wire, "add", "dev", "wire", "root", "netem", "loss", "10%", "delay", "2ms", "reorder", "10%"]
        if subprocess.run(asked, capture_output=True).returncode == 0:
            time.sleep(self.length())
            subprocess.run([*wire, "del", "dev", "wire", "root"], check=True, capture_output=True)


def final_look(cluster):
    keys = [f"k{number}" for number in range(KEYS)]

    def look(node):
        client = cluster.client(node)
        for key in keys:
            client.get(key)
        client.get("counter", is_counter=True)
    parallel(look, cluster.nodes)


def run(arguments, hosts):
    history = histories.History(arguments.history)
    second = histories.SECOND
    history.add({"kind": "event", "event": "meta", "repair_us": 3 * second, "agree_us": 20 * second})
    with Cluster(arguments.nodes, has_fixed_ids=True, hosts=hosts, history=history) as cluster:
        cluster.settle()
        cluster.client(cluster.nodes[0]).put("counter", "0", number=0)
        stop = threading.Event()
        callers = [Caller(cluster, f"c{number}", f"{arguments.seed} {number}", stop) for number in range(3)]
        threads = [threading.Thread(target=caller.run) for caller in callers]
        for thread in threads:
            thread.start()
        nemesis = Nemesis(cluster, arguments.seed, arguments.longest)
        try:
            nemesis.run(time.monotonic() + arguments.seconds)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        time.sleep(history.bounds.agree_us / histories.SECOND + 0.5)
        final_look(cluster)
    history.close()
    return history, nemesis.done


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--nodes", type=int, default=6)
    parser.add_argument("--longest", type=float, default=3, help="seconds of the longest fault (3)")
    parser.add_argument("--history", help="write the history into this file")
    arguments = parser.parse_args()
    clusters.end_on_signals()
    if not os.environ.get(clusters.INSIDE) and Hosts.unavailable() is None:
        command = Hosts.command([os.path.abspath(__file__), *sys.argv[1:]])
        os.execvp(command[0], command)
    if arguments.seed is None:
        arguments.seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {arguments.seed}", flush=True)
    history, done = run(arguments, Hosts() if os.environ.get(clusters.INSIDE) else None)
    broken = histories.check(history)
    for violation in broken[:20]:
        print(violation)
    print(f"seed {arguments.seed}: {json.dumps(done)}; {len(history.calls)} calls; "
          + (f"broken: {histories.count(broken)}" if broken else "no rule was broken"))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
