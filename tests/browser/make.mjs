// Makes the pages that the tests open, with the program itself, from simulated load tests. The same bytes every time.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const DAY = 86_400_000;
const NOW = Date.parse("2026-11-24T12:00:00Z");
/** Runs of the simulated history, a week apart; without the two that are missing. */
const WEEKS = 14;
const MISSING = new Set([5, 6]);
const SLOWER_FROM = 9;

export const loadgate = (folder, ...words) => {
  const ran = spawnSync(process.env.LOADGATE, words, {
    cwd: folder,
    encoding: "utf8",
    env: { PATH: process.env.PATH, LOADGATE_NOW: new Date(NOW).toISOString() },
  });
  if (![0, 1, 3].includes(ran.status)) throw new Error(`loadgate ${words.join(" ")}: ${ran.status}\n${ran.stderr}`);
  return ran;
};

/** A small generator of numbers between 0 and 1, the same on every machine. */
export const generator = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
};

/** k6 points of many endpoints: `slow(at)` is the factor of latency of the endpoint at that place. Ten users come in the first
 *  quarter of the time. */
const k6 = (names, requests, seed, slow) => {
  const random = generator(seed);
  const lines = [];
  for (let number = 0; number < requests; number += 1) {
    const users = Math.min(10, 1 + Math.floor((number / requests) * 40));
    const now = new Date(NOW - DAY + number * 300).toISOString();
    if (number % 10 === 0) lines.push(JSON.stringify({ metric: "vus", type: "Point", data: { time: now, value: users, tags: {} } }));
    for (const [at, name] of names.entries()) {
      const time = new Date(NOW - DAY + number * 300 + at).toISOString();
      const failed = random() < 0.01;
      const latency = (20 + at) * Math.exp(0.6 * (random() + random() + random() - 1.5)) * slow(at);
      const tags = { expected_response: String(!failed), method: "GET", name, status: failed ? "500" : "200" };
      if (failed) tags.error = "request failed";
      for (const [metric, value] of [["http_reqs", 1], ["http_req_duration", latency], ["http_req_failed", failed ? 1 : 0]]) {
        lines.push(JSON.stringify({ metric, type: "Point", data: { time, value, tags } }));
      }
    }
  }
  return lines.join("\n") + "\n";
};

const report = (folder, name, names, requests, config) => {
  const place = join(folder, name);
  mkdirSync(place, { recursive: true });
  if (config) writeFileSync(join(place, "loadgate.yml"), config);
  for (const seed of [1, 2, 3]) {
    writeFileSync(join(place, "base.k6.json"), k6(names, requests, seed, () => 1));
    loadgate(place, "baseline", "add", "base.k6.json", "--commit", `${seed}`.repeat(40), "--ref", "main");
  }
  rmSync(join(place, "base.k6.json"));
  writeFileSync(join(place, "now.k6.json"), k6(names, requests, 9, (at) => (at % 7 === 1 ? 1.6 : at % 7 === 2 ? 0.6 : 1)));
  loadgate(place, "check", "now.k6.json");
};

const history = (folder) => {
  const place = join(folder, "weekly");
  mkdirSync(place, { recursive: true });
  for (let week = 0; week < WEEKS; week += 1) {
    if (MISSING.has(week)) continue;
    const slower = week >= SLOWER_FROM ? ["--degrade", "rag_service:latency*1.35"] : [];
    rmSync(join(place, "results"), { recursive: true, force: true });
    loadgate(place, "simulate", "--seed", `${week + 1}`, "--seconds", "60", "--users", "10", "-o", "results", ...slower);
    const time = new Date(NOW - (WEEKS - week) * 7 * DAY).toISOString();
    const stamp = ["--commit", `${week + 10}`.repeat(20), "--ref", "main", "--time", time];
    if (week < 4) loadgate(place, "baseline", "add", "results", ...stamp);
    loadgate(place, "check", "results");
    loadgate(place, "history", "add", ...stamp, "--workflow-run-id", `${1_000 + week}`);
  }
  loadgate(place, "site", "site", "--repository", "https://github.com/acme/shop");
};

/** A long history of many endpoints, as lines: written here, since so many runs take minutes to simulate. */
const long = (folder, runs, endpoints) => {
  const place = join(folder, "long");
  mkdirSync(join(place, ".loadgate/history"), { recursive: true });
  const random = generator(7);
  const lines = [];
  for (let run = 0; run < runs; run += 1) {
    const figures = {};
    for (let at = 0; at < endpoints; at += 1) {
      const level = (50 + 3 * at) * (at % 5 === 0 && run > runs - 30 ? 1.3 : 1) * (1 + 0.06 * (random() - 0.5));
      figures[`GET /api/v1/things/${at}`] = {
        error_rate: random() < 0.2 ? 0.002 : 0,
        latency_p50: level,
        latency_p95: level * 2.1,
        latency_p99: level * 3.2,
        throughput: 20 + random(),
      };
    }
    lines.push(
      JSON.stringify({
        schema: "loadgate.history/1",
        time: new Date(NOW - (runs - run) * DAY).toISOString(),
        commit: `${run}`.padStart(40, "c"),
        ref: "main",
        workflow_run_id: run + 1,
        verdict: "pass",
        load: {},
        endpoints: figures,
      }),
    );
  }
  writeFileSync(join(place, ".loadgate/history/default.jsonl"), lines.join("\n") + "\n");
  const start = performance.now();
  loadgate(place, "site", "site");
  return performance.now() - start;
};

/** Names as an attacker would choose them. */
export const HOSTILE = [
  "<script>pwned=1</script>",
  "\"><img src=x onerror=pwned=1>",
  "</title></svg><script>pwned=1</script>",
  "{{ 7 * 7 }}{% raw %}",
  "javascript:alert(1)",
  "\u202egnp.exe",
];

export const make = (folder) => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  report(folder, "shop", ["/", "/cart", "/items", "/search", "/checkout", "/login"], 1_200);
  report(folder, "many", Array.from({ length: 50 }, (_, at) => `/api/v1/organisations/projects/${at}`), 250);
  report(folder, "hostile", HOSTILE, 250);
  history(folder);
  const hostile = join(folder, "hostile");
  loadgate(hostile, "history", "add", "--time", new Date(NOW).toISOString());
  loadgate(hostile, "site", "site");
  const milliseconds = long(folder, 400, 50);
  return { milliseconds, report: (name) => JSON.parse(readFileSync(join(folder, name, "loadgate-report/report.json"), "utf8")) };
};
