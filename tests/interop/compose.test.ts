import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { haproxy, ProxyProcess, whyNot } from "../e2e/proxies/support/proxy-process.ts";
import { NodeProgram } from "../support/node-program.ts";
import { PostgresServer, postgresAbsence } from "../support/postgres-server.ts";
import { generations } from "./support/generations.ts";

const root = resolve(import.meta.dirname, "../..");
const folder = join(root, "deploy/compose");
const { services } = parse(readFileSync(join(folder, "compose.yaml"), "utf8"), { merge: true });
const [python] = generations.filter(({ name }) => name === "gen3");
const why = python?.skipReason ?? whyNot(haproxy) ?? postgresAbsence();

/** The collector: it notes which paths the worker sends to. */
async function startCollector(): Promise<{ readonly url: string; readonly got: (path: string) => Promise<void> }> {
  const seen = new Map<string, () => void>();
  const arrivals = new Map<string, Promise<void>>();
  for (const path of ["/v1/traces", "/v1/metrics"])
    arrivals.set(path, new Promise((arrived) => seen.set(path, arrived)));
  const server = createServer((request: IncomingMessage, response) => {
    request.resume().once("end", () => {
      seen.get(request.url ?? "")?.();
      response.setHeader("content-type", "application/json").end("{}");
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, got: async (path) => arrivals.get(path) };
}

/** Runs a program of Python, and resolves to what it has written when `pattern` is in it. */
function output(child: ChildProcess, pattern: RegExp): Promise<string> {
  let text = "";
  return new Promise((found, failed) => {
    const take = (chunk: Buffer) => {
      text += chunk.toString();
      if (pattern.test(text)) found(text);
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
    child.once("exit", () => failed(new Error(`it has ended: ${text}`)));
  });
}

/** The services of compose.yaml as processes of this machine: what differs are addresses, and the paths of secrets. */
test("the services of compose.yaml work together: a locked host on PostgreSQL, a worker in TypeScript, one in Python", async (context) => {
  if (why !== undefined || python?.python === undefined) return context.skip(why ?? "needs AutoGen 0.7.5");
  const secrets = mkdtempSync(join(tmpdir(), "troupe-compose-"));
  onTestFinished(() => rmSync(secrets, { recursive: true }));
  const cli = `${process.execPath} --import ${join(root, "tools/typescript.mjs")} -C troupe-source ${join(root, "src/cli/main.ts")}`;
  const makeSecrets = () =>
    execFileSync(join(folder, "make-secrets.sh"), [secrets], { env: { ...process.env, TROUPE: cli }, stdio: "pipe" });
  makeSecrets();
  await using postgres = await PostgresServer.start();
  const here = (text: string): string =>
    text
      .replaceAll("/run/secrets", secrets)
      .replace("/etc/troupe", join(folder, "host"))
      .replace("0.0.0.0:50051", "127.0.0.1:0")
      .replace("0.0.0.0:9464", "127.0.0.1:0")
      .replace("postgres://troupe@postgres:5432/troupe", postgres.url());
  const work = join(secrets, "work");
  execFileSync("mkdir", [work]);
  await using host = new NodeProgram("src/cli/main.ts", services.host.command.map(here), { cwd: work });
  const [, address = ""] = await host.output(/^troupe host listening on (\S+)$/m);
  const collector = await startCollector();
  const { environment } = services["typescript-worker"];
  const env = Object.fromEntries(Object.entries<string>(environment).map(([name, value]) => [name, here(value)]));
  const where = { TROUPE_HOST: address.replace("127.0.0.1", "localhost"), OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  await using greeter = new NodeProgram("deploy/compose/typescript-worker/worker.ts", [], {
    env: { ...env, ...where },
  });
  await greeter.output(/the greeter is ready/);

  const proxyFile = {
    ...haproxy,
    folder: join(folder, "python-worker"),
    configure: (text: string) => here(text).replace("host:50051", address).replace("127.0.0.1:50050", "127.0.0.1:PORT"),
  };
  const token = readFileSync(join(secrets, "french-greeter.token"), "utf8").trim();
  await using proxy = await ProxyProcess.start(proxyFile, { host: address, environment: { TROUPE_TOKEN: token } });
  const pythonEnv = { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: undefined };
  const french = spawn(python.python, [join(folder, "python-worker/worker.py"), proxy.address], {
    env: pythonEnv,
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void french.kill("SIGKILL"));
  const ended = new Promise((resolveEnd) => french.once("exit", resolveEnd));
  expect(await output(french, /Ada !/)).toContain("Hello, Ada! Bonjour, Ada !");
  // The image's probe, and what the command line sees.
  const probe = execFileSync(process.execPath, [join(root, "deploy/docker/health.mjs"), "ready"], { cwd: work });
  expect(probe.toString()).toContain('"serving"');
  const listed = await new NodeProgram("src/cli/main.ts", ["workers", "--json"], { cwd: work }).ended;
  const rows: { types: string[] }[] = JSON.parse(listed.stdout).rows;
  expect(rows.flatMap(({ types }) => types).sort()).toEqual(["french_greeter", "greeter"]);
  // New tokens for all: nobody who is there loses the session, and the old token opens no other.
  writeFileSync(join(secrets, "old.token"), readFileSync(join(secrets, "greeter.token")));
  makeSecrets();
  await using stranger = new NodeProgram("deploy/compose/typescript-worker/worker.ts", [], {
    env: { ...env, ...where, TROUPE_TOKEN_FILE: join(secrets, "old.token") },
  });
  expect((await stranger.ended).stderr).toMatch(/not-authorized/);
  expect(greeter.isRunning).toBe(true);
  // The end sends what is left to the collector.
  expect((await greeter.stop()).code).toBe(0);
  await Promise.all([collector.got("/v1/traces"), collector.got("/v1/metrics")]);
  french.kill("SIGTERM");
  expect(await ended).toBe(0);
  expect((await host.stop()).code).toBe(0);
});
