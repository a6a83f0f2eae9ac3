import type { Clock, Timer } from "../../../core/internal.ts";
import type { MovingAgent } from "../moving-agent.ts";

export interface AgentWaitsParts {
  readonly clock: Clock;
  readonly waitMs: number;
  /** Whether what waits under a name waits longer now than `waitMs`. */
  readonly isLong: (name: string) => boolean;
  /** The worker of an agent is there, or may be: the agent is looked at again. */
  readonly onOver: (agent: MovingAgent) => void;
  /** It did not come in time. */
  readonly onLate: (agent: MovingAgent) => void;
}

interface Wait {
  readonly name: string;
  timer: Timer;
}

/** Agents that wait for a worker: for one that is between two hosts, or for any that serves their type. */
export class AgentWaits {
  readonly #parts: AgentWaitsParts;
  readonly #waits = new Map<MovingAgent, Wait>();
  readonly #byName = new Map<string, Set<MovingAgent>>();

  constructor(parts: AgentWaitsParts) {
    this.#parts = parts;
  }

  /** `name`: the id of a worker, or `anyWorker`. */
  add(agent: MovingAgent, name: string): void {
    agent.at = "waiting";
    this.#waits.set(agent, { name, timer: this.#timerOf(agent) });
    this.#byName.set(name, (this.#byName.get(name) ?? new Set()).add(agent));
  }

  /** Something has changed for those that wait under a name. */
  over(name: string): void {
    for (const agent of [...(this.#byName.get(name) ?? [])]) {
      if (this.#remove(agent)) this.#parts.onOver(agent);
    }
  }

  /** Something has changed for all. */
  allOver(): void {
    for (const name of [...this.#byName.keys()]) this.over(name);
  }

  /** The agent waits no more, for another reason. */
  drop(agent: MovingAgent): void {
    this.#remove(agent);
  }

  close(): void {
    for (const { timer } of this.#waits.values()) timer.cancel();
    this.#waits.clear();
    this.#byName.clear();
  }

  /** Where what waits may wait longer, its time begins again. */
  #timerOf(agent: MovingAgent): Timer {
    const { clock, waitMs, isLong, onLate } = this.#parts;
    return clock.setTimer(waitMs, () => {
      const wait = this.#waits.get(agent);
      if (wait !== undefined && isLong(wait.name)) wait.timer = this.#timerOf(agent);
      else if (this.#remove(agent)) onLate(agent);
    });
  }

  #remove(agent: MovingAgent): boolean {
    const wait = this.#waits.get(agent);
    if (wait === undefined) return false;
    wait.timer.cancel();
    this.#waits.delete(agent);
    const ofName = this.#byName.get(wait.name);
    ofName?.delete(agent);
    if (ofName?.size === 0) this.#byName.delete(wait.name);
    return agent.at === "waiting";
  }
}

/** Stands for any worker, in place of a worker's id. */
export const anyWorker = "";
