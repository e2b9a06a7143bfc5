// Reads figures back from their words and holds them against the raw ones: three digits are shown, and nothing else differs.
import assert from "node:assert/strict";

const UNITS = [["\u202f%", 0.01], [" ms", 1], ["/s", 1], [" s", 1_000], ["", 1]];

export const number = (text) => {
  const plain = Number(text.replaceAll("\u202f", "").replace("\u2212", "-").replace(/^\+/, ""));
  assert.ok(Number.isFinite(plain), `"${text}" is no number`);
  return plain;
};

const measured = (text) => {
  const [suffix, factor] = UNITS.find(([suffix]) => text.endsWith(suffix));
  return [number(text.slice(0, text.length - suffix.length)), factor];
};

/** Half of the third digit. */
const half = (shown) => (shown === 0 ? 0.5e-6 : 0.5 * 10 ** (Math.floor(Math.log10(Math.abs(shown))) - 2));

const close = (shown, factor, raw, what) => {
  assert.ok(typeof raw === "number", `${what}: ${shown} is shown, the file has ${raw}`);
  const allowed = half(shown) * factor * 1.000001 + 1e-12;
  assert.ok(Math.abs(shown * factor - raw) <= allowed, `${what}: ${shown} x ${factor} is shown, the file has ${raw}`);
};

/** `538 ms`, or `–` where nothing is known. */
export const same = (text, raw, what) => {
  if (text === "–") return assert.ok(raw === undefined || raw === null, `${what}: nothing is shown, the file has ${raw}`);
  const [shown, factor] = measured(text);
  return close(shown, factor, raw, what);
};

/** `412 → 538 ms` */
export const both = (text, row, what) => {
  const [before, now] = text.split(" → ");
  if (now === undefined) return same(before, row.current ?? row.baseline, what);
  const [shown, factor] = measured(now);
  close(shown, factor, row.current, what);
  return close(number(before), factor, row.baseline, what);
};

/** `+31 %`, `+1.33 points` at the start of the text. */
export const size = (text, relative, difference, what) => {
  const points = /^(\S+) points/.exec(text);
  if (points) return assert.ok(Math.abs(number(points[1]) - difference * 100) <= 0.005_001, `${what}: ${text} and ${difference}`);
  const percent = /^(\S+)\u202f%/.exec(text);
  if (!percent) return assert.ok(relative === null, `${what}: ${text}`);
  const shown = number(percent[1]);
  return assert.ok(Math.abs(shown - relative * 100) <= (Math.abs(shown) < 9.95 ? 0.050_001 : 0.500_001), `${what}: ${text} and ${relative}`);
};
