#!/usr/bin/env python3
"""loadgate against something real: Locust from PyPI, the demo services, and every way in which a load test can end.

    tests/loadtest/run.py --loadgate target/debug/loadgate [--image IMAGE] [--work DIR]

Needs Python 3.11 or newer and PyPI; loopback only. With --image (one made from docker/Dockerfile.locust) the container engine is
tried too; LOADGATE_DOCKER names what behaves like docker. Takes some four minutes.
"""

import argparse
import contextlib
import glob
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "demo-services"
LOCUST = "2.47.0"
CONFIG = """\
version: 1
profiles:
  steady: { users: 6, duration: 20s, warm_up: 3s }
  doomed: { users: 4, duration: 60s, abort_on: "error_rate > 50% for 3s" }
"""


class Failed(Exception):
    """A promise was not kept."""


def expect(what, condition, ran=None):
    if not condition:
        raise Failed(what + (f"\n--- exit {ran.returncode}\n{ran.stdout}\n{ran.stderr}" if ran else ""))


@contextlib.contextmanager
def services(*options):
    """The demo services, and where they are."""
    words = [sys.executable, DEMO / "services.py", "--port", "0", *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


class Bench:
    def __init__(self, loadgate, work, locust, image):
        self.loadgate, self.work, self.image = loadgate, work, image
        self.variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("LOADGATE_", "GITHUB_", "INPUT_"))},
            "LOADGATE_LOCUST": str(locust),
            "LOADGATE_DOCKER": os.environ.get("LOADGATE_DOCKER", "docker"),
        }
        shutil.copy(DEMO / "locustfile.py", work / "locustfile.py")
        (work / "loadgate.yml").write_text(CONFIG)

    def words(self, out, host, *options):
        return [self.loadgate, "run", "--host", host, "-o", out, "--report-dir", f"{out}/report", *options]

    def run(self, out, host, *options):
        """`loadgate run` to its end."""
        words = self.words(out, host, *options)
        return subprocess.run(words, cwd=self.work, env=self.variables, capture_output=True, text=True, timeout=180)

    def start(self, out, host, *options):
        words = self.words(out, host, *options)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(words, cwd=self.work, env=self.variables, **pipes)

    def command(self, *words):
        words = [self.loadgate, *words]
        return subprocess.run(words, cwd=self.work, env=self.variables, capture_output=True, text=True, timeout=60)

    def json(self, name):
        return json.loads((self.work / name).read_text())

    def inspected(self, out):
        """The one run that was measured."""
        ran = self.command("inspect", "--format", "json", *sorted(glob.glob(f"{out}/*_events_*.ndjson", root_dir=self.work)))
        expect("the results can be read", ran.returncode == 0, ran)
        (run,) = json.loads(ran.stdout)["runs"]
        return run

    def rows(self, out, status):
        """`endpoint metric` of the rows with this status."""
        (suite,) = self.json(f"{out}/report/report.json")["suites"]
        return sorted(f"{row['endpoint']} {row['metric']}" for row in suite["rows"] if row["status"] == status)


def wait_for(what, condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"waited {seconds} s in vain for {what}")
        time.sleep(0.2)


# --- what is tried ---


def profiles(bench, engine):
    """Both profiles, small, with one process and with two."""
    more = ["--engine", "docker", "--image", bench.image] if engine == "docker" else []
    with services() as host:
        for processes in ("1", "2"):
            for profile, scale in (("baseline", "0.1"), ("progressive", "0.015")):
                out = f"{engine}-{profile}-{processes}"
                ran = bench.run(out, host, "--profile", profile, "--scale", scale, "--processes", processes, *more)
                expect(f"{out} ends well", ran.returncode == 0, ran)
                execution = bench.json(f"{out}/execution.json")
                expect(f"{out} is complete", execution["complete"] and execution["engine"] == engine, ran)
                for ending in ("_stats.csv", "_stats_history.csv", "_failures.csv", "_exceptions.csv", ".json", ".html", ".log"):
                    expect(f"{out} has its {ending}", any(name.endswith(ending) for name in execution["files"]), ran)
                run = bench.inspected(out)
                expect(f"{out} knows its machine", run["environment"].get("locust") == LOCUST, ran)
                stages = {endpoint["name"].partition(" ")[2] for endpoint in run["endpoints"]}
                wanted = {""} if profile == "baseline" else {"at 10 users", "at 50 users", "at 100 users"}
                expect(f"{out} has its stages: {stages}", stages == wanted)
                judged = sum(endpoint["requests"] for endpoint in run["endpoints"])
                counted = sum(1 for name in execution["files"] if "_events_" in name)
                expect(f"{out} has {counted} files", counted == (1 if processes == "1" else 3))
                expect(f"{out}: {judged} requests", judged > (5 if profile == "baseline" else 100))
                check_against_locust(bench, out, execution)
                print(f"  {out}: {judged} requests judged", flush=True)


