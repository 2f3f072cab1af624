"""Real nodes with faults: started on ports that the kernel chooses, paused, killed, restarted under their id or a new
one, cut off from each other, and always stopped by their process ids.

    with Cluster(5) as cluster:
        cluster.settle()
        client = cluster.client(cluster.nodes[0])
        client.put("key", "value")
        with cluster.paused(cluster.nodes[1:], seconds=0.2):
            client.get("key")

Each call and each fault goes into `cluster.history`. SVC_DHT_BIN names a directory with other binaries than the release
build's; PATIENCE bounds every wait, in seconds.
"""

import atexit
import concurrent.futures
import contextlib
import ctypes
import dataclasses
import hashlib
import http.client
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import history as histories

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("SVC_DHT_BIN", ROOT / ".build/release")).resolve()
PATIENCE = float(os.environ.get("PATIENCE", "60"))
# A call that takes longer counts as not answered: far more than any deadline here.
CALL_SECONDS = 15
INSIDE = "PROOF_INSIDE_HOSTS"

_running = set()
_call_ids = itertools.count(1)


def now_us():
    return time.monotonic_ns() // 1000


def key_id(name):
    """What a node calls a key: the hash of its text."""
    return hashlib.sha256(name.encode()).hexdigest()


def digest(value):
    """How a value stands in a history."""
    return value if len(value) <= 24 else hashlib.sha256(value.encode()).hexdigest()[:16]


def version_of(etag):
    """The version that an ETag names: its first word, in decimal or hexadecimal digits. None for no ETag."""
    if not etag:
        return None
    word = "".join(c if c.isalnum() else " " for c in etag.removeprefix("W/")).split()[0]
    return int(word) if word.isdigit() else int(word, 16)


def await_that(what, test, seconds=None):
    """Waits until `test()` is true."""
    until = time.monotonic() + (seconds or PATIENCE)
    while not test():
        if time.monotonic() > until:
            raise RuntimeError(f"not within {seconds or PATIENCE} s: {what}")
        time.sleep(0.02)


def parallel(function, items, width=8):
    """`function` of each item, on so many threads; the results in order."""
    with concurrent.futures.ThreadPoolExecutor(width) as pool:
        return list(pool.map(function, items))


@atexit.register
def _stop_all():
    for process in list(_running):
        _end(process)


def _end(process):
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.wait()
    _running.discard(process)


