import { setTimeout as pause } from "node:timers/promises";
import type { AgentId, AgentRuntime, SendOptions } from "troupe";
import type { CallLedger } from "./call-ledger.ts";

export interface CallLoadOptions {
  readonly runtime: AgentRuntime;
  /** Called in turn. */
  readonly targets: readonly AgentId[];
  readonly ledger: CallLedger;
  /** Calls in flight at any time. */
  readonly concurrency: number;
  /** Milliseconds after an answer until the next call. Default 0. */
  readonly gapMs?: number | undefined;
  readonly call?: SendOptions | undefined;
}

/** After a failure a caller takes breath, so that one without a host doesn't spin. */
const breathMs = 20;

/** Calls without end, so many at a time, until it is stopped. */
export class CallLoad {
  readonly #options: CallLoadOptions;
  readonly #loops: Promise<void>[] = [];
  #isStopped = false;

  constructor(options: CallLoadOptions) {
    this.#options = options;
    for (let at = 0; at < options.concurrency; at++) this.#loops.push(this.#keepCalling(at));
  }

  /** Starts no more calls, and resolves when each has its outcome. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
  }

  async #keepCalling(first: number): Promise<void> {
    const { runtime, targets, ledger, gapMs = 0, call = {} } = this.#options;
    for (let turn = first; !this.#isStopped; turn++) {
      const target = targets[turn % targets.length];
      if (target === undefined) return;
      const { kind } = await ledger.call(runtime, target, call);
      if (kind === "failed") await pause(breathMs);
      else if (gapMs > 0) await pause(gapMs);
    }
  }
}

/** Calls again and again until an answer comes: the way back is open. The failures before it are outcomes like any other. */
export async function untilAnswered(
  ledger: CallLedger,
  runtime: AgentRuntime,
  target: AgentId,
  options: SendOptions = { timeoutMs: 2_000 },
): Promise<void> {
  while ((await ledger.call(runtime, target, options)).kind === "failed") await pause(breathMs);
}
