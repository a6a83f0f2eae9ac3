import { decodeFrame, type Frame } from "../../src/protocol/index.ts";
import type { Gate } from "./around-streams.ts";

/** For a time a host believed that a call waits behind the turns of these calls. */
interface Wait {
  readonly fromMs: number;
  toMs: number;
  readonly behind: readonly string[];
}

/** What the hosts know of one call. */
interface Heard {
  /** Until then a host believed that the caller waits. */
  pendingToMs: number;
  readonly waits: Wait[];
}

const decoder = new TextDecoder();

/**
 * What hosts know of the calls, from the frames that they have read. A worker's word may be on its way for a long time: that a caller has
 * given a call up, or that a turn has ended.
 */
export class HostHearing {
  readonly #now: () => number;
  /** Names of calls by their request ids, at the caller and at the host. */
  readonly #names = new Map<string, string>();
  readonly #heard = new Map<string, Heard>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Learns the request id of a call. */
  sees(frame: Frame): void {
    if (frame.kind !== "request" || frame.payload === undefined) return;
    const name = /"call":"(c\d+)"/.exec(decoder.decode(frame.payload.data))?.[1];
    if (name !== undefined) this.#names.set(frame.requestId, name);
  }

  /** Whether a host that has read all so far, and no more, takes the call for one that its caller waits for. */
  isPending(call: string, ms: number): boolean {
    return (this.#heard.get(call)?.pendingToMs ?? Number.NEGATIVE_INFINITY) >= ms;
  }

  /** Whether the last word that a host had read by then was that the one call waits behind the turn of the other. */
  isBehind(call: string, other: string, ms: number): boolean {
    const waits = this.#heard.get(call)?.waits ?? [];
    return waits.some(({ fromMs, toMs, behind }) => fromMs < ms && toMs >= ms && behind.includes(other));
  }

  /** The times at which hosts learned something. */
  *moments(): Iterable<number> {
    for (const { pendingToMs, waits } of this.#heard.values()) {
      yield pendingToMs;
      for (const { fromMs, toMs } of waits) yield* [fromMs, toMs];
    }
  }

  /** Hears what comes to a host on one data channel. */
  channel(): Gate {
    /** Calls that came on this channel, and those of which its worker has said that they wait. */
    const calls = new Set<string>();
    const waiting = new Set<string>();
    return {
      in: (bytes, pass) => {
        const frame = decodeFrame(bytes);
        const name = "requestId" in frame ? this.#names.get(frame.requestId) : undefined;
        if (name !== undefined) this.#hear(frame, name, { calls, waiting });
        pass(bytes);
      },
      ends: (pass) => {
        for (const name of calls) this.#over(name);
        for (const name of waiting) this.#endWait(name);
        pass();
      },
    };
  }

  #hear(frame: Frame, name: string, { calls, waiting }: Record<"calls" | "waiting", Set<string>>): void {
    switch (frame.kind) {
      case "request":
        calls.add(name);
        this.#of(name).pendingToMs = Number.POSITIVE_INFINITY;
        return;
      case "cancel":
      case "response":
        this.#over(name);
        return;
      case "stuck": {
        this.#endWait(name);
        waiting.add(name);
        const behind = frame.behind.flatMap((token) => this.#names.get(token) ?? []);
        this.#of(name).waits.push({ fromMs: this.#now(), toMs: Number.POSITIVE_INFINITY, behind });
        return;
      }
      case "unstuck":
        this.#endWait(name);
        return;
      default:
        return;
    }
  }

  #of(name: string): Heard {
    const heard = this.#heard.get(name) ?? { pendingToMs: Number.NEGATIVE_INFINITY, waits: [] };
    this.#heard.set(name, heard);
    return heard;
  }

  #over(name: string): void {
    const heard = this.#of(name);
    heard.pendingToMs = Math.min(heard.pendingToMs, this.#now());
    this.#endWait(name);
  }

  #endWait(name: string): void {
    const last = this.#heard.get(name)?.waits.at(-1);
    if (last !== undefined) last.toMs = Math.min(last.toMs, this.#now());
  }
}
