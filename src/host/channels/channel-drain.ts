import { encodeFrame } from "../../protocol/internal.ts";
import { type RpcStatus, StatusCode } from "../../transport/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import type { CallRouter } from "../calls/call-router.ts";
import type { ControlSession } from "../control/control-session.ts";
import type { MutableHostCounters } from "../counters.ts";
import { limits } from "../limits.ts";
import type { Registry } from "../registry/registry.ts";
import { type Admission, shuttingDownText } from "../sessions/admission.ts";
import type { ChannelTable } from "../sessions/channel-table.ts";
import type { Session } from "../sessions/session.ts";
import type { StateService } from "../states/state-service.ts";

export interface ChannelDrainParts {
  readonly batches: BatchRunner;
  readonly counters: MutableHostCounters;
  readonly admission: Admission;
  readonly sessions: ChannelTable<Session>;
  readonly controlSessions: ChannelTable<ControlSession>;
  readonly registry: Registry;
  readonly calls: CallRouter;
  readonly states: StateService;
  readonly courier: { stop(): void } | undefined;
  readonly told: { drain(): void };
  readonly durable: { drain(): void };
}

// protocol.md H21
/**
 * Tells Troupe's workers that the host leaves in `graceMs`, refuses everything new, and answers every pending call. Then it
 * ends all channels with UNAVAILABLE once their queues are empty, or when `over` resolves. Never rejects.
 */
export async function drainChannels(parts: ChannelDrainParts, graceMs: number, over: Promise<void>): Promise<void> {
  const { batches, counters, admission, sessions, controlSessions, calls, states, courier, told, durable, registry } =
    parts;
  const open = sessions.all();
  const leaving = encodeFrame({ kind: "leaving", graceMs: Math.min(Math.ceil(graceMs), limits.timerMs) });
  for (const session of open) {
    if (session.traits.isAnnounced && session.notify(leaving) === "full") counters.lostNotices += 1;
  }
  courier?.stop();
  admission.drain();
  const written = states.drain();
  told.drain();
  durable.drain();
  const ending = calls.drain();
  if (ending !== undefined) await Promise.race([ending, over]);
  // The calls whose answers ride on commits have their outcome then.
  await Promise.race([written, over]);
  batches.finish();
  registry.close();
  await endWhenFlushed([...open, ...controlSessions.all()], over);
}

const goodbye: RpcStatus = { code: StatusCode.unavailable, details: shuttingDownText };

interface Drainable {
  flushed(): Promise<void>;
  finish(status: RpcStatus, reason: "stopping"): void;
  abort(status: RpcStatus, reason: "stopping"): void;
}

/** Ends each channel once its queue is empty, and cuts off the rest when `over` resolves. Never rejects. */
async function endWhenFlushed(channels: readonly Drainable[], over: Promise<void>): Promise<void> {
  const ends = channels.map(async (channel) => {
    await channel.flushed();
    channel.finish(goodbye, "stopping");
  });
  const isFlushed = await Promise.race([Promise.all(ends), over]);
  if (isFlushed === undefined) for (const channel of channels) channel.abort(goodbye, "stopping");
}