def end_on_signals():
    """SIGTERM and SIGINT end the script by way of its cleanup."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


@dataclasses.dataclass
class Answer:
    """An HTTP answer; status 0 when none came."""

    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return {}


class Node:
    """One process of svc-dht with a switch of its own."""

    def __init__(self, name, cluster, env, address="127.0.0.1"):
        self.name, self.cluster, self.env, self.address = name, cluster, env, address
        self.log = cluster.work / f"{name}.log"
        self.process, self.id, self.overlay, self.admin, self.is_ours_to_end = None, None, None, None, False

    def start(self):
        """Starts it, or starts it again on the ports that it had."""
        listen = {"RON_DHT_EMBED_OVERLAY": self.overlay or f"{self.address}:0",
                  "RON_DHT_ADMIN_ADDR": self.admin or "127.0.0.1:0"}
        command = [*self.cluster.under(self), str(BIN / "svc-dht"), "run"]
        for _ in range(20):
            offset = self.log.stat().st_size if self.log.exists() else 0
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(command, env={**os.environ, **self.env, **listen}, stdout=log,
                                                stderr=log, stdin=subprocess.DEVNULL)
            _running.add(self.process)
            self.is_ours_to_end = False
            if self._await_listening(offset):
                self.cluster.event("start", self)
                return self
            # Its port was somebody's for a moment.
            _running.discard(self.process)
            time.sleep(0.1)
        raise RuntimeError(f"{self.name} does not start: {self.log.read_text()[-800:]}")

    def _await_listening(self, offset):
        def said():
            with open(self.log, "rb") as log:
                log.seek(offset)
                lines = log.read().splitlines(keepends=True)
            return next((json.loads(line) for line in lines
                         if b'"event":"listening"' in line and line.endswith(b"\n")), None)
        await_that(f"{self.name} listens", lambda: said() or self.process.poll() is not None)
        line = said()
        if not line:
            return False
        self.id, self.overlay, self.admin = line["node"], line["overlay"], line["admin"]
        return True

    @property
    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def connect(self):
        """A connection to the admin port, from its own host."""
        host, port = self.admin.rsplit(":", 1)
        connection = self.cluster.socket(self)
        connection.settimeout(CALL_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.connect((host, int(port)))
        return connection

    def fetch(self, path):
        """The JSON of a GET, {} when there is none."""
        return Client(self, None, "look").request("GET", path).json

    def is_ready(self):
        return Client(self, None, "look").request("GET", "/readyz").status == 200

    def await_ready(self):
        """Until /readyz says 200; how long that took, in seconds."""
        began = time.monotonic()
        await_that(f"{self.name} is ready", self.is_ready)
        self.cluster.event("ready", self)
        return time.monotonic() - began

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat")
        await_that(f"{self.name} is stopped", lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "T")
        self.cluster.event("pause", self)

    def resume(self):
        self.cluster.event("resume", self)
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """What a power cut does to a process."""
        self.is_ours_to_end = True
        self.cluster.event("kill", self)
        _end(self.process)

    def term(self):
        """Asks it to end, and waits until it has; its exit status."""
        self.is_ours_to_end = True
        self.process.terminate()
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{self.name} did not end within {PATIENCE} s of SIGTERM") from None
        _running.discard(self.process)
        self.cluster.event("term", self)
        return status

    def held(self):
        """Records that it holds, by the id of their key, at most 1000: what its debug list says of each."""
        listed = self.fetch("/dht/_debug/list?limit=1000")
        records = listed.get("records", []) if isinstance(listed, dict) else listed
        return {record["cid"].removeprefix("b3:"): record for record in records}


class _Connection(http.client.HTTPConnection):
    def __init__(self, node):
        super().__init__(node.address)
        self.node = node

    def connect(self):
        self.sock = self.node.connect()


class Client:
    """One client of one node, over one connection that is kept. Its calls go into the history."""

    def __init__(self, node, history, name):
        self.node, self.history, self.name = node, history, name
        self._connection = _Connection(node)

    def close(self):
        self._connection.close()

    def request(self, method, path, body=None, headers=None):
        # Where a kept connection has ended since, the request is made again over a new one; a write only when nothing
        # was sent.
        for is_last in (False, True):
            fresh = self._connection.sock is None
            try:
                self._connection.request(method, path, body, headers or {})
                answer = self._connection.getresponse()
                return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
            except (OSError, http.client.HTTPException) as error:
                self.close()
                is_stale = isinstance(error, (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError))
                if is_last or fresh or not is_stale or method != "GET":
                    break
        return Answer(0, {}, b"")

    def _call(self, op, key, method, path, body=None, headers=None, **more):
        start = now_us()
        answer = self.request(method, path, body, headers)
        call = {"kind": "call", "id": next(_call_ids), "client": self.name, "node": self.node.name, "op": op,
                "key": key, "start": start, "end": now_us(), "outcome": answer.status, **more}
        said = answer.json if op != "get" or answer.status != 200 else {}
        for field in ("acks", "wanted", "takers", "asked", "answered", "unreachable"):
            if isinstance(said, dict) and field in said:
                call[field] = said[field]
        if op in ("put", "delete", "cas", "get") and answer.status in (200, 202):
            seq = said.get("seq") if isinstance(said, dict) else None
            call["version"] = seq if seq is not None else version_of(answer.headers.get("etag"))
        answer.call = call
        return answer

    def _note(self, answer):
        if self.history:
            self.history.add(answer.call)
        return answer

    def put(self, key, value, ttl=None, number=None, if_match=None, if_absent=False):
        """Puts text; `ttl` in seconds, `if_match` an ETag as it was got."""
        headers = {"If-Match": if_match} if if_match else {"If-None-Match": "*"} if if_absent else {}
        is_conditional = if_match or if_absent
        more = {"value": digest(value), "number": number, "ttl_us": ttl and ttl * histories.SECOND}
        if is_conditional:
            more["expect"] = if_match or "none"
        return self._note(self._call(
            "cas" if is_conditional else "put", key, "PUT", f"/dht/kv/{key}" + (f"?ttl_secs={ttl}" if ttl else ""),
            value.encode(), headers, **more))

    def delete(self, key):
        return self._note(self._call("delete", key, "DELETE", f"/dht/kv/{key}"))

    def get(self, key, quorum=None, is_counter=False):
        answer = self._call("get", key, "GET", f"/dht/kv/{key}" + (f"?quorum={quorum}" if quorum else ""),
                            quorum=quorum)
        if answer.status == 200:
            text = answer.body.decode(errors="replace")
            answer.call["value"] = digest(text)
            if is_counter:
                answer.call["number"] = int(text)
        return self._note(answer)

    def provide(self, key, uri, ttl=None):
        body = {"cid": "b3:" + key_id(key), "node": uri, **({"ttl_secs": ttl} if ttl else {})}
        return self._note(self._call(
            "provide", key, "POST", "/dht/provide", json.dumps(body).encode(),
            {"Content-Type": "application/json"}, providers=[uri], ttl_us=(ttl or 600) * histories.SECOND))

    def find(self, key):
        answer = self._call("find", key, "GET", f"/dht/find_providers/b3:{key_id(key)}")
        answer.call.update(providers=answer.json.get("providers"), complete=answer.json.get("complete"))
        return self._note(answer)


class Cluster:
    """Nodes with a switch of their own each, and what happens to them."""

    def __init__(self, size, env=None, has_fixed_ids=False, hosts=None, history=None):
        """`hosts`: each node has a host of its own (see Hosts). `env` is for every node."""
        self.env, self.has_fixed_ids, self.hosts = {**base_settings(), **(env or {})}, has_fixed_ids, hosts
        self.history = history or histories.History()
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="svc-dht-proof."))
        self.nodes, self._clients = [], itertools.count(1)
        self._size = size
        self.history.add({"kind": "event", "event": "meta", "replica": int(self.env.get("RON_DHT_REPLICA", 3))})

    def __enter__(self):
        self.grow(self._size)
        return self

    def __exit__(self, kind, error, _):
        died = [node.name for node in self.nodes if not node.is_alive and not node.is_ours_to_end]
        for node in self.nodes:
            if node.process in _running:
                _end(node.process)
        if died or (kind and not issubclass(kind, (SystemExit, KeyboardInterrupt))):
            for node in self.nodes:
                if node.name in died or kind:
                    print(f"--- last lines of {node.name}\n{node.log.read_text()[-600:]}", file=sys.stderr)
        shutil.rmtree(self.work, ignore_errors=True)
        if died and not kind:
            raise RuntimeError(f"ended without being asked to: {', '.join(died)}")

    def grow(self, count):
        """Starts so many more. The first three are everybody's bootstrap."""
        for _ in range(count):
            number = len(self.nodes)
            env = dict(self.env)
            if number:
                env["RON_DHT_BOOTSTRAP"] = ",".join(node.overlay for node in self.nodes[:3])
            if self.has_fixed_ids:
                env["RON_DHT_NODE_ID"] = key_id(f"node{number}")
            name = f"n{number}"
            node = Node(name, self, env, self.hosts.add(name) if self.hosts else "127.0.0.1")
            self.nodes.append(node)
            if not number:
                env["RON_DHT_BOOTSTRAP"] = node.overlay or "127.0.0.1:1"
            node.start()
        if len(self.nodes) > 1:
            # So that the first ones find the others again when they come back.
            for node in self.nodes[:3]:
                others = [other.overlay for other in self.nodes[:4] if other is not node]
                node.env["RON_DHT_BOOTSTRAP"] = ",".join(others)

    def under(self, node):
        return ["nsenter", f"--net=/run/netns/{node.name}"] if self.hosts else []

    def socket(self, node):
        return self.hosts.socket(node.name) if self.hosts else socket.socket()

    def event(self, event, node=None, **more):
        self.history.add({"kind": "event", "event": event, "at": now_us(), "node": node.name if node else None,
                          **more})

    def client(self, node):
        return Client(node, self.history, f"c{next(self._clients)}")

    def settle(self, contacts=None):
        """Until every node is ready and knows so many, all others unless told otherwise; seconds that took."""
        began, wanted = time.monotonic(), len(self.nodes) - 1 if contacts is None else contacts
        for node in self.nodes:
            await_that(f"{node.name} knows {wanted}",
                       lambda: node.fetch("/dht/routing").get("contacts", 0) >= wanted and node.is_ready())
            self.event("ready", node)
        return time.monotonic() - began

    @contextlib.contextmanager
    def paused(self, nodes, seconds=None):
        """Pauses those nodes for the length of the block, or for so many seconds; in the end all of them run."""
        for node in nodes:
            node.pause()
        is_over = threading.Event()

        def resume():
            is_over.wait(seconds)
            for node in nodes:
                node.resume()
        waker = threading.Thread(target=resume)
        if seconds is not None:
            waker.start()
        try:
            yield
        finally:
            if seconds is None:
                is_over.set()
                waker.start()
            waker.join()

    def closest(self, name):
        """The REPLICA nodes that run and are closest to a key: those who should hold it."""
        key = int(key_id(name), 16)
        alive = [node for node in self.nodes if node.is_alive]
        return sorted(alive, key=lambda node: int(node.id, 16) ^ key)[:self.history.bounds.replica]

    def holders(self, names):
        """What the closest nodes hold of those keys: {key: {node: version, None for nothing}}."""
        held = {node.name: node.held() for node in self.nodes if node.is_alive}
        return {name: {node.name: held[node.name].get(key_id(name), {}).get("seq") for node in self.closest(name)}
                for name in names}

    def await_agreement(self, names, seconds):
        """Waits until the closest nodes of each of those keys hold one version of it, or all of them none, and every
        node answers alike for it; how long that took, None when it was not so after `seconds`. What they hold then
        goes into the history; what is asked meanwhile does not."""
        began = time.monotonic()
        while True:
            held = self.holders(names)
            agree = all(len(set(versions.values())) == 1 for versions in held.values()) and self._answer_alike(names)
            took = time.monotonic() - began
            if agree or took > seconds:
                break
            time.sleep(0.3)
        for node in self.nodes:
            records = [[name, versions[node.name], None] for name, versions in held.items() if versions.get(node.name)]
            self.event("holders", node, records=records)
        return took if agree else None

    def _answer_alike(self, names):
        clients = [Client(node, None, "look") for node in self.nodes if node.is_alive]
        try:
            for name in names:
                answers = [client.get(name).call for client in clients]
                if len({(answer["outcome"], answer.get("value")) for answer in answers}) > 1:
                    return False
                if answers[0]["outcome"] not in (200, 404):
                    return False
            return True
        finally:
            for client in clients:
                client.close()

    @contextlib.contextmanager
    def cut_off(self, group):
        """Cuts those nodes off from the others, both ways."""
        others = [node for node in self.nodes if node not in group]
        self.event("partition", groups=[[node.name for node in side] for side in (group, others)])
        pairs = [(a.name, b.name) for a in group for b in others]
        for a, b in pairs:
            self.hosts.cut(a, b)
            self.hosts.cut(b, a)
        try:
            yield
        finally:
            for a, b in pairs:
                self.hosts.join(a, b)
                self.hosts.join(b, a)
            self.event("heal")


