import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const architecture = readFileSync(`${root}ARCHITECTURE.md`, "utf8");
const sources = readdirSync(`${root}src`, { recursive: true, withFileTypes: true }).map((entry) => ({
  path: `${entry.parentPath.replaceAll("\\", "/")}/${entry.name}`.slice(root.length),
  isFolder: entry.isDirectory(),
}));

test("every source file that ARCHITECTURE.md names exists", () => {
  const names = [...architecture.matchAll(/`([\w./-]+\.ts)`/g)].map(([, name = ""]) => name);
  expect(names.length).toBeGreaterThan(100);
  const files = sources.filter(({ isFolder }) => !isFolder).map(({ path }) => `/${path}`);
  expect(names.filter((name) => !files.some((path) => path.endsWith(`/${name}`)))).toEqual([]);
});

test("ARCHITECTURE.md names every folder of the rooms core, worker and host", () => {
  const folders = sources.filter(({ path, isFolder }) => isFolder && /^src\/(core|worker|host)\//.test(path));
  const names = folders.map(({ path }) => path.replace(/^src\/\w+\//, ""));
  expect(names.length).toBeGreaterThan(20);
  expect(names.filter((name) => !architecture.includes(`\`${name}\``))).toEqual([]);
});
