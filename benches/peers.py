#!/usr/bin/env python3
"""Speed and memory of whole processes beside the physical limit (`wc -l`) and the peers, on this machine, in one run.

    benches/peers.py target/dist/loadgate                    everything, 1 GB a file
    benches/peers.py target/release/loadgate --quick         for CI: 100 MB, fails where a goal is missed by more than twice
    benches/peers.py BINARY --only jtl-csv k6-json --size 300M --rounds 5
    benches/peers.py BINARY --beside OTHER --only jtl-csv    two programs of ours in the same rounds

Every file is made here, the same on every machine: some 40,000 requests of a seeded generator, repeated up to the size.
What `loadgate inspect --format json` says of it must be the truth: counts, failures, sums, least and greatest to the bit,
quantiles within 1 %. Commands run in turn (A B C, A B C, ...); ratios are medians of ratios within a round, of CPU time
(user + system), which holds on a shared machine. DuckDB and polars take part if this Python can import them.

Exit status: 0 all well, 1 a wrong answer, or (with --quick) a goal missed by more than twice.
"""

import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

ROWS = 40_000
START = 1_767_225_600_000
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
# Format: most CPU as a multiple of `wc -l`'s, or least MB per CPU second.
GOALS = {"jtl-csv": 4.0, "k6-json": 2.5, "k6-csv": 4.0, "vegeta-csv": 4.0, "hey-csv": 4.0, "oha-csv": 4.0, "gatling": 10.0}
RATES = {"jtl-xml": 200}
MEMORY = {20: 24, 1_000: 64, 100_000: 200}
# Endpoints: most CPU per row as a multiple of that at 20.
ROWS_COST = {1_000: 3.5, 100_000: 14.0}
# Most CPU of all threads as a multiple of one thread's; where reading is most of the work there is little to share.
THREADS = {"jtl-csv": 1.10}
SOURCES = {"jtl-csv": "jmeter", "k6-json": "k6"}


def requests(labels, rows):
    """(label number, start ms, latency us, kind of failure or 0, a number) of each request."""
    dice = random.Random(7)
    usual = [dice.randint(4_000, 400_000) for _ in range(labels)]
    for n in range(rows):
        label = n % labels if labels > 1_000 else min(dice.randrange(labels), dice.randrange(labels))
        us = int(usual[label] * math.exp(dice.gauss(0, 0.42)))
        if dice.random() < 0.005:
            us *= dice.randint(6, 15)
        yield label, START + n // 5, max(us, 250), dice.randint(1, 3) if dice.random() < 0.01 else 0, dice.randrange(100_000)


def path_of(label):
    return f"/api/v1/{['orders', 'items', 'users', 'cart', 'search'][label % 5]}/{label // 5}/"


JTL = "timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,failureMessage,bytes,sentBytes,grpThreads,allThreads,URL,Latency,IdleTime,Connect\n"
K6_CSV = "metric_name,timestamp,metric_value,check,error,error_code,expected_response,group,method,name,proto,scenario,service,status,subproto,tls_version,url,extra_tags,metadata\n"
K6_METRICS = ["http_reqs", "http_req_duration", "http_req_blocked", "http_req_connecting", "http_req_tls_handshaking", "http_req_sending", "http_req_waiting", "http_req_receiving", "http_req_failed"]


