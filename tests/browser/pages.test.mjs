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
    await close();
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

test("no serious finding of axe-core, in light and dark", async () => {
  const card = readdirSync(join(folder, "weekly/site/cards"))[0];
  for (const address of [reportOf("shop"), `${origin}/weekly/site/index.html`, `${origin}/weekly/site/cards/${card}`]) {
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
});
