import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const maxLines = 400;
/** A file under so many lines often makes sense only beside another, and belongs into it. */
const shortLines = 40;
/** The share of such files. */
const mostShort = 0.3;
/** What a file over the limit says within its first ten lines. */
const reasonPattern = /^\/\/ Over 400 lines: .{20,}/m;

function filesOf(folder: string): { name: string; text: string; lines: number }[] {
  return readdirSync(root + folder, { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((name) => /\.(ts|mjs)$/.test(name) && !/\/(?:gen\/|\.)/.test(name))
    .map((name) => {
      const text = readFileSync(root + name, "utf8");
      return { name, text, lines: text.split("\n").length - 1 };
    });
}

test("no file is longer than 400 lines without a reason at its top", () => {
  const folders = readdirSync(root).filter((name) => ["src", "tests", "tools", "examples", "bench"].includes(name));
  const tooLong = folders
    .flatMap(filesOf)
    .filter(({ lines, text }) => lines > maxLines && !reasonPattern.test(text.split("\n").slice(0, 10).join("\n")))
    .map(({ name, lines }) => `${name}: ${lines} lines`);
  expect(tooLong).toEqual([]);
});

test("source files are neither scraps nor stacks: few are under 40 lines, and the median is near 100", () => {
  const lengths = filesOf("src")
    .filter(({ name }) => !/\/(index|internal)\.ts$/.test(name))
    .map(({ lines }) => lines)
    .sort((a, b) => a - b);
  const short = lengths.filter((lines) => lines < shortLines).length;
  expect(short / lengths.length).toBeLessThanOrEqual(mostShort);
  const median = lengths[Math.floor(lengths.length / 2)];
  expect(median).toBeGreaterThanOrEqual(60);
  expect(median).toBeLessThanOrEqual(120);
});
