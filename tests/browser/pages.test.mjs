// The run report and the trend site in a real browser: silent, self-contained, usable by keyboard, readable in the dark.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { mkdirSync, readFileSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { HtmlValidate } from "html-validate";
import { chromium } from "playwright-core";
import { both, number, same, size } from "./figures.mjs";
import { make } from "./make.mjs";

const folder = join(import.meta.dirname, "../../target/browser");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".jsonl": "application/jsonl" };

let browser, server, origin, made;

before(async () => {
  made = make(folder);
  mkdirSync(join(folder, "shots"), { recursive: true });
  server = createServer((request, answer) => {
    const path = normalize(join(folder, decodeURIComponent(new URL(request.url, "http://here").pathname)));
    try {
      const text = readFileSync(path);
      answer.writeHead(200, { "content-type": `${TYPES[extname(path)] ?? "text/plain"}; charset=utf-8` }).end(text);
    } catch {
      answer.writeHead(404).end();
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  origin = `http://127.0.0.1:${server.address().port}`;
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ARGUMENTS });
});

after(async () => {
  await browser?.close();
  server?.close();
});

const file = (name) => pathToFileURL(join(folder, name)).href;
const reportOf = (name) => file(`${name}/loadgate-report/report.html`);

/** A page that must stay silent and at home: what it says and asks for is collected. */
const open = async (address, options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  const said = [];
  const asked = [];
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  page.on("requestfailed", (request) => said.push(`failed: ${request.url()}`));
  page.on("request", (request) => asked.push(request.url()));
  await page.goto(address, { waitUntil: "load" });
  const home = address.startsWith("file:") ? "file:" : origin;
  const quiet = () => {
    assert.deepEqual(said, []);
    assert.deepEqual(asked.filter((url) => !url.startsWith(home) && !url.startsWith("data:")), []);
  };
  return { page, asked, quiet, close: () => context.close() };
};

/** Findings of axe-core that keep people out. The page's own policy lets no script in, so it is set aside for this only. */
const findings = async (address, colorScheme) => {
  const { page, close } = await open(address, { colorScheme, bypassCSP: true });
  await page.evaluate(() => document.querySelectorAll("details").forEach((fold) => (fold.open = true)));
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  await close();
  return violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`).join(" | ")}`);
};

const shoot = async (address, name) => {
  for (const colorScheme of ["light", "dark"]) {
    const { page, close } = await open(address, { colorScheme });
    await page.waitForTimeout(300);
    await page.screenshot({ path: join(folder, "shots", `${name}-${colorScheme}.png`), fullPage: true });
    await close();
  }
};

const valid = async (path) => {
  const check = new HtmlValidate({
    extends: ["html-validate:standard"],
    rules: { "no-trailing-whitespace": "off", "long-title": "off", "no-inline-style": "error", "require-sri": "off", "prefer-native-element": "off", "tel-non-breaking": "off", "no-implicit-close": "off" },
  });
  const result = await check.validateString(readFileSync(join(folder, path), "utf8"));
  const messages = result.results.flatMap(({ messages }) => messages.map(({ ruleId, message, line, column }) => `${path}:${line}:${column} ${ruleId}: ${message}`));
  assert.deepEqual(messages.slice(0, 10), []);
};

test("the report is silent, asks for nothing and fits its budget", async () => {
  for (const name of ["shop", "many", "hostile"]) {
    const { page, asked, quiet, close } = await open(reportOf(name));
    await page.emulateMedia({ media: "print" });
    await page.emulateMedia({ media: "screen" });
    assert.deepEqual(asked, [reportOf(name)]);
    assert.equal(await page.evaluate("typeof pwned"), "undefined");
    assert.ok((await page.title()).startsWith("Load test"));
    quiet();
    await close();
    const size = statSync(join(folder, name, "loadgate-report/report.html")).size;
    assert.ok(size <= 300_000, `${name}: ${size} bytes`);
    console.log(`# ${name}: report.html ${size} bytes`);
  }
});

