#!/usr/bin/env python3
"""CPU of long histories: `python3 benches/history.py target/release/loadgate`. Fails beyond twice a goal.

The lines are those that the Action writes: six figures of each endpoint, from a seeded generator.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

ROUNDS = 5


def write(folder: Path, runs: int, endpoints: int) -> Path:
    random.seed(1)
    folder.mkdir()
    start = datetime(2025, 1, 1)
    with (folder / "default.jsonl").open("w") as out:
        for run in range(runs):
            figures = {}
            for at in range(endpoints):
                # Every fifth endpoint has a change of level in the last thirty runs.
                level = (50 + 3 * at) * (1.3 if at % 5 == 0 and run > runs - 30 else 1) * random.uniform(0.97, 1.03)
                figures[f"GET /api/v1/things/{at}"] = {
                    "error_rate": 0.002 if random.random() < 0.2 else 0,
                    "latency_p50": round(level, 3),
                    "latency_p95": round(level * 2.1, 3),
                    "latency_p99": round(level * 3.2, 3),
                    "requests": 3000,
                    "throughput": round(random.uniform(20, 21), 4),
                }
            line = {
                "schema": "loadgate.history/1",
                "time": (start + timedelta(hours=12 * run)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "commit": f"{run:040x}",
                "ref": "main",
                "workflow_run_id": run + 1,
                "verdict": "pass",
                "load": {},
                "endpoints": figures,
            }
            out.write(json.dumps(line, separators=(",", ":")) + "\n")
    return folder


def measure(command: list[str], folder: Path) -> tuple[float, float]:
    """Seconds of CPU and of the clock."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    assert status == 0, command
    return usage.ru_utime + usage.ru_stime, wall


def main() -> int:
    binary = str(Path(sys.argv[1]).resolve())
    late = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        long, wide = write(folder / "long", 1_000, 20), write(folder / "wide", 400, 50)
        for title, command, goal in [
            ("list 1,000 runs of 20 endpoints", ["history", "list", "--history", str(long)], 0.020),
            ("prune 1,000 runs of 20 endpoints", ["history", "prune", "--keep", "1000", "--history", str(long)], 0.020),
            ("pages of 400 runs of 50 endpoints", ["site", "site", "--history", str(wide)], 1.0),
        ]:
            cpu, wall = zip(*(measure([binary, *command], folder) for _ in range(ROUNDS)))
            middle = statistics.median(cpu)
            print(f"{title}: {middle * 1e3:.0f} ms of CPU ({statistics.median(wall) * 1e3:.0f} ms by the clock), goal {goal * 1e3:.0f}")
            if middle > 2 * goal:
                late.append(title)
    if late:
        print("\n".join(f"beyond twice the goal: {title}" for title in late))
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
