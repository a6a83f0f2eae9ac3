import { describe, expect, test } from "vitest";
import { LimitedLog, UndeliverableException } from "../../../../src/core/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { reconnectSettings } from "../../../../src/worker/reconnect-options.ts";
import type { HostRegistry } from "../../../../src/worker/registry/host-registry.ts";
import { ReRegistration } from "../../../../src/worker/registry/re-registration.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";

const overQuota = (retryAfterMs: number | undefined) =>
  new UndeliverableException("This address may send 4 messages in a second.", { code: "overloaded", retryAfterMs });

/** A host that answers what the test says, in order; undefined: it accepts. */
function rig(answers: (Error | undefined)[], maxAttempts?: number) {
  const [clock, asked, abort] = [new ManualClock(), [] as string[], new AbortController()];
  const ask = async (what: string) => {
    asked.push(`${clock.now()} ${what}`);
    const answer = answers.shift();
    if (answer !== undefined) throw answer;
  };
  const registry: HostRegistry = {
    registerType: ask,
    addSubscription: ({ id }) => ask(id),
    removeSubscription: async () => undefined,
    subscriptions: async () => undefined,
  };
  const anew = new ReRegistration({
    ...{ registry, isOldClientId: () => false, elsewhere: new Set(), onWaiting: () => {}, signal: abort.signal },
    settings: {
      ...{ clock, random: () => 0.5, logger: new LimitedLog(new RecordingLogger(), clock) },
      reconnect: reconnectSettings({ initialDelayMs: 1, jitter: 0, ...(maxAttempts !== undefined && { maxAttempts }) }),
    },
  });
  return { clock, asked, abort, anew };
}

/** Lets what has settled go on. */
async function turn(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

describe("a worker that registers anew at a host whose quota refuses it", () => {
  test("waits for the time that the host names and by chance longer, and asks for nothing meanwhile", async () => {
    const { clock, asked, anew } = rig([undefined, overQuota(1_000)]);
    await anew.registerType("a");
    const second = anew.registerType("b");
    await turn();
    const others = ["c", "d"].map((type) => anew.registerType(type));
    await turn();
    clock.advance(1_249);
    await turn();
    expect(asked).toEqual(["0 a", "0 b"]);
    clock.advance(1);
    await Promise.all([second, ...others]);
    // What the host has taken is not asked for again.
    expect(asked.slice(2).sort()).toEqual(["1250 b", "1250 c", "1250 d"]);
  });

  test("waits no longer than a minute and a half, and not at all when its connection has ended", async () => {
    const { clock, asked, abort, anew } = rig([overQuota(86_400_000), overQuota(5_000)]);
    const registered = anew.registerType("a");
    await turn();
    clock.advance(75_000);
    await turn();
    expect(asked).toEqual(["0 a", "75000 a"]);
    abort.abort(new Error("the connection has ended"));
    await expect(registered).rejects.toThrow("the connection has ended");
  });

  test("hears at once of a refusal that names no time, and of the last attempt that it may make", async () => {
    const never = rig([overQuota(undefined)]);
    await expect(never.anew.registerType("a")).rejects.toMatchObject({ code: "overloaded" });
    const last = rig([overQuota(1_000)], 1);
    await expect(last.anew.registerType("a")).rejects.toMatchObject({ code: "overloaded", retryAfterMs: 1_000 });
  });
});