def check_against_locust(bench, out, execution):
    """Our count of every request is Locust's own."""
    (stats,) = (name for name in execution["files"] if name.endswith(".json"))
    theirs = sum(entry["num_requests"] for entry in bench.json(f"{out}/{stats}"))
    ours = 0
    for name in execution["files"]:
        if "_events_" in name:
            for line in (bench.work / out / name).read_text().splitlines():
                ours += sum(row["requests"] for row in json.loads(line).get("rows", []))
    expect(f"{out}: Locust counted {theirs} requests, we {ours}", abs(theirs - ours) <= theirs * 0.01)


def gate(bench):
    """A baseline of three runs; then an unchanged run, a slow one and a broken one."""
    with services("--times", "2") as host:
        for number in (1, 2, 3):
            ran = bench.run(f"base-{number}", host, "--profile", "steady", "--no-check")
            expect("a baseline run ends well", ran.returncode == 0, ran)
            ran = bench.command("baseline", "add", *events(bench, f"base-{number}"))
            expect("it becomes part of the baseline", ran.returncode == 0, ran)
        for attempt in (1, 2, 3):
            ran = bench.run(f"same-{attempt}", host, "--profile", "steady")
            verdict = bench.json(f"same-{attempt}/report/report.json")["verdict"]
            print(f"  unchanged: {verdict}", flush=True)
            expect("an unchanged run never fails", ran.returncode == 0 and bench.rows(f"same-{attempt}", "fail") == [], ran)
            if verdict == "pass":
                break
            # A neighbour on the machine may blur one run; the gate says so instead of guessing.
            expect("an unchanged run passes", verdict == "inconclusive" and attempt < 3, ran)
    with services("--times", "2", "--slow", "/query=1.6") as host:
        ran = bench.run("slow", host, "--profile", "steady")
        failed = bench.rows("slow", "fail")
        print(f"  slow /query: {failed}", flush=True)
        expect("a slow endpoint blocks", ran.returncode == 1, ran)
        expect(f"and no other does: {failed}", {row.rsplit(" ", 1)[0] for row in failed} == {"POST /query"}, ran)
    with services("--times", "2", "--fail", "/execute=0.3") as host:
        ran = bench.run("broken", host, "--profile", "steady")
        failed = bench.rows("broken", "fail")
        print(f"  broken /execute: {failed}", flush=True)
        expect("a broken endpoint blocks", ran.returncode == 1, ran)
        expect(f"by its error rate alone: {failed}", failed == ["POST /execute error_rate"], ran)


def events(bench, out):
    return sorted(glob.glob(f"{out}/*_events_*.ndjson", root_dir=bench.work))


def broken_off(bench):
    """Killed, interrupted, aborted: what was measured is kept, and nobody calls it complete."""
    with services() as host:
        process = bench.start("killed", host, "--profile", "steady")
        wait_for("requests", lambda: any((bench.work / name).read_text().count("\n") > 6 for name in events(bench, "killed")))
        (name,) = events(bench, "killed")
        os.kill(int(name.rsplit("_", 1)[1].split(".")[0]), signal.SIGKILL)
        stdout, stderr = process.communicate(timeout=60)
        expect(f"a killed run cannot tell: {process.returncode}\n{stdout}\n{stderr}", process.returncode == 3)
        expect(f"it says so:\n{stderr}", "cut short after" in stderr and "signal 9" in stderr)
        run = bench.inspected("killed")
        expect("it keeps what it measured", run["complete"] is False and run["total"]["requests"] > 20)
        report = bench.json("killed/report/report.json")
        expect(f"and is not judged: {report['verdict']}", report["verdict"] in ("inconclusive", "no_baseline"))

        process = bench.start("interrupted", host, "--profile", "steady", "--processes", "2")
        wait_for("requests", lambda: any((bench.work / name).read_text().count("\n") > 5 for name in events(bench, "interrupted")))
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        expect(f"an interrupt is 130: {process.returncode}\n{stderr}", process.returncode == 130)
        expect(f"within the time that GitHub gives: {stderr}", time.monotonic() - asked < 10)
        expect("it keeps what it measured", bench.inspected("interrupted")["complete"] is False)
        print(f"  interrupted: {stderr.strip().splitlines()[0]}", flush=True)
    with services("--fail", "/query=1", "--fail", "/index=1", "--fail", "/execute=1", "--fail", "/health=1") as host:
        ran = bench.run("aborted", host, "--profile", "doomed")
        expect("an aborted run says why", "aborted: error rate" in ran.stderr and ran.returncode in (1, 3), ran)
        print(f"  aborted: {ran.stderr.strip().splitlines()[0]}", flush=True)