def k6_value(metric, us, bad):
    return {"http_reqs": 1_000, "http_req_failed": 1_000 * bad, "http_req_duration": us}.get(metric, us // 7)


def short(us):
    """Milliseconds as Go prints them."""
    return f"{us // 1000}.{us % 1000:03}".rstrip("0").rstrip(".")


def rows_of(form, labels, rows):
    """Header, rows, footer, and the truth by endpoint: latencies in ns, and failures."""
    out, truth = [], {}
    for n, (label, start, us, bad, number) in enumerate(requests(labels, rows)):
        path, ms, code = path_of(label), us // 1000, ["200", "500", "503", "200"][bad]
        ok, name, held = str(not bad).lower(), f"GET {path}", us * 1000
        if form == "jtl-csv":
            held = ms * 1_000_000
            message = {0: ",", 1: f'"text expected to contain /""ok""/, got order {number}",', 2: "code expected 200,", 3: '"expected 1\nbut found 0",'}[bad]
            out.append(f"{start},{ms},{name},{code},OK,Checkout Flow 1-{number % 200},text,{ok},{message}{number % 40000},380,200,200,https://shop.example.test{path}{number},{ms},0,0\n")
        elif form == "jtl-xml":
            held = ms * 1_000_000
            out.append(f'<httpSample t="{ms}" it="0" lt="{ms}" ct="0" ts="{start}" s="{ok}" lb="{name}" rc="{code}" rm="OK" tn="Checkout Flow 1-{number % 200}" dt="text" by="{number % 40000}" sby="380" ng="200" na="200">\n  <java.net.URL>https://shop.example.test{path}{number}</java.net.URL>\n</httpSample>\n')
        elif form == "k6-json":
            moment = f"2026-01-01T00:{n // 800 % 60:02}:{n // 20 % 40 + 10}.{number:05}Z"
            tags = f'"expected_response":"{ok}","group":"::shop","method":"GET","name":"{path}","proto":"HTTP/2.0","scenario":"browse","status":"{code}","tls_version":"tls1.3","url":"https://shop.example.test{path}{number}"'
            for metric in K6_METRICS:
                out.append(f'{{"metric":"{metric}","type":"Point","data":{{"time":"{moment}","value":{short(k6_value(metric, us, bool(bad)))},"tags":{{{tags}}}}}}}\n')
            out.append(f'{{"metric":"checks","type":"Point","data":{{"time":"{moment}","value":{int(not bad)},"tags":{{"check":"is 200","group":"::shop","scenario":"browse"}}}}}}\n')
            if n % 4 == 3:
                out.append(f'{{"metric":"iterations","type":"Point","data":{{"time":"{moment}","value":1,"tags":{{"group":"","scenario":"browse"}}}}}}\n')
        elif form == "k6-csv":
            for metric in K6_METRICS:
                out.append(f"{metric},{start // 1000},{k6_value(metric, us, bool(bad)) / 1000:.6f},,,,{ok},::shop,GET,{path},HTTP/2.0,browse,,{code},,tls1.3,https://shop.example.test{path}{number},,\n")
        elif form == "gatling":
            name, held = f"get {path}", ms * 1_000_000
            if n % 8 == 0:
                out.append(f"USER\tShop\tSTART\t{start}\n")
            out.append(f"REQUEST\t\t{name}\t{start}\t{start + ms}\t{'KO' if bad else 'OK'}\t{'status.find.is(200), but actually found 500' if bad else ' '}\n")
            if n % 8 == 7:
                out.append(f"USER\tShop\tEND\t{start + ms}\n")
        elif form == "vegeta-csv":
            name = f"GET https://shop.example.test{path}"
            out.append(f"{start}000000,{code if bad < 3 else 0},{held},380,{number % 40000},{'no such host' if bad else ''},eyJvayI6dHJ1ZX0=,shop,{n},GET,https://shop.example.test{path},\n")
        elif form == "hey-csv":
            name, held = None, us // 100 * 100_000
            bad = code != "200"
            out.append(f"{us // 1000000}.{us % 1000000 // 100:04},0.0001,0.0000,0.0000,0.0087,0.0002,{code},{n // 5000}.{n % 5000:04}\n")
        elif form == "oha-csv":
            name, bad = None, code != "200"
            out.append(f"{n // 5000}.{n % 5000:04},0.000041491,0.000345021,0.058374302,{us // 1000000}.{us % 1000000:06},30,{code}\n")
        entry = truth.setdefault(name, [[], 0])
        entry[0].append(held)
        entry[1] += bool(bad)
    header = {
        "jtl-csv": JTL, "k6-csv": K6_CSV,
        "jtl-xml": '<?xml version="1.0" encoding="UTF-8"?>\n<testResults version="1.2">\n',
        "gatling": f"RUN\tshop.Shop\tshop\t{START}\t \t3.9.5\n",
        "hey-csv": "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset\n",
        "oha-csv": "request-start,DNS,DNS+dialup,Response-delay,request-duration,bytes,status\n",
        "k6-json": '{"type":"Metric","data":{"name":"checks","type":"rate","contains":"default","thresholds":[],"submetrics":null},"metric":"checks"}\n',
    }.get(form, "")
    return header, "".join(out), "</testResults>\n" if form == "jtl-xml" else "", truth


def make(folder, form, labels, size):
    """The file, and the truth as count, failures, sum, least, greatest, quantiles."""
    rows = max(ROWS, 3 * labels)
    header, chunk, footer, truth = rows_of(form, labels, rows)
    times = max(1, size // len(chunk))
    suffix = {"jtl-csv": "jtl", "jtl-xml": "xml", "k6-json": "json", "gatling": "log"}.get(form, "csv")
    file = folder / f"{form}-{labels}-{size}.{suffix}"
    with open(file, "w", encoding="utf-8") as out:
        out.write(header)
        for _ in range(times):
            out.write(chunk)
        out.write(footer)
    figures = {}
    for name, (values, failures) in truth.items():
        values.sort()
        nearest = {key: values[max(math.ceil(level * len(values)), 1) - 1] for key, level in QUANTILES.items()}
        figures[name] = (len(values) * times, failures * times, sum(values) * times, values[0], values[-1], nearest)
    return file, figures, rows * times


def wrong(file, truth, binary):
    """What `inspect` says otherwise than the truth."""
    said = json.loads(subprocess.run([binary, "inspect", "--format", "json", file], check=True, capture_output=True).stdout)
    found, differences = {}, []
    for endpoint in said["runs"][0]["endpoints"]:
        name = f"{endpoint['method']} {endpoint['name']}" if endpoint["method"] else endpoint["name"]
        found[None if None in truth else name] = endpoint
    for name, (count, failures, total, least, most, quantiles) in truth.items():
        endpoint = found.get(name)
        if endpoint is None:
            differences.append(f"{name} is missing")
            continue
        value = lambda metric: endpoint["metrics"][f"latency_{metric}"]["value"]
        exact = [
            (endpoint["requests"], count), (endpoint["failures"], failures),
            (value("mean"), total / count / 1e6), (value("min"), least / 1e6), (value("max"), most / 1e6),
        ]
        differences += [f"{name}: {own} is not {true}" for own, true in exact if own != true]
        differences += [
            f"{name} {key}: {value(key)} is not {true / 1e6}" for key, true in quantiles.items()
            if abs(value(key) * 1e6 - true) > 0.01 * true
        ]
    return differences


def run(command):
    """CPU and wall seconds, and most memory in MiB."""
    began = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime, time.monotonic() - began, usage.ru_maxrss / 1024, child.returncode


DUCKDB = {
    "jtl-csv": """SELECT label, count(*), count(*) FILTER (NOT success), sum(elapsed), min(elapsed), max(elapsed), quantile_disc(elapsed, [.5, .9, .95, .99, .999])
        FROM read_csv('{file}', header=true, quote='"', escape='"', types={{'responseCode': 'VARCHAR'}}) GROUP BY label""",
    "k6-json": """SELECT data.tags.name, count(*), sum(data.value), min(data.value), max(data.value), quantile_disc(data.value, [.5, .9, .95, .99, .999])
        FROM read_json('{file}', format='newline_delimited', columns={{'metric': 'VARCHAR', 'data': 'STRUCT(value DOUBLE, tags STRUCT(name VARCHAR))'}})
        WHERE metric = 'http_req_duration' GROUP BY 1""",
}
POLARS = {
    "jtl-csv": "q = pl.scan_csv(f, schema_overrides={'responseCode': pl.String, 'failureMessage': pl.String}).select('label', v='elapsed')",
    "k6-json": "q = pl.scan_ndjson(f, schema={'metric': pl.String, 'data': pl.Struct({'value': pl.Float64, 'tags': pl.Struct({'name': pl.String})})}).filter(pl.col('metric') == 'http_req_duration').select(label=pl.col('data').struct.field('tags').struct.field('name'), v=pl.col('data').struct.field('value'))",
}
LOOPS = {
    "jtl-csv": "for r in csv.DictReader(open(f, newline='')): v[r['label']].append(int(r['elapsed'])); b[r['label']] += r['success'] != 'true'",
    "k6-json": "for r in map(json.loads, open(f)):\n  if r['metric'] == 'http_req_duration': v[r['data']['tags']['name']].append(r['data']['value'])",
}


def peers(form, file):
    """Name and command of whoever else reads such a file here."""
    python = sys.executable
    if form in DUCKDB and subprocess.run([python, "-c", "import duckdb"], capture_output=True).returncode == 0:
        yield "DuckDB", [python, "-c", f"import duckdb; print(duckdb.sql({DUCKDB[form].format(file=file)!r}).fetchall())"]
    if form in POLARS and subprocess.run([python, "-c", "import polars"], capture_output=True).returncode == 0:
        figures = "pl.len(), pl.col('v').sum().alias('s'), pl.col('v').min().alias('a'), pl.col('v').max().alias('z'), *[pl.col('v').quantile(x, 'equiprobable').alias(str(x)) for x in (.5, .9, .95, .99, .999)]"
        yield "polars", [python, "-c", f"import polars as pl; f = {str(file)!r}; {POLARS[form]}; print(q.group_by('label').agg({figures}).collect(engine='streaming'))"]
    # It keeps all values, so it gets a small file; its CPU is scaled up in the table.
    if form in LOOPS and file.stat().st_size < 200_000_000:
        code = f"import csv, json\nfrom collections import defaultdict\nf, v, b = {str(file)!r}, defaultdict(list), defaultdict(int)\n{LOOPS[form]}\nprint({{k: (len(x), sum(x), sorted(x)[len(x) // 2]) for k, x in v.items()}})"
        yield "Python loop", [python, "-c", code]


def table(title, size, commands, rounds):
    """Runs the commands in turn and prints the table; gives the median ratios of CPU to the first, memory, and CPU."""
    for _, command in commands:
        if run(command)[3] not in (0, None):
            sys.exit(f"{command} failed")
    taken = [[run(command) for _, command in commands] for _ in range(rounds)]
    print(f"\n{title}\n{'':14} {'CPU s':>8} {'wall s':>8} {'MB/CPU s':>9} {'MiB':>7} {'x first':>8}")
    ratios, memory, taken_cpu = {}, {}, {}
    for at, (name, _) in enumerate(commands):
        cpu = statistics.median(turn[at][0] for turn in taken)
        wall = statistics.median(turn[at][1] for turn in taken)
        memory[name] = max(turn[at][2] for turn in taken)
        taken_cpu[name] = cpu
        ratios[name] = statistics.median(turn[at][0] / max(turn[0][0], 1e-4) for turn in taken)
        print(f"{name:14} {cpu:8.3f} {wall:8.3f} {size / max(cpu, 1e-4) / 1e6:9.0f} {memory[name]:7.1f} {ratios[name]:8.2f}")
    return ratios, memory, taken_cpu


def locust_stats(folder, endpoints):
    """Locust's table of statistics."""
    file = folder / f"api-{endpoints}_stats.csv"
    file.write_text("Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%\n" + "".join(
        f"GET,/api/{n},{1000 + n},{n},120,140.5,3,4100,1000.0,250.0,0.1,120,140,160,170,220,300,420,600,2200,3900,4100\n" for n in range(endpoints)))
    return file


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("binary")
    options.add_argument("--size", default=None, help="bytes of each file, with K, M or G (1G; 100M with --quick)")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", nargs="*", default=None, help=f"of: {' '.join([*GOALS, *RATES])} names check start")
    options.add_argument("--beside", metavar="BINARY", help="another loadgate, which takes its turn with the first")
    options.add_argument("--quick", action="store_true", help="a few formats, and fail where a goal is missed by more than twice")
    given = options.parse_args()
    size = given.size or ("100M" if given.quick else "1G")
    size = int(size.rstrip("KMG")) * {"K": 10**3, "M": 10**6, "G": 10**9}.get(size[-1], 1)
    only = given.only or (["jtl-csv", "k6-json", "check", "start"] if given.quick else [*GOALS, *RATES, "names", "check", "start"])
    slack = 2.0 if given.quick else 1.0
    missed, failed = [], []
    binary = os.path.abspath(given.binary)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="loadgate-bench-"))

    def goal(what, value, most):
        print(f"{what}: {value:.2f}, goal {most}{'' if value <= most else '  MISSED'}")
        if value > most * slack:
            missed.append(what)

    def apart(function, *arguments):
        # In a process of its own: a child's peak memory counts that of the process it was started from.
        with concurrent.futures.ProcessPoolExecutor(1) as pool:
            return pool.submit(function, *arguments).result()

    def one(form, labels, bytes_):
        file, truth, rows = apart(make, folder, form, labels, bytes_)
        differences = apart(wrong, file, truth, binary) if labels <= 10_000 else None
        del truth
        bytes_ = file.stat().st_size
        if differences is not None:
            print(f"\n{form}, {labels} endpoints, {rows} requests: {'as the truth' if not differences else differences[:3]}")
            failed.extend(differences)
        ours = [binary, "inspect", "--format", "json", file]
        commands = [("wc -l", ["wc", "-l", file]), ("loadgate", ours)]
        if hasattr(os, "sched_setaffinity"):
            commands.append(("one thread", ["taskset", "-c", "0", *map(str, ours)]))
        if given.beside:
            commands.append(("beside", [given.beside, "inspect", "--format", "json", file]))
        commands += [] if given.quick else peers(form, file)
        ratios, memory, cpu = table(f"{form}, {labels} endpoints, {bytes_ / 1e6:.0f} MB", bytes_, commands, given.rounds)
        file.unlink()
        if given.beside:
            print(f"{form}: the program beside takes {ratios['beside'] / ratios['loadgate']:.2f} times the CPU")
        return ratios, memory, cpu, bytes_, rows

    for form in [form for form in [*GOALS, *RATES] if form in only]:
        ratios, memory, cpu, bytes_, _ = one(form, 20, size)
        if form in GOALS:
            goal(f"{form}: CPU over wc -l", ratios["loadgate"], GOALS[form])
        if form in RATES:
            goal(f"{form}: CPU ms per {RATES[form]} MB", cpu["loadgate"] * 1e3 * RATES[form] / (bytes_ / 1e6), 1_000)
        if "one thread" in cpu and not given.quick:
            goal(f"{form}: CPU over one thread's", cpu["loadgate"] / cpu["one thread"], THREADS.get(form, 1.25))
        goal(f"{form}: MiB", memory["loadgate"], MEMORY[20])
        for peer in ("DuckDB", "polars", "Python loop"):
            if peer in ratios:
                print(f"{form}: {peer} takes {ratios[peer] / ratios['loadgate']:.1f} times our CPU")
    if "names" in only:
        row = {}
        for labels, most in MEMORY.items():
            _, memory, cpu, _, rows = one("jtl-csv", labels, size)
            goal(f"{labels} endpoints: MiB", memory["loadgate"], most)
            row[labels] = cpu["loadgate"] / rows
        for labels, most in ROWS_COST.items():
            goal(f"{labels} endpoints: CPU of a row over that at 20", row[labels] / row[20], most)
    if "start" in only:
        stats = locust_stats(folder, 10)
        commands = [("loadgate", [binary, "inspect", stats]), ("python -c pass", [sys.executable, "-c", "pass"])]
        if subprocess.run(["which", "node"], capture_output=True).returncode == 0:
            commands.insert(0, ("node -e 0", ["node", "-e", "0"]))
        ratios, *_ = table("cold start, 10 rows of Locust's CSV", 2_000, commands, 21)
        if "node -e 0" in ratios:
            goal("cold start: CPU over node -e 0", ratios["loadgate"], 0.05)
    if "check" in only:
        # Locust's CSV has percentiles. Raw results have whole distributions, which are read, drawn and written, too; reading
        # the 40,000 requests themselves is measured above.
        def check(name, file, rounds):
            baseline = folder / f"{file.name}.baseline.json"
            for turn in range(10):
                subprocess.run([binary, "baseline", "add", "--baseline", baseline, "--time", f"2026-01-{turn + 1:02}T00:00:00Z", file], check=True, capture_output=True, cwd=folder)
            commands = [("inspect", [binary, "inspect", file]), ("check", [binary, "check", "--baseline", baseline, file])]
            return table(f"{name}, a baseline of 10 runs", baseline.stat().st_size, commands, rounds)[2]

        few = check("Locust's CSV of 50 endpoints", locust_stats(folder, 50), 21)
        goal("check of Locust's CSV: CPU ms", few["check"] * 1e3, 20)
        raw = check("JTL of 50 endpoints", apart(make, folder, "jtl-csv", 50, 1)[0], 21)
        goal("check of JTL: CPU ms beyond reading", (raw["check"] - raw["inspect"]) * 1e3, 20)
        many = check("Locust's CSV of 5000 endpoints", locust_stats(folder, 5_000), 3)
        goal("check of 5000 endpoints: CPU of an endpoint over that at 50", many["check"] / few["check"] / 100, 1)
    for what in failed[:20]:
        print(f"WRONG {what}")
    for what in missed:
        print(f"MISSED {what}")
    sys.exit(1 if failed or (missed and given.quick) else 0)


if __name__ == "__main__":
    main()