def settings():
    """The node's settings with their defaults."""
    if not (BIN / "svc-dht").exists():
        raise SystemExit(f"no svc-dht in {BIN}: make build, or name another folder in SVC_DHT_BIN")
    shown = subprocess.run([BIN / "svc-dht", "config", "--json"], capture_output=True, text=True, check=True).stdout
    return {row["name"]: row["value"] for row in json.loads(shown)}


def base_settings():
    """A node whose default waits for more contacts than a small cluster has is ready with one."""
    return {"RON_DHT_READY_ENTRIES": "1"} if settings().get("RON_DHT_READY_ENTRIES") == "20" else {}


class Hosts:
    """Hosts made of network namespaces on one bridge, in namespaces of this process: they end with it.

    A direction is cut by naming a hardware address that nobody has, so that what is sent is lost without a word.
    """

    NOWHERE = "02:00:00:00:ff:ff"
    CLONE_NEWNET = 0x40000000

    def __init__(self):
        self.numbers, self._libc = {}, ctypes.CDLL(None, use_errno=True)
        _run("mount", "-t", "tmpfs", "none", "/run")
        os.mkdir("/run/netns")
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", "wire", "type", "bridge")
        _run("ip", "link", "set", "wire", "up")
        self._own = os.open("/proc/self/ns/net", os.O_RDONLY)

    @staticmethod
    def unavailable():
        """Why there can be no hosts, None when there can."""
        probe = ["sh", "-c", "ip link add probe0 type bridge && ip link add probe1 type veth peer name probe2"]
        done = subprocess.run([*Hosts._apart(), *probe], capture_output=True, text=True)
        return None if done.returncode == 0 else "no network namespaces with veth here, or no right to make them"

    @staticmethod
    def _apart():
        return ["unshare", "--net", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]

    @staticmethod
    def command(arguments):
        """The command that runs this program with those arguments where hosts can be made."""
        return [*Hosts._apart(), "env", f"{INSIDE}=1", sys.executable, *arguments]

    def add(self, name):
        """A host of that name; its address."""
        number = len(self.numbers) + 1
        self.numbers[name] = number
        _run("ip", "netns", "add", name)
        _run("ip", "link", "add", f"w{number}", "type", "veth", "peer", "name", "wire", "address",
             self._hardware(name), "netns", name)
        _run("ip", "link", "set", f"w{number}", "master", "wire", "up")
        _run("ip", "-n", name, "link", "set", "lo", "up")
        _run("ip", "-n", name, "link", "set", "wire", "up")
        _run("ip", "-n", name, "address", "add", f"10.99.0.{number}/24", "dev", "wire")
        for other in self.numbers:
            if other != name:
                self.join(name, other)
                self.join(other, name)
        return f"10.99.0.{number}"

    def _hardware(self, name):
        return f"02:00:00:00:00:{self.numbers[name]:02x}"

    def cut(self, source, target):
        """Loses what `source` sends to `target`."""
        self._point(source, target, self.NOWHERE)

    def join(self, source, target):
        self._point(source, target, self._hardware(target))

    def bytes(self, name):
        """Bytes that this host has sent and received."""
        done = subprocess.run(["ip", "-n", name, "-s", "-j", "link", "show", "wire"], check=True, capture_output=True)
        (link,) = json.loads(done.stdout)
        return link["stats64"]["rx"]["bytes"] + link["stats64"]["tx"]["bytes"]

    def _point(self, source, target, hardware):
        _run("ip", "-n", source, "neigh", "replace", f"10.99.0.{self.numbers[target]}", "lladdr", hardware, "dev",
             "wire", "nud", "permanent")

    def socket(self, name):
        """A socket of that host; it stays there while this thread comes back."""
        there = os.open(f"/run/netns/{name}", os.O_RDONLY)
        try:
            self._enter(there)
            try:
                return socket.socket()
            finally:
                self._enter(self._own)
        finally:
            os.close(there)

    def _enter(self, namespace):
        if self._libc.setns(namespace, self.CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def _run(*command):
    subprocess.run(command, check=True, capture_output=True)