def nothing_measured(bench):
    """Each way to measure nothing has its own words and exit code 2."""
    files = {
        "no_host": ("from locust import HttpUser, task\nclass U(HttpUser):\n    @task\n    def t(self):\n        self.client.get('/')\n", "no host to test"),
        "idle": ("from locust import User, task, constant\nclass U(User):\n    wait_time = constant(1)\n    @task\n    def t(self):\n        pass\n", "Locust made no request"),
        "import": ("import nonesuch\n", "No module named 'nonesuch'"),
        "shape": ("from locust import HttpUser, LoadTestShape, task\nclass S(LoadTestShape):\n    def tick(self):\n        return None\nclass U(HttpUser):\n    @task\n    def t(self):\n        self.client.get('/')\n", "a load shape of its own, S"),
    }
    for name, (text, words) in files.items():
        (bench.work / f"{name}.py").write_text(text)
        options = ["--users", "1", "--duration", "3s", "--locustfile", f"{name}.py"]
        ran = bench.command("run", "-o", name, *options)
        expect(f"{name}: `{words}` and exit code 2", ran.returncode == 2 and words in ran.stderr, ran)
        print(f"  {name}: {ran.stderr.strip().splitlines()[0]}", flush=True)
    ran = bench.run("down", "http://127.0.0.1:9", "--users", "1", "--duration", "3s")
    expect("a target that is down", ran.returncode == 2 and "nothing answers at http://127.0.0.1:9" in ran.stderr, ran)
    print(f"  down: {ran.stderr.strip().splitlines()[0]}", flush=True)


def workers(bench):
    """A worker that was started elsewhere and knows nothing of loadgate."""
    with services() as host:
        process = bench.start("workers", host, "--users", "4", "--duration", "8s", "--workers", "1", "--no-check")
        words = [bench.variables["LOADGATE_LOCUST"], "-f", "-", "--worker", "--master-host", "127.0.0.1"]
        elsewhere = tempfile.mkdtemp(dir=bench.work)
        with subprocess.Popen(words, cwd=elsewhere, env=bench.variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as worker:
            try:
                stdout, stderr = process.communicate(timeout=90)
            finally:
                worker.terminate()
        expect(f"a master ends well: {process.returncode}\n{stdout}\n{stderr}", process.returncode == 0)
        run = bench.inspected("workers")
        expect("it has the worker's requests", run["complete"] is True and run["total"]["requests"] > 50)
        print(f"  workers: {run['total']['requests']} requests", flush=True)


def install(work):
    """Locust in a virtual environment of its own."""
    venv = work / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin" / "pip", "install", "--quiet", f"locust=={LOCUST}"], check=True)
    return venv / "bin" / "locust"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loadgate", type=pathlib.Path, default=ROOT / "target" / "debug" / "loadgate")
    parser.add_argument("--locust", type=pathlib.Path, help="a Locust that is there already")
    parser.add_argument("--image", help="an image of docker/Dockerfile.locust, for the container engine")
    parser.add_argument("--work", type=pathlib.Path, help="a folder to leave everything in")
    parser.add_argument("--only", action="append", help="the name of a part")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        work = arguments.work or pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        work.mkdir(parents=True, exist_ok=True)
        locust = (arguments.locust or install(work)).absolute()
        # What else runs on this machine is not what is measured.
        with contextlib.suppress(OSError):
            os.nice(-20)
        bench = Bench(arguments.loadgate.absolute(), work.absolute(), locust, arguments.image)
        parts = {
            "nothing_measured": lambda: nothing_measured(bench),
            "host": lambda: profiles(bench, "host"),
            "docker": lambda: profiles(bench, "docker"),
            "gate": lambda: gate(bench),
            "broken_off": lambda: broken_off(bench),
            "workers": lambda: workers(bench),
        }
        for name, part in parts.items():
            if arguments.only and name not in arguments.only:
                continue
            if name == "docker" and not arguments.image:
                print("docker: not tried, there is no --image", flush=True)
                continue
            began = time.monotonic()
            print(f"{name}:", flush=True)
            part()
            print(f"{name}: ok, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"FAILED: {failed}")
