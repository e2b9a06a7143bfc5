"""loadgate's plug-in for Locust: gives the load its shape and writes down what every second saw.

Loaded as one more `-f` beside the user's own locustfile, which it leaves alone. Each process writes one NDJSON file, flushed
every second, so that whatever ends the test, what was measured until then can be read. A worker on another machine has no
plan; it sends its seconds to the master, which writes them into its own file.
"""

import json
import math
import os
import platform
import re
import signal
import sys
import time

import gevent
from gevent.socket import wait_read
from locust import LoadTestShape, __version__, events, runners
from locust.runners import MasterRunner, WorkerRunner

PLAN = json.loads(os.environ.get("LOADGATE_LOCUST_PLAN", "null"))
MOST_KINDS = 50  # of errors per endpoint and second, and of exceptions per process
MOST_TEXT = 300

# A shell without job control starts its background jobs deaf to Ctrl-C, and Python keeps it so.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# A busy machine is no dead worker: three missed heartbeats are three seconds.
runners.HEARTBEAT_LIVENESS = max(runners.HEARTBEAT_LIVENESS, 15)

# The master tells its workers when the test began, so that all count the same seconds.
START = "loadgate_start"


def text_of(exception):
    """What failed, without addresses that would make every failure a kind of its own."""
    return re.sub(r"0x[0-9a-fA-F]+", "0x", repr(exception))[:MOST_TEXT]


