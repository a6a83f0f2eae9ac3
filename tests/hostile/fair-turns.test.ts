import process from "node:process";
import { beforeEach, expect, test } from "vitest";
import type { HonestReport } from "../../bench/hostile/honest.ts";
import { fact } from "../support/load/facts.ts";
import { testCertificate, testKey } from "../support/test-certificate.ts";
import type { HostileHostConfig } from "./programs/host.ts";
import { Siege } from "./support/siege.ts";

/**
 * Limit of the processor time that the host uses while an honest call or event waits, in ms. A busy machine does not hold it yet
 * when attackers have the honest workers' own address. Registrations from 100 and 600 connections took 0.2 to 1.6 seconds. Newcomers took 0.8
 * to 4.2 seconds. The host then has up to 22,000 streams open, and collects their garbage in much of its time. Bombs over 20 and 100 connections
 * took 100 to 700 ms, and newcomers 0.3 to 1.6 s.
 */
const mostWorkMs = 250;
/** Limit while a newcomer connects, opens its channel and calls: each of these waits for its turn. */
const mostNewcomerWorkMs = 1_000;

/** The honest workers' own address, and another one. */
const sameAddress = ["127.0.0.1"];
const otherAddress = ["127.0.0.2"];
const manyAddresses = Array.from({ length: 30 }, (_, at) => `127.0.1.${at + 1}`);
const tls: HostileHostConfig = { channelOptions: { tls: { key: testKey, cert: testCertificate } } };

/** Limit of a test, in ms: it measures no time, but a busy machine needs long for the flood. */
const patienceMs = 150_000;

beforeEach((context) => {
  if (process.platform !== "linux")
    context.skip("needs Linux: many loopback addresses, and the processor time of a process");
});

interface Attack {
  readonly name: string;
  /** Default: from the honest workers' own address, then from another one. */
  readonly from?: readonly (readonly string[])[];
  readonly config?: HostileHostConfig;
  /** Whether it must come to its end once. Default: false. */
  readonly isWhole?: boolean;
}

/** The honest workers are served, keep their connections, and do not wait for the flood. */
function expectServed(name: string, { probes, lostConnections }: HonestReport): void {
  const longest = probes.map((probe) => {
    const longestMs = Math.max(0, ...probe.works);
    return { ...probe, longestMs, isLeaving: probe.leftAt > 0 && probe.works.indexOf(longestMs) >= probe.leftAt };
  });
  fact(
    name,
    longest
      .map(
        (one) =>
          `${one.name}: ${one.longestMs.toFixed(0)} ms of work${one.isLeaving ? " at the attackers' leaving" : ""}, ${one.rounds} rounds`,
      )
      .join("; "),
  );
  const waited = longest.filter(
    (one) => one.longestMs > (one.name === "newcomer" ? mostNewcomerWorkMs : mostWorkMs) || one.rounds === 0,
  );
  expect({
    lostConnections,
    failures: longest.flatMap(({ failures }) => failures),
    waits: waited.map((one) => `${one.name} waited for ${one.longestMs.toFixed(0)} ms of the host's work`),
  }).toEqual({ lostConnections: [], failures: [], waits: [] });
}

const attacks: readonly Attack[] = [
  { name: "900 listings of 20,000 subscriptions in one write" },
  { name: "gzip bombs as unary calls over 1 connection" },
  { name: "gzip bombs as unary calls over 20 connections" },
  { name: "gzip bombs as unary calls over 100 connections" },
  { name: "gzip bombs on the data channels of 20 connections" },
  { name: "registrations from 20 connections" },
  { name: "registrations from 100 connections" },
  { name: "registrations from 600 connections", from: [sameAddress, otherAddress, manyAddresses] },
  { name: "rapid resets over 20 connections", from: [sameAddress, otherAddress, manyAddresses] },
  { name: "events for 2,000 workers in one chunk" },
  { name: "control channels that end with 100,000 waits", isWhole: true },
  { name: "half-closed streams of 20 connections" },
  { name: "PING frames from 20 connections" },
  { name: "SETTINGS frames from 20 connections" },
  { name: "WINDOW_UPDATE frames from 20 connections" },
  { name: "DATA frames of one byte from 20 connections" },
  { name: "connects that hang up at once" },
  { name: "TLS handshakes that are cut", config: tls },
];

for (const { name, config, from = [sameAddress, otherAddress], isWhole = false } of attacks) {
  test(`honest workers are served in their turn under ${name}`, { timeout: patienceMs }, async () => {
    await using siege = await Siege.lay(config);
    for (const addresses of from) {
      const { honest, flood } = await siege.endure(name, { from: addresses, isWhole });
      expect(flood.sent).toBeGreaterThan(0);
      expectServed(`${name}, from ${addresses.length} × ${addresses[0]}`, honest);
    }
  });
}

const subscriptionsToAll = "subscriptions to all topics that nobody serves";

test("events cost the host no more when 80,000 subscriptions to all topics are for types that nobody serves", {
  timeout: patienceMs,
}, async () => {
  await using siege = await Siege.lay();
  const before = await siege.calm("event");
  await siege.prepare(subscriptionsToAll, sameAddress);
  const after = await siege.calm("event");
  const [costBefore = 0, costAfter = 0] = [before, after].map(
    ({ workMs, probes }) => workMs / (probes[0]?.rounds ?? 0),
  );
  fact("an event", `${costBefore} ms of work without, ${costAfter} ms with 80,000 subscriptions`);
  expectServed(subscriptionsToAll, after);
  expect(costAfter).toBeLessThan(3 * costBefore);
});
