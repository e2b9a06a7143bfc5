#!/usr/bin/env python3
"""loadgate against something real: Locust from PyPI, the demo services, and every way in which a load test can end.

    tests/loadtest/run.py --loadgate target/debug/loadgate [--image IMAGE] [--work DIR]

Needs Python 3.11 or newer and PyPI; loopback only. With --image (one made from docker/Dockerfile.locust) the container engine is
tried too; LOADGATE_DOCKER names what behaves like docker. Takes some six minutes: what asks only how a run ends goes on in two
lanes, what asks how fast it was has the machine for itself.
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
import threading
import time
import urllib.request
from concurrent import futures

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "demo-services"
LOCUST = "2.47.0"
CONFIG = """\
version: 1
profiles:
  steady: { users: 6, duration: 20s, warm_up: 3s }
  doomed: { users: 4, duration: 60s, abort_on: "error_rate > 50% for 3s" }
"""


# One at a time: Locust's masters all listen on one port, and a hundred users are a load for a small machine.
ALONE = threading.Lock()
# A secret of the caller, which no load test asked for.
SECRET = {"SECRET_TOKEN": "hunter2"}


class Failed(Exception):
    """A promise was not kept."""


def say(*words):
    print(*words, flush=True)


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
    """A folder with the demo's load test, and loadgate at work in it."""

    def __init__(self, loadgate, work, locust=None, image=None, user=None):
        self.loadgate, self.work, self.image = loadgate, work, image
        self.variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("LOADGATE_", "GITHUB_", "INPUT_"))},
            **SECRET,
            "LOADGATE_LOCUST": str(locust or "nonesuch"),
            "LOADGATE_DOCKER": os.environ.get("LOADGATE_DOCKER", "docker"),
        }
        self.how = {"cwd": work, "env": self.variables, "text": True}
        shutil.copy(DEMO / "locustfile.py", work / "locustfile.py")
        (work / "loadgate.yml").write_text(CONFIG)
        if user is not None:
            os.chown(work, user, user)
            self.how.update(user=user, group=user, extra_groups=[])

    def words(self, out, host, *options):
        return [self.loadgate, "run", "--host", host, "-o", out, "--report-dir", f"{out}/report", *options]

    def run(self, out, host, *options):
        """`loadgate run` to its end."""
        return subprocess.run(self.words(out, host, *options), capture_output=True, timeout=180, **self.how)

    def start(self, out, host, *options):
        return subprocess.Popen(self.words(out, host, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **self.how)

    def command(self, *words):
        return subprocess.run([self.loadgate, *words], capture_output=True, timeout=60, **self.how)

    def docker(self, *words):
        """What the container engine answers."""
        words = [self.variables["LOADGATE_DOCKER"], *words]
        return subprocess.run(words, capture_output=True, timeout=60, check=True, **self.how).stdout

    def pull(self):
        """The image may still be in the making."""
        words = [self.variables["LOADGATE_DOCKER"], "image", "inspect", self.image]
        is_there = lambda: subprocess.run(words, capture_output=True, check=False, **self.how).returncode == 0
        wait_for(f"the image {self.image}", is_there, 300)

    def owner(self):
        return self.how.get("user", os.getuid()), self.how.get("group", os.getgid())

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
    with services() as host:
        for processes in ("1", "2"):
            for profile, scale in (("baseline", "0.05"), ("progressive", "0.015")):
                out = f"{engine}-{profile}-{processes}"
                options = ["--profile", profile, "--scale", scale, "--processes", processes, *container(bench, engine)]
                before = answered(host)
                with contextlib.nullcontext() if (profile, processes) == ("baseline", "1") else ALONE:
                    ran = bench.run(out, host, *options)
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
                check_counts(bench, out, execution, answered(host) - before)
                say(f"  {out}: {judged} requests judged")


def container(bench, engine="docker"):
    return ["--engine", "docker", "--image", bench.image] if engine == "docker" else []


def answered(host):
    """How many requests the services have answered."""
    with urllib.request.urlopen(f"{host}/answered", timeout=10) as answer:
        return sum(json.load(answer).values())


def check_counts(bench, out, execution, served):
    """Our count of every request is that of the services, and Locust's own."""
    (stats,) = (name for name in execution["files"] if name.endswith(".json"))
    theirs = sum(entry["num_requests"] for entry in bench.json(f"{out}/{stats}"))
    ours = 0
    files = [name for name in execution["files"] if "_events_" in name]
    for name in files:
        for line in (bench.work / out / name).read_text().splitlines():
            ours += sum(row["requests"] for row in json.loads(line).get("rows", []))
    expect(f"{out}: {served} requests were answered, we counted {ours}", abs(served - ours) <= served * 0.01)
    # A master waits half a second for the last words of its workers, which on a busy machine is too short.
    least = 0.99 if len(files) == 1 else 0
    expect(f"{out}: Locust counted {theirs} requests, we {ours}", ours * least <= theirs <= ours * 1.01)


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
            say(f"  unchanged: {verdict}")
            expect("an unchanged run never fails", ran.returncode == 0 and bench.rows(f"same-{attempt}", "fail") == [], ran)
            if verdict == "pass":
                break
            # A neighbour on the machine may blur one run; the gate says so instead of guessing.
            expect("an unchanged run passes", verdict == "inconclusive" and attempt < 3, ran)
    with services("--times", "2", "--slow", "/query=1.6") as host:
        ran = bench.run("slow", host, "--profile", "steady")
        failed = bench.rows("slow", "fail")
        say(f"  slow /query: {failed}")
        expect("a slow endpoint blocks", ran.returncode == 1, ran)
        expect(f"and no other does: {failed}", {row.rsplit(" ", 1)[0] for row in failed} == {"POST /query"}, ran)
    with services("--times", "2", "--fail", "/execute=0.3") as host:
        ran = bench.run("broken", host, "--profile", "steady")
        failed = bench.rows("broken", "fail")
        say(f"  broken /execute: {failed}")
        expect("a broken endpoint blocks", ran.returncode == 1, ran)
        expect(f"by its error rate alone: {failed}", failed == ["POST /execute error_rate"], ran)


def events(bench, out):
    return sorted(glob.glob(f"{out}/*_events_*.ndjson", root_dir=bench.work))


def has_lines(bench, out, number):
    """Whether a run has gone on for some seconds."""
    return any((bench.work / name).read_text().count("\n") > number for name in events(bench, out))


def killed(bench, out, kill, words, *options):
    """Locust is killed; what was measured until then is kept, and nobody calls it complete."""
    with services() as host:
        process = bench.start(out, host, "--profile", "steady", *options)
        wait_for("requests", lambda: has_lines(bench, out, 6))
        kill(*events(bench, out))
        stdout, stderr = process.communicate(timeout=60)
    expect(f"a killed run cannot tell: {process.returncode}\n{stdout}\n{stderr}", process.returncode == 3)
    expect(f"it says so:\n{stderr}", "cut short after" in stderr and words in stderr)
    run = bench.inspected(out)
    expect("it keeps what it measured", run["complete"] is False and run["total"]["requests"] > 20)
    expect("its execution says so", "cut short" in bench.json(f"{out}/execution.json")["problem"])
    report = bench.json(f"{out}/report/report.json")
    expect(f"and is not judged: {report['verdict']}", report["verdict"] in ("inconclusive", "no_baseline"))
    say(f"  {out}: {stderr.strip().splitlines()[0]}")


def interrupted(bench, out, *options):
    """Somebody cancels the job."""
    with services() as host:
        process = bench.start(out, host, "--profile", "steady", *options)
        wait_for("requests", lambda: has_lines(bench, out, 5))
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        expect(f"an interrupt is 130: {process.returncode}\n{stderr}", process.returncode == 130)
        expect(f"within the time that GitHub gives: {stderr}", time.monotonic() - asked < 10)
    expect(f"it says so:\n{stderr}", "cut short after" in stderr and "interrupted" in stderr)
    expect("it keeps what it measured", bench.inspected(out)["complete"] is False)
    say(f"  {out}: {stderr.strip().splitlines()[0]}")


def orphaned(bench, out, *options):
    """loadgate itself is killed: Locust does not go on alone."""
    with services() as host:
        process = bench.start(out, host, "--profile", "steady", *options)
        wait_for("requests", lambda: has_lines(bench, out, 5))
        process.kill()
        process.communicate(timeout=60)
        has_ended = lambda: any('"event":"end"' in (bench.work / name).read_text() for name in events(bench, out))
        wait_for("the end of Locust", has_ended, 15)
    expect("what was measured is cut short", bench.inspected(out)["complete"] is False)
    say(f"  {out}: Locust ended with loadgate")


def broken_off(bench):
    """Killed, interrupted, aborted: what was measured is kept, and nobody calls it complete."""
    locust = lambda name: os.kill(int(name.rsplit("_", 1)[1].split(".")[0]), signal.SIGKILL)
    killed(bench, "killed", locust, "signal 9")
    orphaned(bench, "orphaned")
    with ALONE:
        interrupted(bench, "interrupted", "--processes", "2")
    with services("--fail", "/query=1", "--fail", "/index=1", "--fail", "/execute=1", "--fail", "/health=1") as host:
        ran = bench.run("aborted", host, "--profile", "doomed")
        expect("an aborted run says why", "aborted: error rate" in ran.stderr and ran.returncode in (1, 3), ran)
        say(f"  aborted: {ran.stderr.strip().splitlines()[0]}")


# What a load test finds where it runs.
INSIDE = """\
import json, os, pathlib
from locust import HttpUser, task

def writes(folder):
    try:
        pathlib.Path(folder, "note").write_text("")
        return True
    except OSError:
        return False

facts = {
    "user": os.getuid(),
    "group": os.getgid(),
    "variables": dict(os.environ),
    "writes": [folder for folder in ("/mnt/locust", "/mnt/loadgate", "/mnt/out") if writes(folder)],
    "processes": pathlib.Path("/proc/1/cmdline").read_text().split(chr(0)),
}
pathlib.Path("/mnt/out/facts.json").write_text(json.dumps(facts))

class Client(HttpUser):
    @task
    def health(self):
        self.client.get("/health")
"""


def contained(bench):
    """What the container engine promises beyond what the host does."""
    ours = lambda: bench.docker("ps", "--all", "--filter", "label=dev.loadgate.out", "--format", "{{.Names}}").split()
    bench.variables["WANTED"] = "yes"
    (bench.work / "inside.py").write_text(INSIDE)
    # Two that an earlier loadgate left: one is dead (no process has this number), of the other we say it is we.
    out = bench.work / "inside"
    out.mkdir()
    os.chown(out, *bench.owner())
    for number in (0x7FFFFFFF, os.getpid()):
        name = ["--name", f"loadgate-left-{number}", "--label", f"dev.loadgate.out={out}"]
        bench.docker("run", "--detach", *name, "--entrypoint", "sleep", bench.image, "300")
    try:
        with services() as host:
            options = ["--users", "2", "--duration", "4s", "--locustfile", "inside.py", "--env", "WANTED", "--no-check"]
            ran = bench.run("inside", host, *options, *container(bench))
        expect("it ends well", ran.returncode == 0, ran)
        expect(f"of two containers the orphan is removed: {ours()}", ours() == [f"loadgate-left-{os.getpid()}"])
    finally:
        bench.docker("rm", "--force", f"loadgate-left-{os.getpid()}")
    facts = bench.json("inside/facts.json")
    expect(f"Locust is its caller: {facts}", (facts["user"], facts["group"]) == bench.owner())
    expect("so are its results", {path.stat().st_uid for path in out.iterdir()} == {bench.owner()[0]})
    expect(f"it writes results alone: {facts['writes']}", facts["writes"] == ["/mnt/out"])
    variables = facts["variables"]
    expect(f"it sees what is allowed: {variables}", variables.get("WANTED") == "yes" and not SECRET.items() & variables.items())
    expect(f"an init reaps what Locust leaves: {facts['processes']}", "locust" not in facts["processes"][0])
    say(f"  inside: user {facts['user']}, writes {facts['writes']}, {len(variables)} variables")

    of = lambda out: bench.docker("ps", "--filter", f"label=dev.loadgate.out={bench.work / out}", "--format", "{{.Names}}").split()
    killed(bench, "contained-killed", lambda *_: bench.docker("kill", *of("contained-killed")), "exit code 137", *container(bench))
    interrupted(bench, "contained-interrupted", *container(bench))
    orphaned(bench, "contained-orphaned", *container(bench))
    wait_for("the removal of every container", lambda: ours() == [])


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
        say(f"  {name}: {ran.stderr.strip().splitlines()[0]}")
    ran = bench.run("down", "http://127.0.0.1:9", "--users", "1", "--duration", "3s")
    expect("a target that is down", ran.returncode == 2 and "nothing answers at http://127.0.0.1:9" in ran.stderr, ran)
    say(f"  down: {ran.stderr.strip().splitlines()[0]}")


BURN = """\
import time
from locust import User, task, constant

class Client(User):
    wait_time = constant(0)

    @task
    def burn(self):
        began = time.time()
        while time.time() < began + 0.02:
            pass
        told = {"response_time": 20, "response_length": 0, "exception": None, "context": {}, "start_time": began}
        self.environment.events.request.fire(request_type="GET", name="/", **told)
        time.sleep(0)
"""


def saturated(bench):
    """A generator that has no time left measures itself, and nobody can tell."""
    (bench.work / "burn.py").write_text(BURN)
    results = ["--suite", "burn"]
    for number in (1, 2):
        out = f"burn-{number}"
        options = ["--users", "2", "--duration", "8s", "--locustfile", "burn.py", *results]
        with ALONE:
            ran = bench.command("run", "-o", out, "--report-dir", f"{out}/report", *options)
        (suite,) = bench.json(f"{out}/report/report.json")["suites"]
        said = [notice["message"] for notice in suite["notices"] + suite["run"]["notices"] if notice["code"] == "generator_saturated"]
        expect(f"{out}: it is said: {suite['notices']}", said and "saturated" in ran.stdout + ran.stderr, ran)
        if number == 1:
            ran = bench.command("baseline", "add", *events(bench, out), *results)
            expect("such a run is no baseline, or one that is marked", ran.returncode in (0, 2), ran)
        say(f"  {out}: {suite['verdict']}: {said[0]}")


def workers(bench):
    """A worker that was started elsewhere and knows nothing of loadgate."""
    with services() as host, ALONE:
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
        say(f"  workers: {run['total']['requests']} requests")


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
    parser.add_argument("--work", type=pathlib.Path, help="a folder of its own, emptied first, to leave everything in")
    parser.add_argument("--user", type=int, help="whose results a container writes, if we are root; needs an engine that serves them")
    parser.add_argument("--only", action="append", help="the name of a part")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        temporary = lambda: pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loadtest-"))).resolve()
        work = (arguments.work or temporary()).absolute()
        work.mkdir(parents=True, exist_ok=True)
        # What an earlier try left would be taken for results; Locust may stay.
        for left in work.iterdir():
            if left.name != "venv":
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        locust = (arguments.locust or install(work)).absolute()
        # What else runs on this machine is not what is measured.
        with contextlib.suppress(OSError):
            os.nice(-20)
        host = Bench(arguments.loadgate.absolute(), work, locust)
        first = {"nothing_measured": lambda: nothing_measured(host), "host": lambda: profiles(host, "host"), "saturated": lambda: saturated(host), "workers": lambda: workers(host)}
        second = {"broken_off": lambda: broken_off(host)}
        if arguments.image:
            # A folder that another user can reach.
            folder = temporary()
            folder.chmod(0o755)
            docker = Bench(shutil.copy(arguments.loadgate, folder / "loadgate"), folder, image=arguments.image, user=arguments.user)
            second |= {"image": docker.pull, "docker": lambda: profiles(docker, "docker"), "contained": lambda: contained(docker)}
        else:
            say("docker: not tried, there is no --image")

        def run(parts):
            for name, part in parts.items():
                if not arguments.only or name in arguments.only:
                    began = time.monotonic()
                    say(f"{name}:")
                    part()
                    say(f"{name}: ok, {time.monotonic() - began:.0f} s")

        with futures.ThreadPoolExecutor() as lanes:
            for lane in [lanes.submit(run, first), lanes.submit(run, second)]:
                lane.result()
        run({"gate": lambda: gate(host)})


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"FAILED: {failed}")
