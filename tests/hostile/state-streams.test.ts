import { expect, test } from "vitest";
import { encodeRegisterAgentRequest, encodeStatesAsk, type StatesAsk, states } from "../../src/protocol/internal.ts";
import { seededRandom } from "../../src/testing/seeded-random.ts";
import type { Offender, OffendingCall } from "../integration/poison/offender.ts";
import { message } from "../integration/poison/raw-http2.ts";
import { answerTo, commitOf, eventOn } from "../support/raw-states.ts";
import { BesiegedHost, MiB } from "./support/besieged-host.ts";
import { tellingFrames } from "./support/frames.ts";

const knowsAll = { agtroupe: "1", agcaps: "heartbeat,turns,states,claims", agworker: "offender" };

function openStates(offender: Offender, headers: Record<string, string> = {}): OffendingCall {
  return offender.open("", { ":path": states.path, ...headers });
}

/** A client that serves a type and has a stream of states. `registrar`: registers the type, for a client that takes no bytes. */
async function stateWorker(host: BesiegedHost, clientId = "offender", registrar?: Offender) {
  const offender = await host.offender(clientId, registrar === undefined ? {} : { windowBytes: 0 });
  offender.open("OpenChannel", knowsAll);
  const type = `counter-${clientId}`;
  await tellingFrames(offender);
  const request = message(encodeRegisterAgentRequest(type));
  const { status } = await (registrar ?? offender).unary("RegisterAgent", request, { "client-id": clientId });
  expect(status).toBe("0");
  return { offender, type, stream: openStates(offender) };
}

const asksIn = (asks: readonly StatesAsk[]): Buffer => Buffer.concat(asks.map((ask) => message(encodeStatesAsk(ask))));
const load = (seq: number, type: string, key: string): StatesAsk => ({
  ...{ kind: "load", seq, agent: { type, key }, epoch: undefined, unless: undefined },
});
const put = (bytes: number) =>
  ({ at: "put", schemaVersion: 1, contentType: "x/y", data: Buffer.alloc(bytes) }) as const;

/** Loads of a large state, by workers that take no answer. */
async function unreadLoads(host: BesiegedHost): Promise<void> {
  const registrar = await host.offender("registrar");
  for (let worker = 0; worker < 8; worker += 1) {
    const { stream, type } = await stateWorker(host, `reader-${worker}`, registrar);
    stream.stream.write(asksIn([{ ...commitOf(1, `${type}/a`), write: put(500_000) }]));
    stream.stream.write(asksIn(Array.from({ length: 10_000 }, (_, seq) => load(seq + 2, type, "a"))));
    expect(await host.honestCall()).toBe("");
  }
}

/** Commits of thousands of frames each: answers to calls of others, and events that nobody hears. */
async function manyFrames(host: BesiegedHost): Promise<void> {
  for (let worker = 0; worker < 4; worker += 1) {
    const { offender, stream, type } = await stateWorker(host, `framer-${worker}`);
    const answers = Array.from({ length: 4_000 }, (_, at) => answerTo({ requestId: `${at}` }, "x"));
    const events = Array.from({ length: 4_000 }, (_, at) => eventOn("nobody", `E${at}`));
    for (let seq = 1; seq <= 20; seq += 1) {
      stream.stream.write(asksIn([{ ...commitOf(seq, `${type}/a`), expected: { at: "anything" }, answers, events }]));
    }
    await Promise.race([tellingFrames(offender).catch(() => undefined), stream.ended]);
    expect(await host.honestCall()).toBe("");
  }
}

/** Effects without a byte: 9,000 in a commit of 18 kB. */
async function emptyEffects(host: BesiegedHost): Promise<void> {
  for (let worker = 0; worker < 4; worker += 1) {
    const { offender, stream, type } = await stateWorker(host, `empty-${worker}`);
    const remembered = Array.from({ length: 9_000 }, () => ({ id: "", principal: "", answer: undefined }));
    const commit = (seq: number) => ({ ...commitOf(seq, `${type}/${seq}`), remembered });
    stream.stream.write(asksIn(Array.from({ length: 30 }, (_, seq) => commit(seq + 1))));
    await Promise.race([tellingFrames(offender).catch(() => undefined), stream.ended]);
    expect(await host.honestCall()).toBe("");
  }
}

/** Streams without a data channel, under the honest worker's id, and one after the other. */
async function openings(host: BesiegedHost): Promise<void> {
  const stranger = await host.offender("stranger");
  expect((await openStates(stranger).ended).status).toBe("9");
  expect((await openStates(stranger, { "client-id": "honest" }).ended).status).toBe("9");
  expect((await openStates(stranger, { "client-id": "" }).ended).status).not.toBe("0");
  const { offender, stream } = await stateWorker(host);
  const opened = [stream, ...Array.from({ length: 2_000 }, () => openStates(offender))];
  await Promise.all(opened.slice(0, -1).map(({ ended }) => ended));
  expect(await host.honestCall()).toBe("");
}

/** Bytes that are no asks, asks with odd values, and halves of asks whose client hangs up. */
async function oddBytes(host: BesiegedHost): Promise<void> {
  const { next: random } = seededRandom(11);
  const names = ["", "\u0000", "\ufffd", "x".repeat(1_000_000), "honest", "a/b", "__proto__", "🜁".repeat(9)];
  const good = encodeStatesAsk({ ...commitOf(1, "counter-odd/a"), events: [eventOn("t", "E")] });
  for (let round = 0; round < 20; round += 1) {
    const { offender, stream } = await stateWorker(host, `odd-${round}`);
    for (let at = 0; at < 200 && !stream.stream.destroyed; at += 1) {
      const broken = Buffer.from(good);
      for (let change = 0; change < 3; change += 1) {
        broken[Math.floor(random() * broken.length)] = Math.floor(random() * 256);
      }
      stream.stream.write(message(broken));
    }
    const asks = names.map((name, at) => load(at + 1, name, names[(at + 3) % names.length] ?? ""));
    const again = openStates(offender);
    again.stream.write(asksIn(asks));
    again.stream.write(asksIn([...asks, load(Number.MAX_SAFE_INTEGER, "honest", "k")]));
    again.stream.write(message(good).subarray(0, 20));
    await Promise.race([tellingFrames(offender).catch(() => undefined), again.ended]);
    offender.destroy();
    expect(await host.honestCall()).toBe("");
  }
}

/** The collector leaves up to 127 MiB of states that were read and dropped, and no more under three times the loads. */
const uncollectedStates = 160 * MiB;

test.each<[name: string, attack: (host: BesiegedHost) => Promise<void>, uncollectedBytes?: number]>([
  ["loads of large states that nobody reads", unreadLoads, uncollectedStates],
  ["commits of thousands of answers and events", manyFrames],
  ["commits of thousands of empty effects", emptyEffects],
  ["streams of states without end, also in the name of others", openings],
  ["bytes on the stream of states that are no asks, or odd ones", oddBytes],
])(
  "a host keeps its bound and serves others under %s",
  { timeout: 150_000 },
  async (name, attack, uncollectedBytes = 0) => {
    await using host = await BesiegedHost.start();
    await attack(host);
    expect(await host.honestCall()).toBe("");
    await host.expectBounded(name, 0, uncollectedBytes);
  },
);
