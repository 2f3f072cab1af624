"""Measures the performance targets and prints them as one table. Called by scripts/bench/targets.sh."""

import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

BIN, WORK = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
WANTED = set(sys.argv[3:])
ROUNDS = int(os.environ.get("ROUNDS", "5"))
CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPU, CLIENT_CPU = CPUS[0], CPUS[-1]
PATIENCE_S = 20


class Server:
    """A daemon on one processor, on ports that the kernel chooses."""

    count = 0

    def __init__(self, command, environment=None, cpu=SERVER_CPU):
        Server.count += 1
        self.log = WORK / f"server{Server.count}.out"
        quiet = {"RON_DHT_ADMIN_ADDR": "127.0.0.1:0", "SVC_OVERLAY_LISTEN_ADDR": "127.0.0.1:0",
                 "SVC_OVERLAY_HTTP_ADDR": "127.0.0.1:0",
                 # On, so that they cost what they cost, and far away.
                 "RON_DHT_PEER_RPS": "10000000", "RON_DHT_GLOBAL_RPS": "10000000"}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, **quiet, **(environment or {})},
                preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def wait_for(self, pattern):
        """The first group of `pattern` in the log, once it is there."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found = re.search(pattern, self.log.read_text(errors="replace"))
            if found:
                return found.group(1)
            if self.process.poll() is not None:
                break
            time.sleep(0.002)
        raise SystemExit(f"targets: {self.log.name} does not say {pattern}:\n{self.log.read_text()}")

    @property
    def overlay(self):
        return self.wait_for(r'"event":"listening".*"overlay":"([^"]+)"')

    @property
    def admin(self):
        return self.wait_for(r'"event":"listening".*"admin":"([^"]+)"')

    def status(self, field):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+)", text, re.M).group(1))

    def cpu_us(self):
        tasks = pathlib.Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1000


def node(*arguments, cpu=SERVER_CPU, environment=None):
    return Server([BIN / "svc-dht", "run", "--embed-overlay", "127.0.0.1:0", *arguments], environment, cpu)


def hub(cpu=SERVER_CPU):
    return Server([BIN / "svc-overlay"], cpu=cpu)


def c_server(cpu=SERVER_CPU):
    return Server([WORK / "answer"], cpu=cpu)


def bench(server, *arguments, cpu=CLIENT_CPU):
    """One run of `svc-dht bench`; its JSON."""
    overlay = (f"127.0.0.1:{server.wait_for('^([0-9]+)')}" if server.process.args[0] == WORK / "answer"
               else server.overlay)
    done = subprocess.run(
        [BIN / "svc-dht", "bench", "--json", "--overlay", overlay, "--pid", str(server.pid),
         *map(str, arguments)],
        stdout=subprocess.PIPE, check=True, timeout=120, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    result = json.loads(done.stdout)
    if result["lost"] or result["refused"] or result["not_found"]:
        raise SystemExit(f"targets: requests failed: {result}")
    return result


class Figures:
    """What several rounds measured, by name."""

    def __init__(self, measure, rounds=ROUNDS):
        self.rounds = [measure() for _ in range(rounds)]

    def __getitem__(self, name):
        return statistics.median(round[name] for round in self.rounds)


def rows_t1():
    """Windowed: CPU per request, beside a C server that answers with the same bytes. On one processor the client
    leaves the server whole windows to answer; on two they wake each other for parts of one."""
    common = ["--in-flight", 64, "--warmup", 20000, "--requests", 200000]

    def measure(client):
        figures = {}
        with node() as server:
            result = bench(server, "--op", "find_node", "--contacts", 100, *common, cpu=client)
            assert result["contacts"] == 20 * result["answered"], result
            figures["find_node"] = result["server_cpu_us"]
        with node() as server:
            figures["ping"] = bench(server, "--op", "ping", *common, cpu=client)["server_cpu_us"]
            figures["get"] = bench(server, "--op", "get", "--prefill", *common, cpu=client)["server_cpu_us"]
        with c_server() as server:
            for op in ("find_node", "ping", "get"):
                figures["c_" + op] = bench(server, "--op", op, *common, cpu=client)["server_cpu_us"]
        return figures

    for where, client in (("one processor", SERVER_CPU), ("two processors", CLIENT_CPU)):
        got = Figures(lambda: measure(client))
        for target, op, limit in (("T1", "find_node", 1.5), ("T2", "ping", 0.8), ("T2", "get", 1.2)):
            row(target, f"{op}, 64 in flight, {where}", f"{got[op]:.2f} us CPU (C: {got['c_' + op]:.2f})",
                f"<= {limit} us", got[op] <= limit)


def rows_t3():
    """One in flight: round trip and CPU beside the C server, on one processor and on two."""
    for where, client in (("one processor", SERVER_CPU), ("two processors", CLIENT_CPU)):
        common = ["--op", "find_node", "--in-flight", 1, "--warmup", 2000, "--requests", 20000]

        def measure():
            with node() as server:
                ours = bench(server, "--contacts", 100, *common, cpu=client)
            with c_server() as server:
                limit = bench(server, *common, cpu=client)
            return {"p50": ours["latency_us"]["find_node"]["p50"], "cpu": ours["server_cpu_us"],
                    "c_p50": limit["latency_us"]["find_node"]["p50"], "c_cpu": limit["server_cpu_us"]}

        got = Figures(measure)
        ratio, extra = got["p50"] / got["c_p50"], got["cpu"] - got["c_cpu"]
        row("T3", f"find_node, one in flight, {where}: p50",
            f"{got['p50']:.1f} us = {ratio:.2f}x C ({got['c_p50']:.1f})", "<= 1.25x", ratio <= 1.25)
        row("T3b", f"the same: CPU", f"{got['cpu']:.2f} us = C ({got['c_cpu']:.2f}) + {extra:.2f}",
            "<= C + 1.5 us", extra <= 1.5)


def rows_t4():
    """The switch alone."""

    def measure():
        with hub() as server:
            many = bench(server, "--op", "relay", "--in-flight", 256, "--warmup", 20000, "--requests", 300000)
            one = bench(server, "--op", "relay", "--in-flight", 1, "--warmup", 2000, "--requests", 20000)
        return {"cpu": many["server_cpu_us"], "p50": one["latency_us"]["relay"]["p50"],
                "cpu1": one["server_cpu_us"]}

    got = Figures(measure)
    row("T4", "128-B frame forwarded, 256 in flight", f"{got['cpu']:.3f} us CPU", "<= 0.45 us", got["cpu"] <= 0.45)
    row("T4", "the same, one in flight, two processors", f"p50 {got['p50']:.1f} us, {got['cpu1']:.2f} us CPU",
        "beside nats-server: scripts/compare", None)


def rows_t5():
    done = subprocess.run([pathlib.Path(__file__).parent / "alloc.sh"], capture_output=True, text=True,
                          env={**os.environ, "SVC_DHT_BIN": str(BIN)})
    lines = [line for line in done.stdout.splitlines() if " ok " in line and "allocations in" in line]
    total = sum(map(int, re.findall(r"(\d+) allocations in 1000,", done.stdout)))
    row("T5", "heap allocations in 1000 requests, steady state",
        f"{total} in {len(lines)} checks" if done.returncode == 0 else "alloc.sh fails", "0",
        done.returncode == 0 and total == 0)


def rows_t7():
    """Routing table and timer wheel, in the shipping binary."""

    def measure():
        done = subprocess.run([BIN / "svc-dht", "bench-core"], capture_output=True, text=True, check=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CPU}))
        closest, timer = re.findall(r": ([\d.]+) ns", done.stdout)
        return {"closest": float(closest), "timer": float(timer)}

    got = Figures(measure)
    row("T7", "closest 20 of 5000", f"{got['closest']:.0f} ns", "<= 400 ns", got["closest"] <= 400)
    row("T8", "timer scheduled + cancelled, 1 000 000 armed", f"{got['timer']:.0f} ns", "<= 40 ns",
        got["timer"] <= 40)


def rows_t11():
    """Memory of a node that does nothing, and of one that holds 100 000 values of 100 B."""

    def measure():
        with node() as server, node("--bootstrap", server.overlay) as other:
            wait_http(other, "/healthz")
            time.sleep(0.5)
            figures = {"rss": server.status("VmRSS"), "anon": server.status("RssAnon")}
        with node() as server:
            bench(server, "--op", "put", "--keys", 100, "--requests", 5000)
            before = server.status("VmRSS")
            bench(server, "--op", "put", "--keys", 100000, "--requests", 100000, "--seed", 2)
            figures["per_value"] = (server.status("VmRSS") - before) * 1024 / 100000
        return figures

    got = Figures(measure)
    row("T11", "RSS of an idle node", f"{got['rss'] / 1024:.1f} MiB", "<= 12 MiB", got["rss"] <= 12 * 1024)
    row("T11", "its anonymous part", f"{got['anon'] / 1024:.1f} MiB", "<= 3 MiB", got["anon"] <= 3 * 1024)
    row("T11", "RSS per value of 100 B, 100 000 of them", f"{got['per_value']:.0f} B", "<= 160 B",
        got["per_value"] <= 160)


def http(server, path, method="GET", body=None):
    request = urllib.request.Request(f"http://{server.admin}{path}", method=method, data=body)
    return urllib.request.urlopen(request, timeout=PATIENCE_S).read()


def wait_http(server, path):
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return http(server, path)
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.0005)


def rows_t12():
    """From the start of the process to a line that says `listening`, and to the first value got from others."""

    def measure():
        started = time.monotonic()
        with node() as server:
            server.wait_for(r'"event":"(listening)"')
            listening = time.monotonic() - started
            with node("--bootstrap", server.overlay, environment={"RON_DHT_READY_ENTRIES": "1"}) as second:
                wait_http(second, "/readyz")
                http(second, "/dht/kv/warm", "PUT", b"x" * 100)
                started = time.monotonic()
                with node("--bootstrap", server.overlay, cpu=CLIENT_CPU) as newcomer:
                    newcomer.wait_for(r'"event":"(listening)"')
                    wait_http(newcomer, "/dht/kv/warm")
                    first_get = time.monotonic() - started
        return {"listening": listening * 1000, "first_get": first_get * 1000}

    got = Figures(measure)
    row("T12", "start to listening", f"{got['listening']:.1f} ms", "<= 20 ms", got["listening"] <= 20)
    row("T12", "start to first get in a warm cluster", f"{got['first_get']:.1f} ms", "<= 10 ms",
        got["first_get"] <= 10)


def rows_t14():
    seconds = 10
    with node() as server, node("--bootstrap", server.overlay, environment={"RON_DHT_READY_ENTRIES": "1"}) as idle:
        wait_http(idle, "/readyz")
        time.sleep(2)
        cpu, wakes = idle.cpu_us(), idle.status("voluntary_ctxt_switches")
        time.sleep(seconds)
        cpu, wakes = idle.cpu_us() - cpu, idle.status("voluntary_ctxt_switches") - wakes
    percent = cpu / seconds / 10_000
    row("T14", f"idle attached node, {seconds} s", f"{percent:.3f} % CPU, {wakes / seconds:.1f} wake-ups a second",
        "0.0 %, < 2 a second", percent < 0.05 and wakes / seconds < 2)


def rows_t15():
    """Growth: the same work on a larger table and a larger store."""

    def measure():
        figures = {}
        for contacts in (100, 5000):
            with node() as server:
                figures[contacts] = bench(
                    server, "--op", "find_node", "--contacts", contacts, "--warmup", 20000, "--requests",
                    200000)["server_cpu_us"]
        for keys in (1000, 1_000_000):
            with node("--mem-max", str(1 << 30)) as server:
                figures[keys] = bench(
                    server, "--op", "get", "--keys", keys, "--prefill", "--warmup", 20000, "--requests",
                    200000)["server_cpu_us"]
        return figures

    got = Figures(measure, max(1, ROUNDS // 2))
    table, store = got[5000] / got[100], got[1_000_000] / got[1000]
    row("T15", "find_node, 100 to 5000 contacts", f"{got[100]:.2f} to {got[5000]:.2f} us = {table:.2f}x", "<= 1.3x",
        table <= 1.3)
    row("T15", "get, 1 000 to 1 000 000 records", f"{got[1000]:.2f} to {got[1_000_000]:.2f} us = {store:.2f}x",
        "<= 1.3x", store <= 1.3)


TABLE = []


def row(target, work, figure, limit, reached):
    TABLE.append((target, work, figure, limit, {True: "yes", False: "NO", None: ""}[reached]))
    print(f"  {target:4} {work}: {figure}  ({limit})", file=sys.stderr, flush=True)


def print_table():
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    print(f"machine: {model.group(1) if model else platform.machine()}, {len(CPUS)} processors, "
          f"Linux {platform.release()}, load {os.getloadavg()[0]:.1f}")
    print(f"medians of {ROUNDS} rounds; CPU is user + system of the server process\n")
    print("| # | work | figure | target | reached |")
    print("| --- | --- | --- | --- | --- |")
    for cells in TABLE:
        print(f"| {' | '.join(cells)} |")


def main():
    groups = [({"T1", "T2"}, rows_t1), ({"T3", "T3b"}, rows_t3), ({"T4"}, rows_t4), ({"T5"}, rows_t5),
              ({"T7", "T8"}, rows_t7), ({"T11"}, rows_t11), ({"T12"}, rows_t12), ({"T14"}, rows_t14),
              ({"T15"}, rows_t15)]
    for names, rows in groups:
        if not WANTED or names & WANTED:
            rows()
    print_table()
    missed = any(cells[-1] == "NO" for cells in TABLE)
    sys.exit(1 if missed and os.environ.get("STRICT") == "1" else 0)


main()
