"""Holds deploy/ against what was built. Called by scripts/live/deploy.sh.

Usage: deploy.py ROOT BIN PAGE        BIN holds the binaries, PAGE a live node's metrics

A container engine and a cluster are not at hand; what can be wrong without them is looked at: names that do not meet,
paths, ports and settings that nobody serves, libraries that nobody installs, metrics that nobody writes.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

import yaml

ROOT, BIN, PAGE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
faults = []


def hold(is_so, fault):
    """Notes a fault unless it is so."""
    if not is_so:
        faults.append(fault)


def run(*command, environment=None):
    """Standard output of a command that must end well."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    hold(done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


def settings(environment):
    """What the daemon makes of an environment, by name."""
    rows = json.loads(run(BIN / "svc-dht", "config", "--json", environment=environment) or "[]")
    return {row["name"]: row for row in rows}


def packages(stage):
    """Debian packages that a stage of the container file installs."""
    found = re.search(r"apt-get install -y --no-install-recommends (.*?) &&", stage, re.S)
    return set(found.group(1).split()) - {"\\"} if found else set()


def check_container():
    """Paths, packages and ports of the container file."""
    text = (ROOT / "deploy/Containerfile").read_text()
    build, final = text.split("\nFROM ")[1:]
    installed = packages(final)
    for path in re.findall(r"/src/(\S+)", final):
        hold((ROOT / path).exists(), f"Containerfile copies {path}, which `make build` does not leave there")
    entry = pathlib.PurePath(json.loads(re.search(r"^ENTRYPOINT (.*)$", final, re.M).group(1))[0])
    hold(f"/src/.build/release/{entry.name} " in final, f"Containerfile starts {entry}, which it does not copy")
    hold(re.search(r"^USER [1-9]\d*:[1-9]\d*$", final, re.M), "Containerfile: the user is no plain number")
    needs = re.search(r"build\) wanted\+=\((.*?)\)", (ROOT / "scripts/setup.sh").read_text()).group(1)
    missing = set(needs.split()) - {"curl"} - packages(build)
    hold(not missing, f"Containerfile builds without {missing}")
    for program in ("svc-dht", "svc-overlay"):
        for library in re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", BIN / program)):
            check_library(program, library, installed)
    live = settings({"RON_DHT_EMBED_OVERLAY": ""})
    ports = {live["RON_DHT_ADMIN_ADDR"]["value"], "127.0.0.1:9600", "127.0.0.1:9700"}
    exposed = set(re.search(r"^EXPOSE (.*)$", final, re.M).group(1).split())
    hold({port.rsplit(":", 1)[1] for port in ports} == exposed, f"Containerfile exposes {exposed}")


def check_library(program, library, installed):
    """The package of a shared library is installed, or is in every Debian."""
    owners = run("dpkg-query", "--search", f"*/{library}").splitlines()
    names = {owner.split(":")[0] for owner in owners}
    there = installed | {"libc6", "libgcc-s1", "libstdc++6"}
    hold(names & there, f"{program} needs {library} of {names}, which the container does not install")


def check_kubernetes():
    """The objects of the manifest mean one another, and the daemon."""
    objects = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/svc-dht.yaml").read_text()))
    by_name = {(item["kind"], item["metadata"]["name"]): item for item in objects}
    hold(len(by_name) == len(objects), "kubernetes: two objects of one kind and name")
    [state] = [item for item in objects if item["kind"] == "StatefulSet"]
    labels = state["spec"]["template"]["metadata"]["labels"].items()
    for item in objects:
        selector = item["spec"]["selector"]
        selector = selector.get("matchLabels", selector)
        hold(selector.items() <= labels, f"kubernetes: {item['kind']} {item['metadata']['name']} selects nothing")
    headless = by_name.get(("Service", state["spec"]["serviceName"]), {}).get("spec", {})
    hold(headless.get("clusterIP") == "None", "kubernetes: the stateful set's service is not headless")
    hold(headless.get("publishNotReadyAddresses"), "kubernetes: nodes that are not ready cannot find each other")
    [budget] = [item["spec"] for item in objects if item["kind"] == "PodDisruptionBudget"]
    replica = int(settings({})["RON_DHT_REPLICA"]["value"])
    hold(budget["maxUnavailable"] < replica, "kubernetes: an eviction may take every copy of a record")
    hold(state["spec"]["replicas"] > replica, "kubernetes: too few pods for the replicas of a record")
    check_pod(state, state["spec"]["template"]["spec"])