def bucket(milliseconds):
    """Microseconds, rounded to three digits."""
    micros = int(milliseconds * 1000 + 0.5)
    step = 1
    while micros >= 1000 * step:
        step *= 10
    return (micros + step // 2) // step * step


class Seconds:
    """Requests by the second in which they began, since the last time someone took them."""

    def __init__(self):
        self.rows = {}
        self.started = None

    def add(self, began, method, name, milliseconds, exception):
        if self.started is None:
            return
        second = max(math.floor(began - self.started), 0)
        row = self.rows.get((second, method, name))
        if row is None:
            row = self.rows[(second, method, name)] = [0, {}, {}]
        row[0] += 1
        if exception is not None:
            text = text_of(exception)
            if text not in row[1] and len(row[1]) >= MOST_KINDS:
                text = "(other errors)"
            row[1][text] = row[1].get(text, 0) + 1
        if milliseconds is not None and milliseconds >= 0:
            micros = bucket(milliseconds)
            row[2][micros] = row[2].get(micros, 0) + 1

    def take(self):
        rows, self.rows = self.rows, {}
        return [
            {"second": second, "method": method, "name": name, "requests": row[0], "errors": row[1], "micros": sorted(row[2].items())}
            for (second, method, name), row in rows.items()
        ]


SECONDS = Seconds()


class Cpu:
    """How much of one core this process needs."""

    def __init__(self):
        self.last = self.now()

    @staticmethod
    def now():
        # Waiting for a core counts: starved by its neighbours, a generator is as late as one that uses all of a core.
        try:
            with open("/proc/self/schedstat", encoding="ascii") as file:
                used, waited = file.read().split()[:2]
            return time.monotonic(), (int(used) + int(waited)) / 1e9
        except (OSError, ValueError):
            return time.monotonic(), time.process_time()

    def share(self):
        """Since the last call."""
        before, self.last = self.last, self.now()
        return round((self.last[1] - before[1]) / max(self.last[0] - before[0], 1e-3), 3)


CPU = Cpu()


@events.request.add_listener
def on_request(request_type, name, response_time, exception=None, start_time=None, **_):
    began = start_time or time.time() - (response_time or 0) / 1000
    SECONDS.add(began, str(request_type or ""), str(name), response_time, exception)


@events.test_start.add_listener
def on_test_start(environment, **_):
    if SECONDS.started is None:
        SECONDS.started = time.time()
    if isinstance(environment.runner, MasterRunner):
        environment.runner.send_message(START, SECONDS.started)


def on_start_message(msg, **_):
    # The clock of another machine is not ours.
    SECONDS.started = msg.data if PLAN is not None else time.time()


if PLAN is not None:

    class LoadgateShape(LoadTestShape):
        """The stages of the plan, one after the other."""

        def tick(self):
            now = self.get_run_time()
            users = 0
            for stage in PLAN["stages"]:
                if now < stage["end"]:
                    return stage["own_users"], self.rate(abs(stage["own_users"] - users), stage)
                users = stage["own_users"]
            return None

        @staticmethod
        def rate(change, stage):
            return max(change / stage["ramp"] if stage["ramp"] > 0 else change, 0.01)


class Journal:
    """One process's file."""

    def __init__(self, environment, role):
        self.environment = environment
        path = os.path.join(os.environ["LOADGATE_LOCUST_OUT"], f"{PLAN['prefix']}_events_{os.getpid()}.ndjson")
        self.file = open(path, "w", encoding="utf-8")
        self.stopped = None
        self.exceptions = {}
        self.write({"schema": "loadgate.locust/1", "role": role, "locust": __version__, "host": host_facts(), "plan": PLAN})

    def write(self, line):
        self.file.write(json.dumps(line, separators=(",", ":")) + "\n")
        self.file.flush()

    def tick(self):
        if SECONDS.started is None:
            CPU.share()
            return
        at = time.time()
        self.write(
            {
                "event": "second",
                "started": SECONDS.started,
                "at": round(at - SECONDS.started, 3),
                "users": self.environment.runner.user_count,
                "cpu": CPU.share(),
                "rows": SECONDS.take(),
            }
        )

    def run(self):
        while not self.file.closed:
            self.tick()
            gevent.sleep(1 - time.time() % 1)

    def exception(self, text):
        self.exceptions[text] = self.exceptions.get(text, 0) + 1
        if self.exceptions[text] == 1 and len(self.exceptions) <= MOST_KINDS:
            self.write({"event": "exception", "message": text})

    def end(self):
        self.tick()
        stopped = self.stopped if self.stopped is not None else 0.0
        self.write({"event": "end", "at": round(stopped, 3), "exceptions": sum(self.exceptions.values())})
        self.file.close()


def host_facts():
    """What the generator ran on, in the words of loadgate's `environment`."""
    facts = {"python": platform.python_version(), "locust": __version__}
    try:
        facts["cores"] = str(len(os.sched_getaffinity(0)))
    except AttributeError:
        facts["cores"] = str(os.cpu_count())
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            facts["cpu"] = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    try:
        facts["os"] = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        facts["os"] = platform.system()
    return facts


def refuse(why):
    """Ends Locust before the test. An exception in a listener would only be logged."""
    print(f"loadgate: {why}", file=sys.stderr, flush=True)
    os._exit(3)


def end_with_loadgate(runner):
    """loadgate holds the other end of our input and never writes: when that ends, loadgate has died."""
    wait_read(sys.stdin.fileno())
    runner.quit()


@events.init.add_listener
def on_init(environment, runner, **_):
    if isinstance(runner, WorkerRunner):
        runner.register_message(START, on_start_message)
    if PLAN is None:
        if isinstance(runner, WorkerRunner):
            environment.events.report_to_master.add_listener(send)
        return
    if not isinstance(runner, WorkerRunner) and type(environment.shape_class).__name__ != "LoadgateShape":
        refuse(f"the locustfile brings a load shape of its own, {type(environment.shape_class).__name__}")
    role = "master" if isinstance(runner, MasterRunner) else "worker" if isinstance(runner, WorkerRunner) else "local"
    journal = Journal(environment, role)

    @environment.events.test_stopping.add_listener
    def on_test_stopping(**_):
        if journal.stopped is None and SECONDS.started is not None:
            journal.stopped = time.time() - SECONDS.started

    @environment.events.user_error.add_listener
    def on_user_error(exception, **_):
        journal.exception(text_of(exception))

    @environment.events.worker_report.add_listener
    def on_worker_report(data, **_):
        if "loadgate" in data:
            journal.write({"event": "worker", **data["loadgate"]})

    @environment.events.quit.add_listener
    def on_quit(**_):
        journal.end()

    gevent.spawn(journal.run)
    if role != "worker" and os.name == "posix":
        gevent.spawn(end_with_loadgate, runner)


def send(data, **_):
    data["loadgate"] = {"cpu": CPU.share(), "rows": SECONDS.take()}
