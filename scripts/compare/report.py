"""Figures as a table with ratios, and as JSON."""

import json
import os
import platform
import time

COLUMNS = ("svc-dht", "libtorrent", "OpenDHT", "redis", "nats-server")
OWN = "svc-dht"
# Rows that say what was compared; no ratio is taken of them.
FACTS = ("contacts", "succeeded", "named", "bytes of an answer")


class Report:
    def __init__(self):
        self.rows = {}
        self.machine = {
            "when": time.strftime("%Y-%m-%d %H:%M:%S"),
            "kernel": platform.release(),
            "cores": os.cpu_count(),
            "load_before": os.getloadavg()[0],
        }

    def add(self, row, title, value):
        # The switch stands in svc-dht's column.
        self.rows.setdefault(row, {})[OWN if title == "svc-overlay" else title] = value

    def ratio(self, row):
        """svc-dht's figure over the best other one; below 1 it is ahead."""
        figures = self.rows[row]
        others = [value for title, value in figures.items() if title != OWN]
        if OWN not in figures or not others or any(fact in row for fact in FACTS):
            return None
        return figures[OWN] / min(others)

    def table(self):
        head = ["work", *COLUMNS, "svc-dht / best"]
        lines = [head, ["---"] + ["---:"] * (len(head) - 1)]
        for row, figures in self.rows.items():
            ratio = self.ratio(row)
            cells = [number(figures.get(title)) for title in COLUMNS]
            lines.append([row, *cells, "" if ratio is None else f"{ratio:.2f}"])
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    def json(self):
        rows = {
            row: {"figures": figures, "ratio_to_best": self.ratio(row)} for row, figures in self.rows.items()
        }
        return json.dumps({"machine": self.machine, "rows": rows}, indent=2)


def number(value):
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
