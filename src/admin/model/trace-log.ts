import type { Timer } from "../../core/internal.ts";
import {
  type HostOccurrence,
  isOtherHost,
  type KeptTrace,
  type KeptTraces,
  type TracedHop,
} from "../../host/internal.ts";
import type { AdminHost } from "../admin-host.ts";

/** Bounds of the traces that are kept. They are no options, because no user has needed another value yet. */
export const traceLimits = {
  /** Bytes of all traces. */
  bytes: 4 * 1024 * 1024,
  /** Hops of one trace. */
  hops: 500,
  /** Milliseconds for which the host is listened to after it was asked for the last time. */
  lingerMs: 30_000,
} as const;

interface Trace {
  readonly number: number;
  readonly client: string;
  readonly hops: TracedHop[];
  bytes: number;
  isCut: boolean;
}

/** Bytes of a hop beside its texts. */
const fixedBytes = 300;

/**
 * The latest traces of a host: calls and events whose senders record a trace. It listens to the host from the first question to half a minute after the last
 * one. Clients share the space: the oldest trace of the client that has most is forgotten first.
 */
export class TraceLog implements KeptTraces {
  readonly #host: Pick<AdminHost, "clock" | "observe">;
  /** The oldest first. */
  readonly #traces = new Map<string, Trace>();
  readonly #bytesOf = new Map<string, number>();
  #bytes = 0;
  #number = 0;
  #end: (() => void) | undefined;
  #timer: Timer | undefined;

  constructor(host: Pick<AdminHost, "clock" | "observe">) {
    this.#host = host;
  }

  get isListening(): boolean {
    return this.#end !== undefined;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The newest trace first. */
  list(): readonly KeptTrace[] {
    this.#listen();
    return [...this.#traces].map(([traceId, trace]) => kept(traceId, trace)).reverse();
  }

  /** Undefined: none is kept under this id. */
  get(traceId: string): KeptTrace | undefined {
    this.#listen();
    const trace = this.#traces.get(traceId);
    return trace && kept(traceId, trace);
  }

  /** Listens no more, and forgets all. */
  close(): void {
    this.#timer?.cancel();
    this.#end?.();
    this.#end = undefined;
    this.#traces.clear();
    this.#bytesOf.clear();
    this.#bytes = 0;
  }

  #listen(): void {
    const { clock, observe } = this.#host;
    this.#timer?.cancel();
    this.#timer = clock.setTimer(traceLimits.lingerMs, () => this.close(), { keepAlive: false });
    this.#end ??= observe((what) => this.#note(what));
  }

  #note(what: HostOccurrence): void {
    if ((what.at !== "call" && what.at !== "event") || what.traceId === undefined) return;
    const client = what.at === "call" ? what.callerId : "";
    const trace = this.#traces.get(what.traceId) ?? this.#begin(what.traceId, client);
    if (trace.hops.length >= traceLimits.hops) {
      trace.isCut = true;
      return;
    }
    const ms = what.at === "call" ? what.ms : 0;
    const hop = hopOf(what, { startedMs: this.#host.clock.now() - ms, ms });
    trace.hops.push(hop);
    this.#take(trace, costOf(hop));
    while (this.#bytes > traceLimits.bytes) this.#forgetOne();
  }

  #begin(traceId: string, client: string): Trace {
    this.#number += 1;
    const trace: Trace = { number: this.#number, client, hops: [], bytes: 0, isCut: false };
    this.#traces.set(traceId, trace);
    this.#take(trace, fixedBytes + 2 * client.length);
    return trace;
  }

  #take(trace: Trace, bytes: number): void {
    trace.bytes += bytes;
    this.#bytes += bytes;
    this.#bytesOf.set(trace.client, (this.#bytesOf.get(trace.client) ?? 0) + bytes);
  }

  #forgetOne(): void {
    let [most, client] = [-1, ""];
    for (const [one, bytes] of this.#bytesOf) if (bytes > most) [most, client] = [bytes, one];
    for (const [traceId, trace] of this.#traces) {
      if (trace.client !== client) continue;
      this.#traces.delete(traceId);
      this.#bytes -= trace.bytes;
      if (most === trace.bytes) this.#bytesOf.delete(client);
      else this.#bytesOf.set(client, most - trace.bytes);
      return;
    }
  }
}

type Times = Pick<TracedHop, "startedMs" | "ms">;

function hopOf(what: Extract<HostOccurrence, { at: "call" | "event" }>, times: Times): TracedHop {
  const { sender } = what;
  if (what.at === "event") {
    const outcome = what.missed > 0 ? "missed" : "delivered";
    const code = what.missed > 0 ? `${what.missed} of ${what.delivered + what.missed} workers` : null;
    const about = { sender, type: null, key: null, topic: what.topicType, outcome, code };
    return { at: "event", ...times, ...about, isPlaced: true, isOfOtherHost: false };
  }
  const { targetType: type, targetKey: key, outcome, code = null, targetId } = what;
  const about = { sender, type, key, topic: null, outcome, code };
  const isOfOtherHost = isOtherHost(what.callerId);
  return { at: "call", ...times, ...about, isPlaced: targetId !== undefined, isOfOtherHost };
}

function kept(traceId: string, { number, hops, isCut }: Trace): KeptTrace {
  return { traceId, number, hops, isCut };
}

function costOf({ sender, type, key, topic, code }: TracedHop): number {
  const texts = [sender?.type, sender?.key, type, key, topic, code];
  return fixedBytes + 2 * texts.reduce((sum, text) => sum + (text?.length ?? 0), 0);
}
