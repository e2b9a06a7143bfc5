// Draws docs/failing-report.png anew from the seed case: LOADGATE=target/release/loadgate node tests/browser/picture.mjs
import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { loadgate } from "./make.mjs";

const BASELINE = "load_results_baseline_20251017_143004.csv";
const CURRENT = "load_results_api_20251017_143004.csv";
const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "loadgate-picture-"));
for (const name of [BASELINE, CURRENT]) copyFileSync(join(root, "tests/fixtures/seed", name), join(folder, name));
loadgate(folder, "check", "--baseline", BASELINE, CURRENT);
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"] });
const page = await browser.newPage({ viewport: { width: 1080, height: 640 }, colorScheme: "light", deviceScaleFactor: 1.25 });
await page.goto(pathToFileURL(join(folder, "loadgate-report/report.html")).href);
const picture = join(root, "docs/failing-report.png");
await page.screenshot({ path: picture });
await browser.close();
rmSync(folder, { recursive: true });
console.log(`${picture}: ${statSync(picture).size} bytes`);
