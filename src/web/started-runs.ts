import type { AgentId, Run } from "../core/internal.ts";
import { isNotFound } from "./web-problem.ts";
import type { GatewayParts } from "./web-request.ts";

export interface RunStart {
  readonly id: string;
  readonly owner: string;
  readonly timeoutMs?: number | undefined;
}

/** Starts runs for principals, each of which has some places for runs that have not ended. */
export class StartedRuns {
  readonly #parts: GatewayParts;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
  }

  /** Starts a run, or finds the one that began with an equal message. */
  async start(
    message: object,
    agentId: AgentId,
    { id, owner, timeoutMs }: RunStart,
  ): Promise<{ readonly run: Run<unknown, unknown>; readonly isNew: boolean }> {
    const { runtime, places, limits } = this.#parts;
    const isThere = await this.#isThere(agentId, id, owner);
    // A start that is repeated takes no further place.
    const release = isThere ? () => {} : places.take("runs", owner);
    try {
      const bound = Math.min(timeoutMs ?? limits.runTimeoutMs, limits.runTimeoutMs);
      const run = await runtime.startRun(message, agentId, { id, owner, timeoutMs: bound });
      if (!isThere) this.#releaseAtEnd(run, release);
      return { run, isNew: !isThere };
    } catch (error) {
      release();
      throw error;
    }
  }

  async #isThere(agentId: AgentId, id: string, owner: string): Promise<boolean> {
    try {
      await this.#parts.runtime.attachRun(agentId, id, { owner }).status();
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  /** The place is free when the run has ended, and when the run can't be found any more. */
  #releaseAtEnd(run: Run<unknown, unknown>, release: () => void): void {
    run.answer({ signal: this.#parts.ending }).then(release, release);
  }
}
