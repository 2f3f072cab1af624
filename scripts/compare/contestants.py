"""What is compared: how each server is started, asked and stopped. Everything is on 127.0.0.1."""

import collections
import json
import os
import pathlib
import select
import socket
import subprocess
import time

PATIENCE_S = 20

# Directories: of svc-dht and svc-overlay, and of what scripts/compare builds.
Binaries = collections.namedtuple("Binaries", "svc_dht compare")


class Server:
    """A process of ours, stopped when its `with` block ends."""

    def __init__(self, command, cpu=None, **popen):
        self.name = os.path.basename(command[0])
        if cpu is not None:
            command = ["taskset", "-c", cpu, *command]
        self.process = subprocess.Popen([str(word) for word in command], **popen)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def cpu_ms(self):
        """CPU time of all its threads, as the scheduler counts it."""
        tasks = pathlib.Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6

    def memory_kib(self, field="VmRSS"):
        for line in open(f"/proc/{self.pid}/status", encoding="ascii"):
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise RuntimeError(f"{self.name} has no {field}: has it died?")

    def read_line(self, stream):
        """The next line of a pipe, waited for within a bound."""
        if not select.select([stream], [], [], PATIENCE_S)[0]:
            raise RuntimeError(f"{self.name} says nothing")
        line = stream.readline().decode()
        if not line:
            raise RuntimeError(f"{self.name} has ended")
        return line.strip()

    def listening(self):
        """What a daemon of this project logs when its ports are open."""
        event = {}
        while event.get("event") != "listening":
            event = json.loads(self.read_line(self.process.stderr))
        return event


class SvcDht(Server):
    """A node with its own switch, asked over one kept connection to its admin port."""

    title, protocol, id_bytes, prefixes = "svc-dht", "oap", 32, 24

    def __init__(self, binaries, node_id, bootstrap=None, cpu=None):
        environment = {
            **os.environ,
            "RON_DHT_ADMIN_ADDR": "127.0.0.1:0",
            "RON_DHT_NODE_ID": node_id,
            "RON_DHT_READY_ENTRIES": "1",
            "RON_DHT_REPLICA": "8",
            # On, so that they cost what they cost, and far away.
            "RON_DHT_PEER_RPS": "10000000",
            "RON_DHT_GLOBAL_RPS": "10000000",
        }
        command = [binaries.svc_dht / "svc-dht", "run", "--embed-overlay", "127.0.0.1:0"]
        command += ["--bootstrap", f"127.0.0.1:{bootstrap}" if bootstrap else "none"]
        super().__init__(command, cpu, env=environment, stderr=subprocess.PIPE, bufsize=0)
        event = self.listening()
        self.port = port_of(event["overlay"])
        self.http = socket.create_connection(("127.0.0.1", port_of(event["admin"])), PATIENCE_S)
        self.http.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __exit__(self, *_):
        self.http.close()
        super().__exit__()

    def add(self, _port):
        """Nodes find each other through the bootstrap endpoint."""

    def table(self):
        _, _, body = self.request("GET", "/metrics")
        lines = dict(line.rsplit(" ", 1) for line in body.decode().splitlines() if line[:1] != "#")
        return int(lines["dht_routing_table_size"])

    def put(self, key, value):
        """How many nodes stored it, and the node's own count of the time in milliseconds."""
        answer = json.loads(self.request("PUT", f"/dht/kv/{key}", value)[2])
        return answer.get("acks", 0), answer.get("elapsed_ms", 0.0)

    def get(self, key, value):
        """1 if it was found, 0 if not, and the node's own count of the time in milliseconds."""
        status, headers, body = self.request("GET", f"/dht/kv/{key}")
        return int(status == 200 and body.decode() == value), float(headers.get("x-dht-elapsed-ms", 0))

    def request(self, method, path, body=""):
        """One request and its answer over the kept connection: status, headers, body."""
        head = f"{method} {path} HTTP/1.1\r\nHost: n\r\nContent-Length: {len(body)}\r\n\r\n"
        self.http.sendall((head + body).encode())
        got = b""
        while b"\r\n\r\n" not in got:
            got += self.receive()
        head, body = got.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        while len(body) < int(headers["content-length"]):
            body += self.receive()
        return int(lines[0].split()[1]), headers, body

    def receive(self):
        chunk = self.http.recv(65536)
        if not chunk:
            raise RuntimeError("svc-dht closed its admin connection")
        return chunk


class Peer(Server):
    """A library's node in a wrapper of ours (peers/console.hpp), asked over a pipe."""

    id_bytes = 20

    def __init__(self, binaries, node_id, bootstrap=None, cpu=None):
        command = [binaries.compare / self.wrapper, node_id]
        super().__init__(command, cpu, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.port = int(self.read_line(self.process.stdout))
        if bootstrap:
            self.add(bootstrap)

    def ask(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        return self.read_line(self.process.stdout)

    def add(self, port):
        self.ask(f"add {port}")

    def table(self):
        return int(self.ask("table"))

    def put(self, key, value):
        """How many nodes stored it, and the library's time in milliseconds."""
        return self.timed(f"put {key} {value}")

    def get(self, key, value):
        """1 if it was found, 0 if not, and the library's time in milliseconds."""
        return self.timed(f"get {key} {value}")

    def timed(self, command):
        copies, milliseconds = self.ask(command).split()
        return int(copies), float(milliseconds)


class Libtorrent(Peer):
    # Its first buckets hold 128, 64, 32, 16: contacts crowding deeper ones would be dropped as it splits them.
    title, protocol, wrapper, prefixes = "libtorrent", "krpc", "libtorrent-peer", 0


class OpenDht(Peer):
    title, protocol, wrapper, prefixes = "OpenDHT", "opendht", "opendht-peer", 24


class PortedServer(Server):
    """A server that wants to be told its port: one that the kernel has just given, and taken back."""

    def __init__(self, command, port, cpu):
        self.port = port
        super().__init__(command, cpu, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.accepts()

    def accepts(self):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                return socket.create_connection(("127.0.0.1", self.port), 1).close()
            except ConnectionRefusedError:
                time.sleep(0.01)
        raise RuntimeError(f"{self.name} does not listen")


class Redis(PortedServer):
    title, protocol = "redis", "resp"

    def __init__(self, _binaries, cpu=None):
        port = free_port()
        command = ["redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no"]
        super().__init__(command, port, cpu)


class Nats(PortedServer):
    title, protocol = "nats-server", "nats"

    def __init__(self, _binaries, cpu=None):
        port = free_port()
        super().__init__(["nats-server", "-a", "127.0.0.1", "-p", port], port, cpu)


class SvcOverlay(Server):
    title, protocol = "svc-overlay", "oap"

    def __init__(self, binaries, cpu=None):
        environment = {
            **os.environ,
            "SVC_OVERLAY_LISTEN_ADDR": "127.0.0.1:0",
            "SVC_OVERLAY_HTTP_ADDR": "127.0.0.1:0",
        }
        super().__init__([binaries.svc_dht / "svc-overlay"], cpu, env=environment, stderr=subprocess.PIPE, bufsize=0)
        self.port = port_of(self.listening()["overlay"])


class Neighbours(Server):
    """Simulated nodes around a node under load; `ports` is where they are reached."""

    def __init__(self, binaries, kind, node_id, count, cpu=None):
        command = [binaries.compare / "load", "neighbours", kind.protocol, node_id, count, kind.prefixes]
        super().__init__(command, cpu, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.ports = [int(word) for word in self.read_line(self.process.stdout).split()]


def port_of(address):
    return int(address.rsplit(":", 1)[1])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
