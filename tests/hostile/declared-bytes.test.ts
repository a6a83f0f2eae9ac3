import { expect, test } from "vitest";
import { encodeAddSubscriptionRequest, encodeRegisterAgentRequest } from "../../src/protocol/index.ts";
import { encodeStoredState } from "../../src/protocol/internal.ts";
import type { Offender } from "../integration/poison/offender.ts";
import { message } from "../integration/poison/raw-http2.ts";
import { BesiegedHost, MiB } from "./support/besieged-host.ts";
import { tellingFrames } from "./support/frames.ts";

/** Calls that are made at once. */
const atOnce = 500;

/** Makes calls until one is refused or the connection is gone. Returns how many the host took. */
async function pourCalls(
  offender: Offender,
  method: string,
  requests: Iterable<Uint8Array>,
  clientId = offender.clientId,
): Promise<number> {
  let taken = 0;
  let lot: Promise<{ readonly status: string }>[] = [];
  for (const request of requests) {
    if (offender.session.destroyed) break;
    lot.push(offender.unary(method, message(request), { "client-id": clientId }));
    if (lot.length < atOnce) continue;
    const ends = await Promise.all(lot);
    lot = [];
    taken += ends.filter(({ status }) => status === "0").length;
    if (ends.some(({ status }) => status !== "0")) return taken;
  }
  return taken + (await Promise.all(lot)).filter(({ status }) => status === "0").length;
}

function* subscriptions(mark: string, count: number, nameChars: number): Iterable<Uint8Array> {
  const name = "n".repeat(nameChars - 20);
  for (let nr = 0; nr < count; nr += 1) {
    const topic = `${mark}${nr}${name}`;
    const pattern =
      nr % 2 === 0
        ? ({ kind: "type", topicType: topic, agentType: "a" } as const)
        : ({ kind: "prefix", topicTypePrefix: topic, agentType: "a" } as const);
    yield encodeAddSubscriptionRequest({ id: `${mark}${nr}${name}`, pattern });
  }
}

function* types(mark: string, count: number, pad = ""): Iterable<Uint8Array> {
  for (let nr = 0; nr < count; nr += 1) yield encodeRegisterAgentRequest(`${mark}_${nr}${pad}`);
}

test("subscriptions with names of 1,000 characters are counted, and others can still subscribe", async () => {
  await using host = await BesiegedHost.start();
  for (let nr = 0; nr < 6; nr += 1) {
    const offender = await host.offender(`subscriber-${nr}`);
    offender.open("OpenChannel").stream.resume();
    await pourCalls(offender, "AddSubscription", subscriptions(`t${nr}x`, 4_000, 1_000));
  }
  const worker = await host.worker("modest");
  await worker.register("modest");
  await worker.subscribe("mine", { kind: "type", topicType: "news", agentType: "modest" });
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("24,000 subscriptions with names of 1,000 characters");
});

test("many small types and subscriptions of many clients are counted", async () => {
  await using host = await BesiegedHost.start({ registrationOrphanMs: 600_000 });
  for (let nr = 0; nr < 6; nr += 1) {
    // The last connection may have given way.
    const offender = await host.offender("many");
    await pourCalls(offender, "RegisterAgent", types(`c${nr}`, 3_000), `client-${nr}`);
    await pourCalls(offender, "AddSubscription", subscriptions(`t${nr}x`, 3_000, 40), `client-${nr}`);
  }
  const worker = await host.worker("modest");
  await worker.register("modest");
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("18,000 types and as many subscriptions");
});

test("clients that register one type each and never open a channel are counted", async () => {
  await using host = await BesiegedHost.start({ registrationOrphanMs: 600_000 });
  const offender = await host.offender("crowd");
  const pad = "p".repeat(900);
  let refused = 0;
  for (let nr = 0; nr < 9_000 && refused === 0; nr += atOnce) {
    const ends = await Promise.all(
      Array.from({ length: atOnce }, (_, at) =>
        offender.unary("RegisterAgent", message(encodeRegisterAgentRequest(`t_${nr + at}${pad}`)), {
          "client-id": `${nr + at}-${pad}`,
        }),
      ),
    );
    refused += ends.filter(({ status }) => status !== "0").length;
  }
  expect(refused).toBeGreaterThan(0);
  const worker = await host.worker("modest");
  await worker.register("modest");
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("9,000 clients that never come");
});

test("what is reserved for clients that have left is counted, and freed when their time is up", async () => {
  await using host = await BesiegedHost.start({ reconnectGraceMs: 3_000 });
  const { heldBytes: before } = await host.counters();
  for (let nr = 0; nr < 30; nr += 1) {
    const offender = await host.offender(`leaver-${nr}`);
    offender.open("OpenChannel").stream.resume();
    await tellingFrames(offender);
    await pourCalls(offender, "AddSubscription", subscriptions(`t${nr}x`, 1_000, 1_000));
    offender.destroy();
  }
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("reservations of 30 clients");
  await host.until(({ heldBytes, reservedClients }) => reservedClients === 0 && heldBytes <= before);
});

test("a state store counts the names of its agents", async () => {
  await using host = await BesiegedHost.start({ maxStateBytes: 16 * MiB });
  const offender = await host.offender("saver");
  let refused = 0;
  for (let nr = 0; nr < 40; nr += 1) {
    const agentId = { type: "a", key: `${nr}${"k".repeat(2 * MiB)}` };
    const { status } = await offender.unary(
      "SaveState",
      message(encodeStoredState({ agentId, eTag: "", data: undefined })),
    );
    if (status !== "0") refused += 1;
  }
  expect(refused).toBeGreaterThan(30);
  expect(await host.honestCall()).toBe("");
  await host.expectBounded("40 states with keys of 2 MiB", 16 * MiB);
});
