"""Runs the repository's own workflows with act, against a GitHub on loopback, and looks at what is there in the end.

A scene is a fresh repository `octo/shop` with our action.yml and workflows in it, results of a load test, an event, and what has
to hold afterwards. Only what cannot exist here is taken out of a workflow: steps that measure, and actions of others.
"""

import argparse
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEED = ROOT / "tests/fixtures/seed"
GOOD = SEED / "load_results_baseline_20251017_143004.csv"
BAD = SEED / "load_results_api_20251017_143004.csv"
BASELINE = ".github/load-test/baselines/progressive.json"
HEAD, BASE = "a" * 40, "b" * 40
BOT = "github-actions[bot]"


def pull_request(head_repository="octo/shop"):
    """The event of pull request 12."""
    owner = head_repository.split("/")[0]
    repository = {"full_name": "octo/shop", "name": "shop", "owner": {"login": "octo"}, "default_branch": "main"}
    return {
        "action": "synchronize",
        "number": 12,
        "repository": repository,
        "pull_request": {
            "number": 12,
            "labels": [],
            "head": {
                "sha": HEAD,
                "ref": "change",
                "repo": {"full_name": head_repository, "fork": owner != "octo", "owner": {"login": owner}},
            },
            "base": {"sha": BASE, "ref": "main", "repo": repository},
        },
    }


def weekly():
    return {"schedule": "0 2 * * 0", "repository": {"full_name": "octo/shop", "default_branch": "main"}}


def after_fork():
    """The event after pr-load-test.yml has run for the fork `ann/shop`."""
    return {
        "action": "completed",
        "repository": {"full_name": "octo/shop", "default_branch": "main"},
        "workflow_run": {
            "id": 77,
            "event": "pull_request",
            "conclusion": "failure",
            "head_sha": HEAD,
            "head_branch": "change",
            "head_repository": {"full_name": "ann/shop", "owner": {"login": "ann"}},
            "pull_requests": [],
        },
    }


class Scene:
    def __init__(self, options, name, head_owner="octo", **seed):
        self.options = options
        self.folder = options.work / name
        self.runs = 0
        shutil.rmtree(self.folder, ignore_errors=True)
        self.repository = self.folder / "shop"
        self.repository.mkdir(parents=True)
        for path in ["action.yml", ".github/load-test/loadgate.yml"]:
            target = self.repository / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, target)
        # What a release does: name an image instead of the Dockerfile.
        action = self.repository / "action.yml"
        text = action.read_text()
        assert "  image: Dockerfile\n" in text
        action.write_text(text.replace("  image: Dockerfile\n", f"  image: docker://{options.image}\n"))
        self.command([options.target / "loadgate", "baseline", "add", GOOD, "--suite", "progressive", "--baseline", BASELINE])
        self.command(["git", "init", "--quiet", "--initial-branch", "main"])
        self.command(["git", "remote", "add", "origin", "https://github.com/octo/shop"])
        files = {path: (self.repository / path).read_text() for path in [BASELINE, ".github/load-test/loadgate.yml"]}
        self.seed = {
            "files": {"main": files},
            "commits": {BASE: "main", HEAD: "main"},
            "pulls": [
                {
                    "number": 12,
                    "state": "open",
                    "body": "",
                    "title": "a change",
                    "labels": [],
                    "user": {"login": head_owner},
                    "html_url": "https://github.com/octo/shop/pull/12",
                    "head": {"sha": HEAD, "ref": "change", "label": f"{head_owner}:change"},
                    "base": {"sha": BASE, "ref": "main"},
                }
            ],
            **seed,
        }
        self.fake = None

    def start(self):
        """The GitHub, once there is a commit: the one that act names as the default branch's tip is on its main branch."""
        tip = subprocess.run(["git", "rev-parse", "HEAD"], cwd=self.repository, check=True, capture_output=True, text=True)
        self.seed["commits"][tip.stdout.strip()] = "main"
        seed_file = self.folder / "seed.json"
        seed_file.write_text(json.dumps(self.seed))
        self.fake = subprocess.Popen(
            [self.options.target / "examples/fake-github", "0", seed_file], stdout=subprocess.PIPE, text=True
        )
        self.url = self.fake.stdout.readline().split()[-1]

    def command(self, command):
        subprocess.run(command, cwd=self.repository, check=True, stdout=subprocess.DEVNULL)

    def workflow(self, file, job):
        """One job of a workflow of ours, without the steps that only work on GitHub's machines."""
        text = (ROOT / ".github/workflows" / file).read_text()
        head, jobs = text.split("\njobs:\n")
        body = re.split(r"^  (?=\S)", jobs, flags=re.M)
        (own,) = [part for part in body if part.startswith(f"{job}:\n")]
        start, steps = own.split("    steps:\n")
        start = re.sub(r"^    needs: .*\n", "", start, flags=re.M)
        ours = "uses: ./\n"
        kept = [step for step in re.split(r"^(?=      - )", steps, flags=re.M) if "actions/checkout@" in step or ours in step]
        assert sum(ours in step for step in kept) == 1, f"{file}: one step is ours"
        # act brings a checkout of its own, under the names it knows.
        steps = re.sub(r"actions/checkout@\S+ #.*", "actions/checkout@v4", "".join(kept))
        path = self.repository / ".github/workflows" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{head}\njobs:\n  {start}    steps:\n{steps}")
        return path

    def run(self, file, job, event, payload, results, expected):
        """Runs the job on the results; `expected` is whether it passes."""
        self.runs += 1
        workflow = self.workflow(file, job)
        shutil.rmtree(self.repository / "load-results", ignore_errors=True)
        for suite in ["baseline", "progressive"] if event == "schedule" else ["progressive"]:
            folder = self.repository / "load-results" / suite
            folder.mkdir(parents=True)
            shutil.copy(results, folder / "run_stats.csv")
        self.command(["git", "add", "--all"])
        self.command(
            ["git", "-c", "user.name=ann", "-c", "user.email=ann@example.com", "commit", "--quiet", "--allow-empty", "-m", "results"]
        )
        if self.fake is None:
            self.start()
        event_file = self.folder / "event.json"
        event_file.write_text(json.dumps(payload))
        log = self.folder / f"act-{self.runs}.log"
        command = [
            "act", event, "--job", job, "--workflows", workflow, "--eventpath", event_file, "--secret", "GITHUB_TOKEN=tok",
            "--env", f"GITHUB_API_URL={self.url}", "--env", f"GITHUB_RUN_ID={1000 + self.runs}",
            "--env", f"GITHUB_RUN_NUMBER={self.runs}",
            "--platform", "ubuntu-24.04=docker.io/library/debian:bookworm-slim", "--pull=false", "--action-offline-mode",
            "--network", "host", "--container-daemon-socket", "-",
            "--container-options", "--ulimit nofile=1024:4096 --ulimit nproc=4096:8192",
        ]  # fmt: skip
        with log.open("w") as out:
            done = subprocess.run(
                command, cwd=self.repository, stdout=out, stderr=subprocess.STDOUT, timeout=300, stdin=subprocess.DEVNULL
            )
        if self.options.show or (done.returncode == 0) != expected:
            print(log.read_text())
        assert (done.returncode == 0) == expected, f"{file}: act exits {done.returncode}"
        self.log = log.read_text()
        return self.state()

    def state(self):
        with urllib.request.urlopen(f"{self.url}/_state", timeout=10) as answer:
            state = json.load(answer)
        assert not state["violations"], state["violations"]
        return state

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.fake is not None:
            self.fake.kill()
            self.fake.wait()


