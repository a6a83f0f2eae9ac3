import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { isDeployed, parseHostArguments, readDeployed } from "./deploy-files.ts";

const root = resolve(import.meta.dirname, "../../..");
const dockerfile = readDeployed("docker/Dockerfile");
const line = (word: string): string => new RegExp(`^ *${word} (.*)$`, "m").exec(dockerfile)?.[1] ?? "";
/** Packages that only programs with agents use. */
const ofWorkers: ReadonlySet<string> = new Set(["ai"]);
const manifest = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));

describe("the image", () => {
  test("has all packages that troupe host may use, in the versions of the tests", () => {
    const { dependencies } = JSON.parse(readDeployed("docker/package.json"));
    const wanted = { ...manifest.dependencies };
    const peers = Object.keys(manifest.peerDependencies).filter((name) => !ofWorkers.has(name));
    for (const name of peers) wanted[name] = manifest.devDependencies[name];
    expect(dependencies).toEqual(wanted);
    const { packages } = JSON.parse(readDeployed("docker/package-lock.json"));
    expect(packages[""].dependencies).toEqual(dependencies);
  });

  test("starts the host with flags that it has, and stops within the time that Docker leaves", () => {
    const [words = ""] = /(?<=^CMD )\["host".*$/m.exec(dockerfile) ?? [];
    const flags = parseHostArguments(JSON.parse(words));
    expect(flags.graceSeconds).toBeLessThan(10);
    expect(flags.tlsCert).toBeDefined();
    expect(flags.tokens).toBeDefined();
    expect(flags.insecure).toBe(false);
  });

  test("runs as a user that is not root, and probes by a program that it has", () => {
    expect(line("USER")).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    const [, program = ""] = /node_modules\/troupe\/deploy\/([\w/.-]+)/.exec(dockerfile) ?? [];
    expect(isDeployed(program)).toBe(true);
    expect(manifest.files).toContain("deploy");
  });

  test("is built from files that .dockerignore lets in, and gets no secrets", () => {
    const lines = readFileSync(`${root}/.dockerignore`, "utf8").split("\n");
    const allowed = lines.filter((one) => one.startsWith("!")).map((one) => one.slice(1));
    const fits = (name: string) =>
      allowed.some((pattern) => new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", ".*")}$`).test(name));
    const needed = [
      ".npmrc",
      "package.json",
      "package-lock.json",
      "tsconfig.json",
      "tsconfig.build.json",
      "src",
      "tools",
    ];
    // What package.json packs is in the image, too.
    const packed = manifest.files.filter((name: string) => !name.startsWith("!") && name !== "dist");
    for (const name of [...needed, ...packed.map((path: string) => path.split("/")[0])]) {
      expect(fits(name), name).toBe(true);
      expect(readdirSync(root)).toContain(name);
    }
    expect(fits(".git") || fits("node_modules") || fits(".venvs") || fits("troupe-data")).toBe(false);
    expect(lines).toEqual(expect.arrayContaining(["*", "deploy/**/secrets", "deploy/**/*.key"]));
  });
});
