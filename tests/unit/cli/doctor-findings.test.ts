import { expect, test } from "vitest";
import { findingsOf } from "../../../src/cli/doctor/findings.ts";
import type { CoordinationCheck } from "../../../src/cluster/internal.ts";
import {
  atLeast,
  clusteredVersion,
  mayLoseStreams,
  oldestVersion,
  recommendedVersion,
} from "../../../src/nats/internal.ts";

const versions = { atLeast, clusteredVersion, mayLoseStreams, oldestVersion, recommendedVersion };
const server = {
  ...{ address: "n1:4222", name: "n1", version: "2.12.3", isClustered: true, hasJetStream: true, roundTripMs: 1 },
  problem: null,
};
const check: CoordinationCheck = { servers: [server], streams: [], clockAheadMs: 10, rights: [], hosts: [] };

function outcomesOf(given: Partial<CoordinationCheck>): ReadonlyMap<string, readonly [string, string]> {
  const findings = findingsOf({ ...check, ...given }, versions);
  return new Map(findings.map(({ check: name, outcome, text }) => [name, [outcome, text]]));
}

test.each([
  ["2.8.4", false, "failed", /older than 2\.9\.0/],
  ["2.10.18", true, "failed", /two hosts win one race/],
  ["2.10.18", false, "warning", /works\. Run nats-server 2\.12\.3 or newer/],
  ["2.10.21", false, "warning", /may lose a stream/],
  ["2.12.3", true, "ok", /2\.12\.3/],
  ["", false, "failed", /older than/],
] as const)("nats-server %s, in a cluster of servers: %s, is judged as %s", (version, isClustered, outcome, text) => {
  const found = outcomesOf({ servers: [{ ...server, version, isClustered }] }).get("version of n1:4222");
  expect(found).toEqual([outcome, expect.stringMatching(text)]);
});

test("servers that are away, slow, alone or without JetStream are said, and clocks that differ", () => {
  const away = { ...server, address: "n2:4222", version: "", hasJetStream: false, problem: "It is away." };
  const servers = [{ ...server, roundTripMs: 900 }, { ...server, address: "n3:4222", hasJetStream: false }, away];
  const found = outcomesOf({ servers, clockAheadMs: -7_000 });
  expect(found.get("NATS server n1:4222")?.[0]).toBe("warning");
  expect(found.get("JetStream at n3:4222")?.[0]).toBe("failed");
  expect(found.get("NATS server n2:4222")).toEqual(["failed", "It is away."]);
  expect(found.has("version of n2:4222")).toBe(false);
  expect(found.get("number of NATS servers")?.[0]).toBe("ok");
  expect(found.get("clock")).toEqual(["warning", expect.stringContaining("7.0 s")]);
  expect(outcomesOf({}).get("number of NATS servers")?.[0]).toBe("warning");
  expect(outcomesOf({ clockAheadMs: null }).get("clock")?.[0]).toBe("skipped");
});

test("each right has what to do if it is missing, without control characters", () => {
  const right = { what: "writes claims", subject: "$KV.x", outcome: "refused", detail: "no \u001b[31m" } as const;
  const found = outcomesOf({ rights: [right, { ...right, what: "writes mail", outcome: "no answer" }] });
  expect(found.get("right: writes claims")).toEqual([
    "failed",
    expect.stringMatching(/refuses \$KV\.x: no .*Give the login/),
  ]);
  expect(found.get("right: writes claims")?.[1]).not.toContain("\u001b");
  expect(found.get("right: writes mail")).toEqual(["failed", expect.stringContaining("right to publish to $KV.x")]);
});