def own_pull_request(options):
    """A pull request that is too slow, the same again, and the repaired one: one comment that stays true."""
    with Scene(options, "pull-request") as scene:
        judge = ("pr-load-test.yml", "load-test", "pull_request", pull_request())
        comments = scene.run(*judge, BAD, expected=False)["comments"]
        assert len(comments) == 1 and comments[0]["user"]["login"] == BOT, comments
        assert "api_gateway" in comments[0]["body"]
        first = comments[0]
        comments = scene.run(*judge, BAD, expected=False)["comments"]
        assert [it["id"] for it in comments] == [first["id"]], "still the same comment"
        comments = scene.run(*judge, GOOD, expected=True)["comments"]
        assert [it["id"] for it in comments] == [first["id"]], "still the same comment"
        assert comments[0]["body"] != first["body"], "and it tells of the repair"


def scheduled(options):
    """Weeks with and without a regression: an issue that opens, stays one, and closes; a line of history each."""
    with Scene(options, "weekly") as scene:
        judge = ("load-test.yml", "judge", "schedule", weekly())
        state = scene.run(*judge, BAD, expected=False)
        assert len(state["issues"]) == 1 and state["issues"][0]["state"] == "open", state["issues"]
        assert not state["comments"], "the first week has nothing to add"
        lines = state["files"]["loadgate-data"]["history/progressive.jsonl"].splitlines()
        assert len(lines) == 1 and json.loads(lines[0])["verdict"] == "fail", lines
        state = scene.run(*judge, BAD, expected=False)
        assert len(state["issues"]) == 1, "one issue, however long it takes"
        for _ in range(2):
            state = scene.run(*judge, GOOD, expected=True)
        assert [it["state"] for it in state["issues"]] == ["closed"], state["issues"]
        assert len(state["files"]["loadgate-data"]["history/progressive.jsonl"].splitlines()) == 4


def fork(options):
    """A fork: the half without rights judges and says nothing, the half with rights comments and sets the status."""
    readonly = {"permissions": dict.fromkeys(["issues", "pull-requests", "contents", "statuses", "checks"], "read")}
    with Scene(options, "fork-measure", head_owner="ann", **readonly) as scene:
        judge = ("pr-load-test.yml", "load-test", "pull_request", pull_request("ann/shop"))
        state = scene.run(*judge, GOOD, expected=True)
        assert not state["comments"] and not state["statuses"], state
        scene.run(*judge, BAD, expected=False)
    with Scene(options, "fork-publish", head_owner="ann") as scene:
        state = scene.run("publish-fork.yml", "publish", "workflow_run", after_fork(), BAD, expected=False)
        assert len(state["comments"]) == 1 and "api_gateway" in state["comments"][0]["body"], state["comments"]
        assert [it["state"] for it in state["statuses"]] == ["failure"], state["statuses"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", required=True)
    parser.add_argument("--target", required=True, type=pathlib.Path)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--scene", help="only this one")
    parser.add_argument("--show", action="store_true", help="print what act says")
    options = parser.parse_args()
    # Ended from outside, it still ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for scene in [own_pull_request, scheduled, fork]:
        if options.scene not in (None, scene.__name__):
            continue
        since = time.monotonic()
        scene(options)
        print(f"{scene.__name__}: as expected, {time.monotonic() - since:.0f} s", flush=True)


main()
