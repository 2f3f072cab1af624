// RO:WHAT  The page at GET / of the admin port. Made by scripts/gen/page.py out of web/page.html: edit that.
// RO:WHY   One self-contained text in the binary: nothing to install, nothing fetched from elsewhere.
// RO:TEST  scripts/live/page.sh
// swift-format-ignore-file

enum DashboardPage {
    static let html: StaticString = #"""
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>svc-dht</title>
<link rel="icon" href="data:,">
<style>
:root {
  color-scheme: light dark;
  --back: light-dark(#f6f7f9, #14171c); --card: light-dark(#fff, #1d2128); --text: light-dark(#1b1f26, #e4e7ec);
  --dim: light-dark(#5c6675, #98a2b3); --line: light-dark(#dfe3e8, #2d333d); --bar: light-dark(#2f6fdb, #6ea0ff);
  --good: light-dark(#14803c, #4cc977); --bad: light-dark(#c02b2b, #ff7b72);
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 14px/1.45 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: .4rem 1rem; align-items: baseline; padding: 1rem 1.25rem .25rem; }
h1 { font-size: 1.2rem; margin: 0; }
h2 { font-size: .78rem; margin: 0 0 .6rem; color: var(--dim); text-transform: uppercase; letter-spacing: .05em; }
code, .mono { font-family: ui-monospace, monospace; font-size: .92em; }
.dim { color: var(--dim); } .good { color: var(--good); } .bad { color: var(--bad); }
main { display: grid; gap: 1rem; padding: 1rem 1.25rem; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); }
section { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .9rem 1rem; min-width: 0; }
.wide { grid-column: 1 / -1; }
.scroll { overflow-x: auto; max-height: 24rem; overflow-y: auto; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 500; color: var(--dim); }
th, td { padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.pill { border: 1px solid currentColor; border-radius: 1rem; padding: 0 .6rem; font-weight: 600; }
ul { list-style: none; margin: 0; padding: 0; } li { padding: .15rem 0; }
.bucket { display: grid; grid-template-columns: 3rem 1fr 5rem; gap: .6rem; align-items: center; margin: .15rem 0; }
.fill { height: .8rem; background: var(--line); border-radius: .2rem; overflow: hidden; }
.fill > div { height: 100%; background: var(--bar); }
#stale { display: none; background: var(--bad); color: #fff; padding: .4rem 1.25rem; }
</style>
<div id="stale" role="status">No answer from the node: what is shown here is old.</div>
<header>
  <h1>svc-dht</h1> <span id="ready" class="pill">…</span>
  <span class="dim" id="build"></span> <code class="dim" id="id"></code> <span class="dim" id="uptime"></span>
</header>
<main>
  <section><h2>Readiness</h2><ul id="gates"></ul></section>
  <section><h2>Rates</h2><table id="rates"></table></section>
  <section><h2>Latency <span class="dim">(of the last minute, else since the start)</span></h2><table id="latency"></table></section>
  <section><h2>Sessions and queues</h2><div class="scroll"><table id="sessions"></table></div></section>
  <section class="wide"><h2>Routing table <span id="contacts" class="dim"></span></h2><div id="buckets"></div></section>
  <section class="wide"><h2>Peers</h2><div class="scroll"><table id="peers"></table></div></section>
  <section class="wide"><h2>Last calls</h2><div class="scroll"><table id="recent"></table></div></section>
</main>
<script>
"use strict";
const POLL_MS = 2000, WINDOW = 30;
const $ = (id) => document.getElementById(id);
const history = [];

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// Cells are text, or elements; what a peer said never becomes markup.
function table(id, heads, rows, empty) {
  const head = element("tr");
  for (const name of heads) head.append(element("th", name.replace("#", ""), name[0] === "#" ? "number" : ""));
  const lines = rows.map((cells) => {
    const row = element("tr");
    cells.forEach((cell, place) => {
      const made = element("td", undefined, heads[place][0] === "#" ? "number" : "");
      made.append(cell);
      row.append(made);
    });
    return row;
  });
  if (!rows.length) {
    const cell = element("td", empty, "dim");
    cell.colSpan = heads.length;
    const row = element("tr");
    row.append(cell);
    lines.push(row);
  }
  $(id).replaceChildren(head, ...lines);
}

const short = (id) => { const made = element("code", id.slice(0, 12) + "…"); made.title = id; return made; };
const milliseconds = (ms) => ms === null ? "—" : ms < 10 ? ms.toFixed(2) + " ms" : Math.round(ms) + " ms";
function since(seconds) {
  if (seconds < 60) return Math.round(seconds) + " s";
  if (seconds < 3600) return Math.floor(seconds / 60) + " min";
  return seconds < 172800 ? (seconds / 3600).toFixed(1) + " h" : Math.floor(seconds / 86400) + " days";
}
function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let place = 0;
  while (count >= 1024 && place < 3) { count /= 1024; place++; }
  return (place ? count.toFixed(1) : count) + " " + units[place];
}

// The bound under which `share` of the observations lie, interpolated within its bucket, in ms; null for none.
function percentile(bounds, counts, share) {
  const total = counts.reduce((a, b) => a + b, 0);
  if (!total) return null;
  let below = 0;
  for (let i = 0; i < bounds.length; i++) {
    if (below + counts[i] >= share * total) {
      const from = i ? bounds[i - 1] : 0;
      return 1000 * (from + (bounds[i] - from) * (share * total - below) / counts[i]);
    }
    below += counts[i];
  }
  return 1000 * bounds[bounds.length - 1];
}

function showReadiness(report) {
  $("ready").textContent = report.ready ? "ready" : "not ready";
  $("ready").className = "pill " + (report.ready ? "good" : "bad");
  document.title = (report.ready ? "● " : "○ ") + "svc-dht";
  $("gates").replaceChildren(...Object.entries(report.gates).map(([name, open]) => {
    const line = element("li");
    const numbers = Object.entries(report.detail[name] || {}).map(([key, value]) => key + " " + value).join(", ");
    line.append(element("b", open ? "✓ " : "✗ ", open ? "good" : "bad"), name, " ", element("span", numbers, "dim"));
    return line;
  }));
}

function showStats(stats) {
  history.push({ at: performance.now(), calls: stats.calls, latency: stats.latency });
  if (history.length > WINDOW) history.shift();
  const first = history[0], last = history[history.length - 1];
  const seconds = (last.at - first.at) / 1000;
  $("id").textContent = stats.id.slice(0, 16) + "…";
  $("id").title = stats.id;
  $("uptime").textContent = "up " + since(stats.uptime_secs) + (stats.home ? ", at " + stats.home : ", at no overlay");
  const rate = (name) => seconds ? ((last.calls[name] - first.calls[name]) / seconds).toFixed(1) + " /s" : "—";
  table("rates", ["", "#now", "#in all"],
    ["puts", "gets", "found", "provides", "lookups", "timeouts"].map((name) => [name, rate(name), String(stats.calls[name])]));
  table("latency", ["", "#p50", "#p90", "#p99"], ["get", "put", "lookup"].map((name) => {
    const now = last.latency[name], then = first.latency[name];
    const recent = now.counts.map((count, i) => count - then.counts[i]);
    const counts = recent.some((count) => count) ? recent : now.counts;
    return [name, ...[0.5, 0.9, 0.99].map((share) => milliseconds(percentile(now.bounds, counts, share)))];
  }));
  table("sessions", ["overlay", "state", "#queue"], stats.sessions.map((session) => [
    session.peer, element("span", session.open ? (session.kept ? "open, kept" : "open") : "down", session.open ? "" : "bad"),
    session.tx_depth + " / 128"]).concat([
    [element("span", "through the own switch", "dim"), String(stats.queues.switch_sessions) + " open", ""],
    [element("span", "records", "dim"), String(stats.records.count), bytes(stats.records.memory_bytes)],
    [element("span", "frames dropped", "dim"), String(stats.queues.tx_dropped), ""]]));
  table("recent", ["call", "key", "outcome", "#hops", "#took", "#ago", ""], stats.recent.map((call) => {
    const link = element("a", "explain");
    link.href = "/dht/explain/" + call.key;
    return [call.op, short(call.key), call.outcome, String(call.hops), milliseconds(call.elapsed_ms),
      since(call.secs_ago), link];
  }), "No call has ended yet.");
}

function showRouting(routing) {
  $("contacts").textContent = routing.contacts + " contacts, k = " + routing.k
    + ", about " + routing.network_size_estimate + " nodes in the network";
  $("buckets").replaceChildren(...routing.buckets.map((bucket) => {
    const row = element("div", undefined, "bucket"), fill = element("div", undefined, "fill"), bar = element("div");
    bar.style.width = 100 * bucket.count / routing.k + "%";
    fill.append(bar);
    const label = element("span", bucket.prefix, "number dim");
    label.title = bucket.prefix + " bits shared with the own id";
    row.append(label, fill, element("span", bucket.count + (bucket.spares ? " + " + bucket.spares : ""), "dim"));
    return row;
  }));
  const peers = routing.buckets.flatMap((bucket) => bucket.peers.map((peer) => [bucket.prefix, peer]));
  table("peers", ["id", "overlay", "#bits shared", "#rtt", "#seen", "#unanswered"], peers.map(([prefix, peer]) => [
    short(peer.id), peer.endpoint, String(prefix), milliseconds(peer.rtt_ms), since(peer.seen_secs_ago) + " ago",
    String(peer.failures)]), "No peer is known yet.");
  document.body.dataset.peers = routing.contacts;
}

async function poll() {
  try {
    const ask = (path) => fetch(path, { cache: "no-store", signal: AbortSignal.timeout(5000) }).then((reply) => reply.json());
    // Asked as JSON whatever its status: 503 is an answer too.
    const [gates, stats, routing] = await Promise.all([ask("/readyz"), ask("/dht/stats"), ask("/dht/routing")]);
    showReadiness(gates);
    showStats(stats);
    showRouting(routing);
    $("stale").style.display = "none";
  } catch (error) {
    $("stale").style.display = "block";
  }
  setTimeout(poll, document.hidden ? 5 * POLL_MS : POLL_MS);
}

fetch("/version").then((reply) => reply.json()).then((build) => {
  $("build").textContent = build.version + " (git " + build.git + ")";
}).catch(() => {});
poll();
</script>
</html>
"""#
}
