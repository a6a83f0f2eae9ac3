import { setTimeout as pause } from "node:timers/promises";
import { startHost } from "../peers/start-host.ts";
import { ProcessGroup } from "../support/process-group.ts";
import { programCommand } from "../support/project.ts";
import type { HonestReport } from "./honest.ts";
import { Attackers, Honest } from "./peers.ts";

/** Times of honest calls, of stock workers and of Troupe's together. */
export interface CallTimes {
  readonly calls: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface Measured {
  readonly calm: CallTimes;
  readonly flooded: CallTimes;
  /** How much longer the longest call took under the flood. */
  readonly moreMs: number;
  readonly failedCalls: number;
  readonly lostConnections: number;
  /** Items that the attackers have sent, as the flood counts them. */
  readonly sent: number;
}

interface Measuring {
  /** Of the calm, and of the flood. */
  readonly seconds: number;
  /** Local address of the attackers. */
  readonly from: string;
}

/** Measures honest calls without and then under a flood, on a host of its own. */
export async function measureFlood(name: string, { seconds, from }: Measuring): Promise<Measured> {
  const group = new ProcessGroup(name);
  try {
    const address = await startHost(group, "troupe");
    const pid = group.get("host").pid ?? 0;
    const honest = await Honest.start(programCommand(import.meta, "honest", address, `${pid}`));
    const attackers = await Attackers.start(programCommand(import.meta, "flood"));
    await attackers.prepare(name, { address, from: [from] });
    await honest.begin("call");
    await pause(seconds * 1_000);
    const calm = await honest.finish();
    await honest.begin("call");
    await attackers.go();
    await pause(seconds * 1_000);
    const { sent } = await attackers.stop();
    const flooded = await honest.finish();
    await attackers.end();
    await honest.end();
    return {
      calm: callTimes(calm),
      flooded: callTimes(flooded),
      moreMs: Math.max(0, callTimes(flooded).maxMs - callTimes(calm).maxMs),
      failedCalls: flooded.probes.reduce((sum, { failures }) => sum + failures.length, 0),
      lostConnections: flooded.lostConnections.length,
      sent,
    };
  } finally {
    await group.stop();
  }
}

function callTimes({ probes }: HonestReport): CallTimes {
  const sorted = probes.flatMap(({ waits }) => waits).sort((one, other) => one - other);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { calls: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}
