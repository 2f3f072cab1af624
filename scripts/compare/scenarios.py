"""The work that every contestant does, and what is taken down of it.

Each scenario is a generator of (row, contestant, value): a row of the table, whose it is, and the figure.
"""

import contextlib
import dataclasses
import json
import random
import statistics
import subprocess
import sys
import time

from contestants import Libtorrent, Nats, Neighbours, OpenDht, Redis, SvcDht, SvcOverlay

DHTS = (SvcDht, Libtorrent, OpenDht)
NEIGHBOURS = 200
TABLE_AT_LEAST = 100
CLUSTER = 32
VALUES = 200
STORED = 100_000
JOINS = 5
JOIN_PATIENCE_S = 20


@dataclasses.dataclass
class Plan:
    """Where the programs are, how often each flood is repeated, and on which cores it runs."""

    binaries: object
    rounds: int
    server_cpu: int
    client_cpu: int


def node_id(kind, number):
    """The same random ids in every run."""
    return random.Random(number).randbytes(kind.id_bytes).hex()


def await_that(condition, seconds):
    """Whether `condition` came to be true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


class Load:
    """Floods a server with the load client, pinned away from it."""

    def __init__(self, plan):
        self.plan = plan

    def flood(self, server, operation, window, requests, node="-", keys=1):
        command = ["taskset", "-c", self.plan.client_cpu, self.plan.binaries.compare / "load"]
        command += ["flood", server.protocol, operation]
        command += [server.port, server.pid, window, requests, node, keys]
        done = subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=300)
        result = json.loads(done.stdout)
        if result["replies"] < requests:
            print(f"compare: {server.title}, {operation}, {window} in flight: {result}", file=sys.stderr)
        if result["replies"] < 0.98 * requests:
            raise RuntimeError(f"{server.title} answered {result['replies']} of {requests} requests")
        return result

    def rounds(self, servers, operation, window, requests, **more):
        """Medians over rounds in which the servers take turns, so that drift of the machine meets them alike."""
        results = {server: [] for server, _ in servers}
        for _ in range(self.plan.rounds):
            for server, node in servers:
                results[server].append(self.flood(server, operation, window, requests, node=node, **more))
        return {
            server: {field: statistics.median(result[field] for result in of) for field in of[0]}
            for server, of in results.items()
        }


def is_filled(node, neighbours):
    """Whether the node knows enough others; if not, it is told of them, at a pace at which libtorrent keeps them."""
    if node.table() >= TABLE_AT_LEAST:
        return True
    for port in neighbours:
        node.add(port)
        time.sleep(0.005)
    return False


@contextlib.contextmanager
def populated_nodes(plan, stack):
    """One node of each DHT with a routing table of at least TABLE_AT_LEAST simulated contacts."""
    nodes = []
    for kind in DHTS:
        identity = node_id(kind, 1)
        around = stack.enter_context(Neighbours(plan.binaries, kind, identity, NEIGHBOURS, plan.client_cpu))
        node = stack.enter_context(kind(plan.binaries, identity, around.ports[0], plan.server_cpu))

        if not await_that(lambda node=node, ports=around.ports: is_filled(node, ports), 30):
            raise RuntimeError(f"{kind.title} knows only {node.table()} contacts")
        nodes.append((node, identity))
    yield nodes


def rpc(plan):
    """find_node, with 64 and with one in flight, against a node that knows at least 100 others."""
    load = Load(plan)
    with contextlib.ExitStack() as stack, populated_nodes(plan, stack) as nodes:
        for node, _ in nodes:
            yield "contacts in the routing table", node.title, node.table()
        for window, requests, label in ((64, 100_000, "64 in flight"), (1, 20_000, "one in flight")):
            for node, result in load.rounds(nodes, "find", window, requests).items():
                yield f"find_node answered, {label}: CPU us", node.title, result["cpu_us"]
                if window == 1:
                    yield f"find_node answered, {label}: p50 us", node.title, result["p50_us"]
                    yield f"find_node answered, {label}: p99 us", node.title, result["p99_us"]
                    yield "find_node: bytes of an answer", node.title, result["reply_bytes"]


def storage(plan):
    """What 100 000 values of 100 B cost in memory, and reading one of them from a single server."""
    load = Load(plan)
    with contextlib.ExitStack() as stack:
        nodes = [
            (stack.enter_context(kind(plan.binaries, node_id(kind, 1), cpu=plan.server_cpu)), node_id(kind, 1))
            for kind in DHTS
        ]
        redis = stack.enter_context(Redis(plan.binaries, plan.server_cpu))
        readable = [nodes[0], (redis, "-")]
        for server, node in [*nodes, readable[1]]:
            before = server.memory_kib()
            result = load.flood(server, "put", 64, STORED, node=node)
            grown = (server.memory_kib() - before) * 1024
            yield "100 000 values of 100 B stored: bytes of RSS each", server.title, grown / result["replies"]
            yield "value stored by the wire, 64 in flight: CPU us", server.title, result["cpu_us"]
        for window, requests, label in ((64, 200_000, "64 in flight"), (1, 20_000, "one in flight")):
            for server, result in load.rounds(readable, "get", window, requests, keys=STORED).items():
                yield f"get of a stored value, {label}: CPU us", server.title, result["cpu_us"]
                if window == 1:
                    yield f"get of a stored value, {label}: p50 us", server.title, result["p50_us"]


def relay(plan):
    """128-byte messages from one connection to another."""
    load = Load(plan)
    with contextlib.ExitStack() as stack:
        servers = [(stack.enter_context(kind(plan.binaries, plan.server_cpu)), "-") for kind in (SvcOverlay, Nats)]
        for window, requests, label in ((256, 500_000, "256 in flight"), (1, 20_000, "one in flight")):
            for server, result in load.rounds(servers, "relay", window, requests).items():
                yield f"relay of 128 B, {label}: CPU us", server.title, result["cpu_us"]
                if window == 1:
                    yield f"relay of 128 B, {label}: p50 us", server.title, result["p50_us"]
                    yield f"relay of 128 B, {label}: p99 us", server.title, result["p99_us"]


def cluster(plan):
    """32 processes a contestant, one after the other; puts from one node, gets each from another at random."""
    for kind in DHTS:
        with contextlib.ExitStack() as stack:
            for row, value in one_cluster(plan.binaries, kind, stack):
                yield row, kind.title, value


def one_cluster(binaries, kind, stack):
    chance = random.Random(2)
    nodes = []
    for number in range(CLUSTER):
        first = nodes[0].port if nodes else None
        nodes.append(stack.enter_context(kind(binaries, node_id(kind, number), first)))
    introduce(nodes, chance)
    await_that(lambda: min(node.table() for node in nodes) >= CLUSTER * 3 // 4, 20)
    time.sleep(3)  # what is left of joining must not be counted below
    yield "idle node of 32: RSS MiB", statistics.median(node.memory_kib() for node in nodes) / 1024
    yield "idle node of 32: anonymous RSS MiB", statistics.median(node.memory_kib("RssAnon") for node in nodes) / 1024
    yield "idle node of 32: contacts known", statistics.median(node.table() for node in nodes)
    putter, others = nodes[3], nodes[:3] + nodes[4:]
    items = [(f"key-{number}", f"value-{number}-".ljust(100, "v")) for number in range(VALUES)]
    for operation in ("put", "get"):
        asked = [putter if operation == "put" else chance.choice(others) for _ in items]
        yield from timed(operation, nodes, asked, items)
    yield from joins(binaries, kind, nodes, items)


def introduce(nodes, chance):
    """libtorrent takes nobody into its table from its bootstrap node alone; all get the same introductions."""
    for node in nodes:
        for other in chance.sample(nodes, 3):
            if other is not node:
                node.add(other.port)


def timed(operation, nodes, asked, items):
    """One operation at a time: latency as the caller sees it and as the node counts it, CPU of all nodes."""
    seen, counted, copies = [], [], []
    before = sum(node.cpu_ms() for node in nodes)
    for node, (key, value) in zip(asked, items):
        start = time.perf_counter()
        taken, own = getattr(node, operation)(key, value)
        if taken:
            copies.append(taken)
            seen.append((time.perf_counter() - start) * 1000)
            counted.append(own)
    spent = sum(node.cpu_ms() for node in nodes) - before
    yield f"cluster {operation}: succeeded %", 100 * len(copies) / len(items)
    if operation == "put":
        yield "cluster put: nodes named as storing it", statistics.median(copies)
    for name, times in (("node's count", counted), ("caller's clock", seen)):
        yield f"cluster {operation}, {name}: p50 ms", percentile(times, 0.50)
        yield f"cluster {operation}, {name}: p99 ms", percentile(times, 0.99)
    yield f"cluster {operation}: CPU ms of all nodes", spent / len(items)


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else float("nan")


def joins(binaries, kind, nodes, items):
    """From starting a process that knows one node, to an existing value in its caller's hands."""
    listening, got = [], []
    for number in range(JOINS):
        key, value = items[number]
        start = time.perf_counter()
        with kind(binaries, node_id(kind, 1000 + number), nodes[0].port) as newcomer:
            listening.append((time.perf_counter() - start) * 1000)
            newcomer.add(nodes[1].port)
            found = 0
            while not found:
                found, _ = newcomer.get(key, value)
                if time.perf_counter() - start > JOIN_PATIENCE_S:
                    raise RuntimeError(f"{kind.title}: a newcomer does not find what is there")
            got.append((time.perf_counter() - start) * 1000)
    yield "process start to taking commands: ms", statistics.median(listening)
    yield "process start to first get in the cluster: ms", statistics.median(got)


SCENARIOS = {"rpc": rpc, "storage": storage, "relay": relay, "cluster": cluster}