test("every figure of the report stands in report.json", async () => {
  for (const name of ["shop", "many"]) {
    const { page, close } = await open(reportOf(name));
    const rows = await page.evaluate(() =>
      [...document.querySelectorAll(".forest tbody tr:not(.why)")].map((row) => [...row.cells].slice(1, 6).map((cell) => cell.textContent)),
    );
    const shown = new Set(rows.map((row) => row.join("|")));
    const cut = (label) => (label.length > 48 ? null : label);
    const told = made.report(name).suites[0].rows.filter((row) => cut(row.endpoint));
    const wanted = told.map((row) => [row.endpoint, row.text.metric, row.text.both, row.text.change, row.text.limit].join("|"));
    for (const row of shown) assert.ok(wanted.includes(row), `not in report.json: ${row}`);
    // Of many endpoints some rows within their limits are left out, and the page says so.
    if (!(await page.locator("main").innerText()).includes("left out here")) assert.equal(shown.size, new Set(wanted).size);
    for (const row of told) {
      const what = `${name}: ${row.endpoint} ${row.metric}`;
      if (row.text.both) both(row.text.both, row, what);
      if (row.text.change && row.change !== null) size(row.text.change, row.change_relative, row.change, what);
    }
    await close();
  }
});

/** The cells of each table that the selector finds, row by row. */
const cells = (page, selector) =>
  page.evaluate(
    (selector) =>
      [...document.querySelectorAll(selector)].map((table) => [...table.querySelectorAll("tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent.trim()))),
    selector,
  );

const PERCENTILES = { p50: "latency_p50", p75: "latency_p75", p90: "latency_p90", p95: "latency_p95", p98: "latency_p98", p99: "latency_p99", "p99.9": "latency_p999" };
const label = ({ method, name }) => (method ? `${method} ${name}` : name);

test("every figure below the rows equals report.json", async () => {
  for (const name of ["shop", "many"]) {
    const { page, close } = await open(reportOf(name));
    const [suite] = made.report(name).suites;
    const words = (phrase) => phrase.map(({ text }) => text).join("");
    assert.equal(await page.locator(".verdict .lead").innerText(), words(suite.text.lead));
    const verdict = await page.locator(".verdict").innerText();
    for (const text of [suite.text.counts, words(suite.text.compared), words(suite.text.next)]) assert.ok(verdict.includes(text), text);

    const endpoints = new Map(suite.run.endpoints.map((endpoint) => [label(endpoint), endpoint]));
    const cards = await page.evaluate(() =>
      [...document.querySelectorAll("details.endpoint")].map((card) => ({
        name: card.querySelector("summary code").textContent,
        said: card.querySelector("summary .soft").textContent,
        percentiles: [...card.querySelectorAll("figure:first-of-type tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent.trim())),
        shares: [...card.querySelectorAll("figure:last-of-type tbody tr")].map((row) => row.cells[row.cells.length - 1].textContent.trim()),
      })),
    );
    assert.equal(cards.length, endpoints.size);
    for (const card of cards) {
      const { requests, failures, metrics } = endpoints.get(card.name);
      const [, ...shown] = /^(.*) requests · p50 (.*) · p95 (.*) · p99 (.*) · errors (.*)$/.exec(card.said);
      assert.equal(number(shown[0]), requests, card.name);
      ["p50", "p95", "p99"].forEach((key, at) => same(shown[at + 1], metrics[PERCENTILES[key]]?.value, `${card.name} ${key}`));
      same(shown[4], failures / requests, card.name);
      assert.ok(card.percentiles.length > 1);
      for (const [key, before, now] of card.percentiles) {
        const known = metrics[PERCENTILES[key]]?.value;
        if (known !== undefined) same(now, known, `${card.name} ${key}`);
        const baseline = suite.before[card.name].percentiles[PERCENTILES[key]];
        if (baseline !== undefined) same(before, baseline, `${card.name} ${key} before`);
      }
      // Of the distribution each bar is rounded; together they are all but the rarest requests.
      const sum = card.shares.reduce((sum, share) => sum + number(share.replace("\u202f%", "")), 0);
      assert.ok(sum > 98.5 && sum < 100.5, `${card.name}: ${sum} %`);
    }

    const [course] = await cells(page, "h3 ~ figure[data-stops] table");
    const { slices } = suite.run.timeline;
    assert.equal(course.length, slices.length);
    course.forEach(([from, requests, p50, p95, errors, users], at) => {
      const slice = slices[at];
      assert.equal(number(requests), slice.requests, from);
      same(p50, slice.latency_p50, from);
      same(p95, slice.latency_p95, from);
      same(errors, slice.requests > 0 && typeof slice.failures === "number" ? slice.failures / slice.requests : undefined, from);
      same(users, slice.users, from);
    });

    const [errors] = await cells(page, '[aria-label="Errors by kind"] table');
    for (const [times, endpoint, message] of errors) {
      assert.ok(endpoints.get(endpoint).errors.some((error) => error.message === message && error.count === number(times)), `${endpoint} ${message}`);
    }
    const [rules] = await cells(page, '[aria-label="Rules"] table');
    for (const [, , limit, critical] of rules) {
      assert.ok(suite.rows.some(({ rule }) => rule && (rule.limit ?? "") === limit && (rule.critical ?? "") === critical), `${limit} ${critical}`);
    }
    await close();
  }
});

test("every figure of the site stands in the history, and its newest line equals report.json", async () => {
  const lines = readFileSync(join(folder, "weekly/.loadgate/history/default.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
  const newest = lines.at(-1);
  const [suite] = made.report("weekly").suites;
  const near = (one, other) => Math.abs(one - other) <= Math.abs(other) * 1e-5 + 1e-12;
  for (const endpoint of [...suite.run.endpoints, suite.run.total]) {
    const figures = newest.endpoints[label(endpoint)];
    assert.equal(figures.requests, endpoint.requests);
    for (const metric of ["latency_p50", "latency_p95", "latency_p99", "throughput"]) {
      assert.ok(near(figures[metric], endpoint.metrics[metric].value), `${label(endpoint)} ${metric}`);
    }
  }
  for (const row of suite.rows.filter(({ boundary, metric, status }) => boundary !== null && metric && !["info", "not_measured"].includes(status))) {
    assert.ok(near(newest.limits[row.endpoint][row.metric], row.boundary), `${row.endpoint} ${row.metric}`);
  }

  const overview = await open(`${origin}/weekly/site/index.html`);
  const [rows] = await cells(overview.page, "main table");
  const links = await overview.page.evaluate(() => [...document.querySelectorAll("td .name")].map((link) => link.getAttribute("href").slice(1)));
  await overview.close();
  assert.equal(rows.length, Object.keys(newest.endpoints).length);
  for (const [at, [name, , latency, errors, requests, change]] of rows.entries()) {
    const figures = newest.endpoints[name];
    same(latency.replace(/^p95 /, ""), figures.latency_p95, name);
    same(errors, figures.error_rate, name);
    same(requests, figures.throughput, name);
    const { page, close } = await open(`${origin}/weekly/site/cards/${links[at]}.html`);
    const [table] = await cells(page, "figure table");
    const list = await page.locator("article").innerText();
    await close();
    assert.equal(table.length, lines.length);
    table.forEach(([time, commit, p50, p95, p99, failed, rate], place) => {
      const line = lines[place];
      const figures = line.endpoints[name] ?? {};
      assert.equal(time, line.time.slice(0, 16).replace("T", " "));
      assert.equal(commit, line.commit.slice(0, 7));
      [["latency_p50", p50], ["latency_p95", p95], ["latency_p99", p99], ["error_rate", failed], ["throughput", rate]].forEach(([metric, text]) => same(text, figures[metric], `${name} ${time} ${metric}`));
    });
    if (change !== "none") {
      const [percent, day, commit] = change.split(" ").filter(Boolean);
      assert.ok(lines.some((line) => line.time.startsWith(day) && line.commit.startsWith(commit)), change);
      assert.ok(list.includes(`${percent} on ${day}, commit ${commit}`), `${change} / ${list}`);
      // The size of a change is that of the geometric means before and after; with one change these are all runs.
      if ((list.match(/ on \d{4}-/g) ?? []).length === 1) {
        const mean = (some) => some.reduce((sum, line) => sum + Math.log(line.endpoints[name].latency_p95), 0) / some.length;
        const known = lines.filter((line) => line.endpoints[name]);
        const ratio = Math.exp(mean(known.filter((line) => line.time.slice(0, 10) >= day)) - mean(known.filter((line) => line.time.slice(0, 10) < day))) - 1;
        size(percent, ratio, ratio, name);
      }
    }
  }
});

test("a chart is walked along by keys, and shown as a table", async () => {
  const { page, quiet, close } = await open(reportOf("shop"));
  const figure = page.locator("figure[data-stops]").first();
  await figure.locator(".plot").focus();
  await page.keyboard.press("ArrowRight");
  const first = await figure.locator(".tip").textContent();
  await page.keyboard.press("End");
  const last = await figure.locator(".tip").textContent();
  assert.notEqual(first, last);
  await figure.locator("summary").click();
  const cells = await figure.locator("tbody tr").last().locator("td").allTextContents();
  assert.ok(last.startsWith(cells[0]) && last.includes(cells[1]), `${last} / ${cells}`);
  assert.equal(await figure.locator("tbody tr").count(), (await figure.getAttribute("data-stops")).split(" ").length);
  await page.keyboard.press("Escape");
  await page.locator(".plot svg").first().hover();
  assert.notEqual(await figure.locator(".tip").textContent(), "");
  quiet();
  await close();
});

test("the run over time shows latency, rate, errors and users, with the ramp shaded", async () => {
  const { page, close } = await open(reportOf("shop"));
  const figure = page.locator("figure").first();
  assert.deepEqual(await figure.locator("text.cap").allTextContents(), ["latency p50 and p95", "requests per second", "error rate", "users"]);
  assert.match(await page.locator("main").innerText(), /shaded: the number of users changes/);
  const [plot, ...shades] = await page.evaluate(() => [".s.users", ".ramp"].flatMap((what) => [...document.querySelector("figure svg").querySelectorAll(what)].map((one) => one.getBoundingClientRect())).map(({ left, right }) => [left, right]));
  assert.equal(shades.length, 4);
  const quarter = plot[0] + (plot[1] - plot[0]) / 4;
  for (const [, right] of shades) assert.ok(right < quarter + 20, `${right} of ${quarter}`);
  await close();
});

test("each chart has a table of as many rows as it has stops", async () => {
  const cards = readdirSync(join(folder, "weekly/site/cards")).map((card) => `${origin}/weekly/site/cards/${card}`);
  for (const address of [reportOf("shop"), reportOf("many"), reportOf("hostile"), ...cards]) {
    const { page, close } = await open(address);
    const figures = await page.evaluate(() =>
      [...document.querySelectorAll("figure")].map((figure) => [figure.dataset.stops.split(" ").length, figure.querySelectorAll("table tbody tr").length, figure.querySelector("svg title").textContent, figure.querySelector("svg desc").textContent]),
    );
    assert.ok(figures.length > 0, address);
    for (const [stops, rows, title, text] of figures) {
      assert.equal(stops, rows, address);
      assert.ok(title && text, address);
    }
    await close();
  }
});

test("the policy of each page lets nothing in and nothing out", async () => {
  const card = readdirSync(join(folder, "weekly/site/cards"))[0];
  for (const address of [reportOf("shop"), `${origin}/weekly/site/index.html`, `${origin}/weekly/site/cards/${card}`]) {
    const { page, close } = await open(address);
    const policy = await page.locator('meta[http-equiv="Content-Security-Policy"]').getAttribute("content");
    assert.ok(policy.includes("default-src 'none'") && !/unsafe|https?:|\*/.test(policy), policy);
    await page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "globalThis.pwned = 1";
      document.body.append(script);
    });
    assert.equal(await page.evaluate("typeof pwned"), "undefined", address);
    assert.equal(await page.evaluate(() => fetch("http://127.0.0.1:9/").then(() => "let out", (error) => error.name)), "TypeError");
    await close();
  }
});

test("nothing moves, and print shows what is folded", async () => {
  const { page, quiet, close } = await open(reportOf("shop"), { reducedMotion: "reduce" });
  const moving = await page.evaluate(() => {
    const lasts = (style) => [style.transitionDuration, style.animationDuration].some((time) => parseFloat(time) > 0);
    return [...document.querySelectorAll("*")].filter((one) => lasts(getComputedStyle(one))).length + document.getAnimations().length;
  });
  assert.equal(moving, 0);
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  assert.equal(await page.locator("details.endpoint:not([open])").count(), 0);
  assert.equal(await page.getByRole("button").count(), 0);
  // Paper is white, whatever the screen is.
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(255, 255, 255)");
  quiet();
  await close();
});

test("search leaves what is looked for", async () => {
  const { page, quiet, close } = await open(reportOf("many"));
  const bodies = page.locator("[id^=rows-] tbody:not([hidden])");
  const all = await bodies.count();
  await page.getByRole("searchbox").first().fill("projects/8 p95");
  assert.equal(await bodies.count(), 1);
  assert.match(await page.locator("[role=status]").first().textContent(), new RegExp(`1 of ${all}`));
  await page.getByRole("searchbox").first().fill("");
  assert.equal(await bodies.count(), all);
  quiet();
  await close();
});

test("dark and light can be switched", async () => {
  const { page, close } = await open(reportOf("shop"), { colorScheme: "light" });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.getByRole("button", { name: "Dark or light" }).click();
  assert.notEqual(await ground(), light);
  await page.getByRole("button", { name: "Dark or light" }).click();
  assert.equal(await ground(), light);
  await close();
});

test("the overview is small, its cards come when they are near", async () => {
  for (const name of ["weekly", "long", "hostile"]) {
    const size = statSync(join(folder, name, "site/index.html")).size + statSync(join(folder, name, "site/style.css")).size + statSync(join(folder, name, "site/page.js")).size;
    assert.ok(size <= 80_000, `${name}: shell of ${size} bytes`);
    console.log(`# ${name}: shell ${size} bytes, ${readdirSync(join(folder, name, "site/cards")).length} cards`);
    const { page, asked, quiet, close } = await open(`${origin}/${name}/site/index.html`);
    await page.waitForTimeout(300);
    const early = asked.length;
    const card = page.locator(".card").last();
    await card.scrollIntoViewIfNeeded();
    await card.locator("figure svg").first().waitFor();
    if (name === "long") assert.ok(asked.length > early && early < 30, `${early} requests before scrolling`);
    assert.equal(await page.evaluate("typeof pwned"), "undefined");
    quiet();
    await close();
  }
  console.log(`# 400 runs x 50 endpoints: ${Math.round(made.milliseconds)} ms`);
});

test("every card has its own address, as a part of the overview and as a page", async () => {
  const overview = await open(`${origin}/long/site/index.html`);
  const link = overview.page.locator("table a").nth(40);
  const address = await link.getAttribute("href");
  await overview.close();
  const { page, quiet, close } = await open(`${origin}/long/site/index.html${address}`);
  const card = page.locator(address);
  await card.locator("figure svg").first().waitFor();
  await page.waitForTimeout(400);
  assert.ok(await card.evaluate((one) => one.getBoundingClientRect().top < innerHeight && one.getBoundingClientRect().bottom > 0));
  quiet();
  await close();
  const own = await open(`${origin}/long/site/cards/${address.slice(1)}.html`);
  await own.page.locator(".plot").focus();
  await own.page.keyboard.press("End");
  assert.match(await own.page.locator(".tip").textContent(), /2026-11-23/);
  own.quiet();
  await own.close();
});

test("the site says what changed and what is missing", async () => {
  const { page, quiet, close } = await open(`${origin}/weekly/site/index.html`);
  const text = await page.locator("main").innerText();
  assert.match(text, /2 runs are missing between 2026-\d\d-\d\d and 2026-\d\d-\d\d \(usually one every 7 days\)/);
  const first = await page.locator("table tbody").first().innerText();
  assert.match(first, /rag_service/);
  assert.match(first, /\+3\d/);
  quiet();
  await close();
});

test("everything can be read without script, and as a file", async () => {
  for (const address of [reportOf("shop"), file("weekly/site/index.html"), `${origin}/weekly/site/index.html`]) {
    const { page, close } = await open(address, { javaScriptEnabled: false });
    assert.ok((await page.locator("svg path, svg use").count()) > 3);
    await close();
  }
  const { page, close } = await open(file("weekly/site/index.html"));
  await page.locator("a[data-card]").first().click();
  await page.locator("figure svg").first().waitFor();
  assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector("figure svg")).display), "block");
  await close();
});

test("no page is wider than a phone", async () => {
  for (const address of [reportOf("shop"), reportOf("hostile"), `${origin}/weekly/site/index.html`]) {
    const { page, close } = await open(address, { viewport: { width: 360, height: 700 } });
    await page.waitForTimeout(200);
    const [wide, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= seen, `${address}: ${wide} of ${seen}`);
    await close();
  }
});

test("no label of a chart is cut off or covers another", async () => {
  const cards = readdirSync(join(folder, "weekly/site/cards")).map((card) => `${origin}/weekly/site/cards/${card}`);
  for (const address of [reportOf("shop"), reportOf("many"), ...cards]) {
    for (const width of [1200, 390]) {
      const { page, close } = await open(address, { viewport: { width, height: 900 } });
      const wrong = await page.evaluate(() => {
        document.querySelectorAll("details.endpoint").forEach((fold) => (fold.open = true));
        return [...document.querySelectorAll("figure svg")].flatMap((svg) => {
          const whole = svg.getBoundingClientRect();
          // Letters are lower than their box: its upper and lower fifth are air.
          const boxes = [...svg.querySelectorAll("text")].map((text) => {
            const { left, right, top, bottom, height } = text.getBoundingClientRect();
            return { text: text.textContent, left, right, top: top + height / 5, bottom: bottom - height / 5 };
          });
          const cut = boxes.filter(({ left, right, top, bottom }) => left < whole.left - 1 || right > whole.right + 1 || top < whole.top - 1 || bottom > whole.bottom + 1);
          const covered = boxes.filter((one, at) => boxes.some((other, place) => place < at && one.left < other.right - 1 && other.left < one.right - 1 && one.top < other.bottom - 1 && other.top < one.bottom - 1));
          return [...cut.map(({ text }) => `cut: ${text}`), ...covered.map(({ text }) => `covers another: ${text}`)].map((said) => `${svg.querySelector("title").textContent}: ${said}`);
        });
      });
      assert.deepEqual(wrong.slice(0, 10), [], `${address} at ${width}`);
      await close();
    }
  }
});

test("no serious finding of axe-core, in light and dark", async () => {
  const card = readdirSync(join(folder, "weekly/site/cards"))[0];
  for (const address of [reportOf("shop"), reportOf("hostile"), `${origin}/weekly/site/index.html`, `${origin}/weekly/site/cards/${card}`]) {
    for (const colorScheme of ["light", "dark"]) assert.deepEqual(await findings(address, colorScheme), [], address);
  }
});

test("the pages are valid HTML", async () => {
  const card = readdirSync(join(folder, "weekly/site/cards"))[0];
  for (const path of ["shop/loadgate-report/report.html", "hostile/loadgate-report/report.html", "weekly/site/index.html", "hostile/site/index.html", `weekly/site/cards/${card}`]) {
    await valid(path);
  }
});

test("pictures for people to look at", async () => {
  await shoot(reportOf("shop"), "report");
  await shoot(`${origin}/weekly/site/index.html`, "site");
  const narrow = await open(`${origin}/weekly/site/index.html`, { viewport: { width: 390, height: 844 } });
  await narrow.page.waitForTimeout(300);
  await narrow.page.screenshot({ path: join(folder, "shots", "site-narrow.png"), fullPage: true });
  await narrow.close();
});
