import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { accessRules, tokenAuthenticator } from "troupe/security";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { benchCommand } from "../../../src/cli/bench/bench.ts";
import { reportText } from "../../../src/cli/bench/bench-report.ts";
import { Durations } from "../../../src/cli/bench/durations.ts";
import { EventCounts } from "../../../src/cli/bench/event-load.ts";
import { testCertificate, testKey } from "../../support/test-certificate.ts";
import { run } from "../admin/running.ts";

/** One host with TLS, tokens and rules for all tests of this file. */
const site = { folder: "", host: undefined as GrpcWorkerAgentRuntimeHost | undefined };

beforeAll(async () => {
  site.folder = mkdtempSync(join(tmpdir(), "troupe-bench-"));
  writeFileSync(join(site.folder, "ca.pem"), testCertificate);
  for (const name of ["operator", "guest"]) writeFileSync(join(site.folder, name), `${name}-token-0123456789\n`);
  const bench = { types: "troupe-bench-*", topics: "troupe-bench-*" };
  site.host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
    channelOptions: { tls: { cert: testCertificate, key: testKey } },
    authenticator: tokenAuthenticator({ text: "operator operator-token-0123456789\nguest guest-token-0123456789" }),
    rules: accessRules([
      { principal: "operator", allow: ["register", "call", "publish", "subscribe"], ...bench },
      { principal: "guest", allow: "register", types: "*" },
    ]),
  });
  await site.host.start();
});

afterAll(async () => {
  await site.host?.stop();
  rmSync(site.folder, { recursive: true });
});

const flags = (token: string): readonly string[] => [
  ...["--address", site.host?.address ?? "", "--tls-ca", join(site.folder, "ca.pem")],
  ...["--token-file", join(site.folder, token), "--seconds", "1"],
];
const bench = (...args: readonly string[]) => run(benchCommand(), ...args);

describe("troupe bench", () => {
  test("measures calls and events over TLS under the rules, says by which way, and leaves nothing behind", async () => {
    const loads = ["--in-flight", "4", "--bytes", "64", "--subscribers", "2"];
    const { out, exitCode } = await bench(...loads, "--json", ...flags("operator"));
    const { way, seconds, calls, events } = JSON.parse(out);
    const address = site.host?.address;
    expect([exitCode, seconds]).toEqual([0, 1]);
    expect(way).toEqual({ address, isEncrypted: true, callerAt: address, echoAt: address });
    expect(calls).toMatchObject([{ bytes: 64, inFlight: 4, failed: 0, code: null }]);
    expect(events).toMatchObject([{ bytes: 64, subscribers: 2, missing: 0 }]);
    expect(calls[0].callsPerSecond).toBeGreaterThan(0);
    expect(events[0].eventsPerSecond).toBeGreaterThan(0);
    for (const { p50Ms, p99Ms, maxMs } of [calls[0], events[0]]) expect(p50Ms <= p99Ms && p99Ms <= maxMs).toBe(true);
    expect(events[0].deliveriesPerSecond).toBeCloseTo(2 * events[0].eventsPerSecond, 1);
    const { agentTypes, subscriptions, channels } = site.host?.counters() ?? {};
    expect([agentTypes, subscriptions, channels]).toEqual([0, 0, 0]);
  });

  test("says what the rules must allow, and which loads are too large", async () => {
    await expect(bench("--in-flight", "1", "--subscribers", "0", ...flags("guest"))).rejects.toMatchObject({
      ...{ code: "not-authorized", exitCode: 3 },
      message: expect.stringMatching(
        /No rule of this host allows it.* allow register and call for the types troupe-bench-\*/,
      ),
    });
    await expect(bench("--in-flight", "10000", "--bytes", "1048576", ...flags("operator"))).rejects.toThrow(
      "more than 256 MiB under way",
    );
    await expect(bench("--address", "127.0.0.1:1")).rejects.toMatchObject({ exitCode: 2 });
  });
});

test("the text says by which way the messages went, also over two hosts of a cluster", () => {
  const way = { address: "a:1", isEncrypted: false, callerAt: "a:1", echoAt: "a:1" };
  const times = { p50Ms: 1, p95Ms: 2, p99Ms: null, maxMs: 3 };
  const calls = [{ bytes: 64, inFlight: 1, callsPerSecond: 10, ...times, failed: 2, code: "overloaded" as const }];
  const textOf = (more: Partial<typeof way>) => reportText({ way: { ...way, ...more }, seconds: 1, calls, events: [] });
  expect(textOf({})).toMatch(/^a:1, without TLS; one host\n/);
  expect(textOf({})).toMatch(/64 B +1 +10 +1\.00 +2\.00 +– +3\.00 +2 \(overloaded\)/);
  expect(textOf({ isEncrypted: true, echoAt: "b:1" })).toContain(
    "with TLS; over two hosts of a cluster: the caller at a:1, its agent at b:1",
  );
  expect(textOf({ callerAt: "c:1", echoAt: "c:1" })).toContain("the host at c:1 has taken both");
});

test("durations are told by their shares, and of very many the newest count", () => {
  const durations = new Durations();
  expect(durations.summary()).toEqual({ p50Ms: null, p95Ms: null, p99Ms: null, maxMs: null });
  for (let ms = 1; ms <= 100; ms += 1) durations.add(ms);
  expect(durations.summary()).toEqual({ p50Ms: 50, p95Ms: 95, p99Ms: 99, maxMs: 100 });
  for (let count = 0; count < 200_000; count += 1) durations.add(7);
  expect([durations.count, durations.summary().p99Ms, durations.summary().maxMs]).toEqual([200_100, 7, 100]);
});

test("an event is done when its last subscriber has it, and one that is missing is counted", async () => {
  const counts = new EventCounts();
  const done: number[] = [];
  counts.onDone((ms) => done.push(ms));
  counts.expect(1, 2);
  counts.expect(2, 1);
  counts.heard(1);
  counts.heard(9);
  expect([counts.size, done.length]).toEqual([2, 0]);
  const next = counts.next();
  counts.heard(1);
  expect([await next, counts.size, done.length]).toEqual([true, 1, 1]);
  expect([counts.forget(), counts.size]).toEqual([1, 0]);
});
