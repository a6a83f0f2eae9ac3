import { Buffer } from "node:buffer";
import { type Agent, type RegisterFactoryOptions, TypeSubscription } from "../../../src/core/index.ts";
import type { Epoch } from "../../../src/core/internal.ts";
import { encodeFrame, type Frame } from "../../../src/protocol/index.ts";
import { formatLoneRecipient, formatRecipient, peekFrame, spliceRecipients } from "../../../src/protocol/internal.ts";
import type { WorkerRuntime, WorkerRuntimeOptions } from "../../../src/worker/index.ts";
import { Gate } from "../gate.ts";
import { eventFrame, jsonPayload, requestFrame } from "./frames.ts";
import { FunctionAgent } from "./function-agent.ts";
import { Ask, Reply } from "./messages.ts";
import { ScriptedHost, type ScriptedStream } from "./scripted-host.ts";

type Of<Kind extends Frame["kind"]> = Extract<Frame, { readonly kind: Kind }>;

/** A scripted host whose workers stop without waiting at the end of a test. */
export class PlacingHost extends ScriptedHost {
  readonly hurried: WorkerRuntime[] = [];

  override async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.hurried.map((worker) => worker.stop({ signal: AbortSignal.abort() })));
    await super[Symbol.asyncDispose]();
  }
}

/** A scripted host that names `claims`, as ours does. */
export async function placingHost(): Promise<PlacingHost> {
  const host = new PlacingHost();
  host.isTroupe = true;
  host.capabilities = ["turns", "claims"];
  host.endsChannels = true;
  await host.listen();
  return host;
}

/** What an agent of the type `room` does: `wait` waits for the gate, all else is answered at once. */
export interface Rooms {
  readonly worker: WorkerRuntime;
  readonly channel: ScriptedStream<Frame>;
  /** What handlers and hooks have seen, in order. */
  readonly seen: string[];
  readonly gate: Gate;
}

export interface RoomOptions {
  readonly worker?: Partial<WorkerRuntimeOptions>;
  readonly type?: RegisterFactoryOptions<Agent>;
  /** Makes the agent of a key. Default: one that waits for the gate. */
  readonly factory?: () => Agent;
}

/** A worker with the shared type `room` and the exclusive type `desk`. */
export async function roomsAt(host: PlacingHost, options: RoomOptions = {}): Promise<Rooms> {
  const [worker, channel] = await host.worker({ drainTimeoutMs: 60_000, ...options.worker });
  host.hurried.push(worker);
  worker.addMessageSerializer([Ask, Reply]);
  const seen: string[] = [];
  const gate = new Gate();
  class Room extends FunctionAgent {
    onDeactivate(reason: string): void {
      seen.push(`${this.id.key} ends: ${reason}`);
    }
  }
  const makeRoom = () =>
    new Room(async (message, _context, { id }) => {
      const { content } = message as { readonly content: string };
      seen.push(`${id.key} ${content}`);
      if (content === "wait") await gate.opened;
      return Reply({ content: `${content}!` });
    });
  const type = { shared: true, subscriptions: [new TypeSubscription("news", "room")], ...options.type };
  await worker.registerFactory("room", options.factory ?? makeRoom, type);
  await worker.registerFactory("desk", () => new FunctionAgent(() => Reply({ content: "desk" })));
  return { worker, channel, seen, gate };
}

export function epochAt(number: number): Epoch {
  return { generation: 1, era: 2, number };
}

export function claimed(key: string, number = 1) {
  return { type: "room", key, epoch: epochAt(number) };
}

/** A call to an agent of the type `room`, as the host sends it. */
export function callTo(key: string, requestId: string, content = "x", number = 1): Of<"request"> {
  const metadata = { agepoch: `1.2.${number}` };
  return requestFrame(`room/${key}`, { requestId, payload: jsonPayload("Ask", { content }), metadata });
}

/** The bytes of an event for an agent of the type `room`, as the host sends it. `alone`: it is for no other agent. `isBroken`: it is no JSON. */
export function eventFor(
  key: string,
  id: string,
  { content = "x", number = 1, alone = false, isBroken = false, message = jsonPayload("Ask", { content }) } = {},
): Uint8Array {
  const payload = { ...message, ...(isBroken && { data: Buffer.from("{") }) };
  const peeked = peekFrame(encodeFrame(eventFrame(`news/${key}`, { id, payload })));
  if (peeked.kind !== "event") throw new Error("an event was made");
  const format = alone ? formatLoneRecipient : formatRecipient;
  const { head, rest } = spliceRecipients(peeked, format("room", epochAt(number)));
  return Buffer.concat([head, rest]);
}

export function leave(keys: readonly string[], reason: Of<"leave">["reason"] = "draining", number = 1): Of<"leave"> {
  return { kind: "leave", agents: keys.map((key) => claimed(key, number)), reason, graceMs: 0 };
}

/** Frames of a worker in short: what a test compares. */
export function inShort(frame: Frame): string {
  switch (frame.kind) {
    case "ask-leave":
      return `ask-leave ${frame.reason} ${frame.agents.map(({ key }) => key).join(",")}`;
    case "left":
    case "stay":
      return `${frame.kind} ${frame.agents.map(({ key, epoch }) => `${key}@${epoch.number}`).join(",")}`;
    case "returned":
      return `returned ${frame.reason} ${frame.agents.map(({ key, epoch }) => `${key}@${epoch.number}`).join(",")}`;
    case "response":
      return `answer ${frame.requestId}${frame.error === "" ? "" : " failed"}`;
    default:
      return frame.kind;
  }
}

/** Takes as many frames and names them in short. */
export async function takeShort(channel: ScriptedStream<Frame>, count: number): Promise<string[]> {
  return (await channel.received.takeMany(count)).map(inShort);
}

/** Resolves when the worker has read all that the host has sent, and returns the frames that came before in short. */
export async function settled(channel: ScriptedStream<Frame>): Promise<string[]> {
  const frames = await answered(channel, "settle");
  // Notices leave a little later than answers: in a microtask.
  await new Promise((resolve) => setImmediate(resolve));
  return [...frames, ...(await answered(channel, "settled"))];
}

async function answered(channel: ScriptedStream<Frame>, requestId: string): Promise<string[]> {
  channel.send(requestFrame("desk/d", { requestId, payload: jsonPayload("Ask", { content: "x" }) }));
  const frames: string[] = [];
  for (;;) {
    const frame = inShort(await channel.received.take());
    if (frame === `answer ${requestId}`) return frames;
    frames.push(frame);
  }
}
