import { Buffer } from "node:buffer";
import { parseEpoch } from "../../src/core/internal.ts";
import type { HostOptions } from "../../src/host/index.ts";
import type { ClaimedAgent, Frame, LeaveReason, ReturnReason } from "../../src/protocol/index.ts";
import { encodeFrame, peekFrame, spliceRecipients } from "../../src/protocol/internal.ts";
import { type HostRig, hostTransports } from "./host-transports.ts";
import { exact, RawWorker } from "./raw-worker.ts";

export type Request = Extract<Frame, { kind: "request" }>;
export type EventFrame = Extract<Frame, { kind: "event" }>;

/** A scripted worker of a shared type that knows claims. */
export async function roomWorker(
  rig: HostRig,
  clientId: string,
  more: Record<string, string> = {},
): Promise<RawWorker> {
  const metadata = { agcaps: "claims,turns", agworker: `worker-${clientId}`, ...more };
  const raw = await new RawWorker(rig.dial(), clientId, { isAnnounced: true, metadata }).join();
  await raw.register("room", { agshared: "1" });
  await raw.subscribe("s", exact("news", "room"));
  return raw;
}

/** A worker that holds `room/k`, another one, and a caller. */
export async function startRooms(options: HostOptions = {}, others: readonly Record<string, string>[] = []) {
  const [transport] = hostTransports;
  if (transport === undefined) throw new Error("there is no transport");
  const rig = await transport.start(options);
  const a = await roomWorker(rig, "A", others[0]);
  const b = await roomWorker(rig, "B", others[1]);
  const caller = await new RawWorker(rig.dial(), "C", { isAnnounced: true }).join();
  caller.request("first", "room/k");
  await caller.settled();
  const [ofA] = await a.settled();
  const [ofB] = await b.settled();
  const first = ofA ?? ofB;
  if (first?.kind !== "request") throw new Error("no worker got the call");
  const [holder, other] = ofA === undefined ? [b, a] : [a, b];
  return {
    rig,
    holder,
    other,
    caller,
    first,
    agent: agentOf(first),
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  };
}

export function agentOf({ metadata }: Request, key = "k"): ClaimedAgent {
  return { type: "room", key, epoch: parseEpoch(metadata.agepoch ?? "") };
}

export function requests(frames: readonly Frame[]): readonly Request[] {
  return frames.filter((frame) => frame.kind === "request");
}

export function giveBack(
  from: RawWorker,
  agent: ClaimedAgent,
  message: Request | EventFrame,
  reason: ReturnReason = "leaving",
) {
  from.send({ kind: "returned", agents: [agent], reason, message: bytesOf(message) });
}

/** The encoder writes no `agfor`, which only hosts write. */
function bytesOf(message: Request | EventFrame): Uint8Array {
  const bytes = encodeFrame(message);
  const { agfor = "" } = message.kind === "event" ? message.event.attributes : {};
  const peeked = peekFrame(bytes);
  if (agfor === "" || peeked.kind !== "event") return bytes;
  const { head, rest } = spliceRecipients(peeked, agfor);
  return Buffer.concat([head, rest]);
}

export async function askLeave(
  from: RawWorker,
  agent: ClaimedAgent,
  reason: LeaveReason = "idle",
): Promise<readonly Frame[]> {
  from.send({ kind: "ask-leave", agents: [agent], reason });
  return from.settled();
}