def check_pod(state, pod):
    """The container's settings, ports, probes and volumes."""
    [container] = pod["containers"]
    given = {entry["name"]: entry.get("value", "10.0.0.7") for entry in container["env"]}
    given = {name: value.replace("$(POD_IP)", given["POD_IP"]) for name, value in given.items()}
    live = settings(given)
    for name in given.keys() - {"POD_IP"}:
        hold(live.get(name, {}).get("source") == "env", f"kubernetes: {name} is no setting")
        hold("clamped_from" not in live.get(name, {}), f"kubernetes: {name}={given[name]} is clamped")
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    hold(given["RON_DHT_ADMIN_ADDR"] == f"0.0.0.0:{ports['admin']}", "kubernetes: the admin port")
    hold(given["RON_DHT_EMBED_OVERLAY"] == f"0.0.0.0:{ports['overlay']}", "kubernetes: the overlay port")
    hold(given["RON_DHT_ADVERTISE"] == f"{given['POD_IP']}:{ports['overlay']}", "kubernetes: what is advertised")
    hold(given["RON_DHT_BOOTSTRAP"] == f"{state['spec']['serviceName']}:{ports['overlay']}", "kubernetes: bootstrap")
    served = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())["paths"]
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        asked = container[probe]["httpGet"]
        hold(asked["path"] == path and path in served and asked["port"] in ports, f"kubernetes: {probe}")
    drain = int(live["RON_DHT_DRAIN_MS"]["value"])
    hold(pod["terminationGracePeriodSeconds"] * 1000 > drain, "kubernetes: killed before it has drained")
    limit = int(container["resources"]["limits"]["memory"].removesuffix("Mi")) << 20
    hold(limit > int(live["RON_DHT_MEM_MAX"]["value"]), "kubernetes: less memory than RON_DHT_MEM_MAX")
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    hold(mounted.keys() == {volume["name"] for volume in pod["volumes"]}, "kubernetes: mounts and volumes")
    token = os.path.dirname(given["RON_DHT_ADMIN_TOKEN_FILE"])
    hold(token in mounted.values(), "kubernetes: the token file is not mounted")
    hold(container["securityContext"]["readOnlyRootFilesystem"], "kubernetes: the root file system is writable")


def check_systemd():
    """Every line of the sample configuration is one that the daemon takes."""
    sample = (ROOT / "deploy/systemd/svc-dht.conf").read_text()
    lines = re.findall(r"^#?(RON_\w+)=(.*)$", sample, re.M)
    hold(len(lines) >= 3, "svc-dht.conf: no settings")
    live, defaults = settings(dict(lines)), settings({})
    for name, value in lines:
        hold(live.get(name, {}).get("value") == value, f"svc-dht.conf: {name} is no setting")
        hold(defaults.get(name, {}).get("value", "") in (value, ""), f"svc-dht.conf: {name}={value} is not the default")


def check_metrics():
    """What dashboard and alerts ask for is on the page, with the labels they name."""
    page, labels = set(), {}
    for line in PAGE.read_text().splitlines():
        if found := re.match(r"(\w+)(?:\{(.*)\})? ", line):
            page.add(found.group(1))
            labels.setdefault(found.group(1), {"instance", "job"}).update(re.findall(r'(\w+)="', found.group(2) or ""))
    dashboard = json.loads((ROOT / "deploy/grafana/svc-dht.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    rules = yaml.safe_load((ROOT / "deploy/prometheus/svc-dht.rules.yml").read_text())
    asked += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    for expression in asked:
        for name, matchers in re.findall(r"\b((?:dht|overlay|process)_\w+)(?:\{(.*?)\})?", expression):
            hold(name in page, f"no metric {name}, which is asked for in: {expression}")
            unknown = set(re.findall(r"(\w+)=", matchers)) - labels.get(name, set())
            hold(not unknown, f"{name} has no label {unknown}")
    runbooks = (ROOT / "docs/OPERATIONS.md").read_text().lower()
    for group in rules["groups"]:
        for rule in group["rules"]:
            hold(f"### {rule['alert'].lower()}\n" in runbooks, f"no runbook for {rule['alert']}")
    print(f"  deploy: {len(asked)} expressions, {len(page)} metrics")


check_container()
check_kubernetes()
check_systemd()
check_metrics()
for fault in faults:
    print(f"  {fault}", file=sys.stderr)
sys.exit(1 if faults else 0)
