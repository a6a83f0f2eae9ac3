import type { Agent } from "../../agents/agent.ts";
import type { AgentId } from "../../agents/agent-id.ts";
import type { DeactivationReason } from "../../agents/agent-life.ts";
import type { Clock } from "../../clock.ts";
import { errorText } from "../../errors.ts";
import type { RuntimeLog } from "../../limited-log.ts";
import { isThenable } from "../../thenable.ts";
import { loggableError, loggableText } from "../loggable.ts";
import type { ActivationCounters } from "./activation-counters.ts";
import type { ActivationStates } from "./activation-ports.ts";
import type { ActivationTimers } from "./activation-timers.ts";

/** An agent whose end a close of the catalog waits for. */
export interface UnendedAgent {
  readonly id: AgentId;
  readonly at: "being made" | "being deactivated" | "being closed";
}

export interface DeactivationsOptions {
  readonly clock: Clock;
  readonly states: ActivationStates | undefined;
  readonly timers: ActivationTimers;
  readonly counts: ActivationCounters;
  readonly logger: RuntimeLog | undefined;
  /** Bound of `onDeactivate` together with the last commit, and of `close`. */
  readonly timeoutMs: number;
}

/** Options of the end of an activation with its runtime. */
export interface FinalEnd {
  /** Called when the agent has had its last word. */
  readonly onSaid: () => void;
  /** Default: at once. */
  readonly mayClose: Promise<void> | undefined;
  /** Default: `shutting-down`. */
  readonly reason?: DeactivationReason | undefined;
}

interface LastWord {
  readonly reason: DeactivationReason;
  readonly saying: PromiseLike<unknown>;
  /** After its time the last word is not saved. */
  readonly time: { isUp: boolean };
}

/** Deactivations for idleness and caps that run at a time. */
const mostAtOnce = 256;
/** Those that may run when idleness begins another one. Beyond `mostAtOnce` activations wait, and they must not wait for idle agents. */
const mostForIdleness = 192;

/** Ends activations: the agent's last word, its last commit, its timers, its `close`. */
export class Deactivations {
  readonly #options: DeactivationsOptions;
  readonly #unended = new Set<UnendedAgent>();
  /** Those that wait until fewer run. */
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** Called when one has ended, and there is room for another. */
  onRoom: () => void = () => undefined;

  constructor(options: DeactivationsOptions) {
    this.#options = options;
  }

  /** Whether so many run that neither idleness nor a cap begins another, and activations of tracked types wait. */
  get isFull(): boolean {
    return this.#running >= mostAtOnce;
  }

  /** Whether so many run that idleness begins no other. */
  get isFullForIdleness(): boolean {
    return this.#running >= mostForIdleness;
  }

  /** Agents that have not ended yet. */
  get unended(): readonly UnendedAgent[] {
    return [...this.#unended];
  }

  /** Resolves when fewer run. Call `passOn` when what waited has ended. */
  room(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets the next activation begin that waits. */
  passOn(): void {
    if (!this.isFull) this.#waiting.shift()?.();
  }

  /** Lets all activations go on that wait. */
  releaseAll(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Ends an activation. It logs what fails, and never rejects. */
  async end(id: AgentId, agent: Agent, reason: DeactivationReason): Promise<void> {
    this.#running += 1;
    const unended: { id: AgentId; at: UnendedAgent["at"] } = { id, at: "being deactivated" };
    this.#unended.add(unended);
    try {
      const said = this.#sayGoodbye(id, agent, reason);
      if (said !== undefined) await said;
      unended.at = "being closed";
      await this.close(id, agent);
    } finally {
      this.#unended.delete(unended);
      this.#running -= 1;
      this.onRoom();
      this.passOn();
    }
  }

  /**
   * Ends an activation because the runtime ends. Rejects with the error of the agent's `close`, and sets it no bound. `onSaid` is called
   * after the last word and its commit. The agent is closed after `mayClose`.
   */
  async endForGood(
    id: AgentId,
    made: Agent | Promise<Agent>,
    { onSaid, mayClose, reason = "shutting-down" }: FinalEnd,
  ): Promise<void> {
    const unended: { id: AgentId; at: UnendedAgent["at"] } = { id, at: "being made" };
    this.#unended.add(unended);
    try {
      let agent: Agent;
      try {
        // An agent that is there is closed without a wait.
        agent = made instanceof Promise ? await made : made;
        unended.at = "being deactivated";
        const said = this.#sayGoodbye(id, agent, reason);
        if (said !== undefined) await said;
      } catch {
        // There is no agent. The callers that waited for it have the error.
        return;
      } finally {
        onSaid();
      }
      unended.at = "being closed";
      if (mayClose !== undefined) await mayClose;
      await agent.close();
    } finally {
      this.#unended.delete(unended);
    }
  }

  /** Closes an agent within the bound. Never rejects. */
  async close(id: AgentId, agent: Agent): Promise<void> {
    try {
      const closing = agent.close();
      if (!isThenable(closing) || (await this.#within(closing))) return;
      this.#warn(id, `did not close within ${this.#options.timeoutMs} ms. The runtime goes on without it.`);
    } catch (error) {
      this.#fail(id, "failed to close", error);
    }
  }

  /**
   * The timers end, the agent gets its last word, and what that has changed is saved. Returns undefined when it has ended at once.
   * Never throws or rejects.
   */
  #sayGoodbye(id: AgentId, agent: Agent, reason: DeactivationReason): Promise<void> | undefined {
    const { states, timers, counts } = this.#options;
    timers.end(agent);
    counts.deactivations[reason] += 1;
    const isSaved = reason !== "stale" && reason !== "destroyed";
    const time = { isUp: false };
    const save = () => (isSaved && !time.isUp ? states?.save(agent) : undefined);
    let saying: unknown;
    if (isSaved) states?.beginLastTurn?.(agent);
    try {
      const said: unknown = agent.onDeactivate?.(reason);
      saying = isThenable(said) ? Promise.resolve(said).then(save) : save();
    } catch (error) {
      this.#failLastWord(id, reason, error);
    }
    if (isThenable(saying)) return this.#waitForLastWord(id, agent, { reason, saying, time });
    this.#leave(agent);
    return undefined;
  }

  async #waitForLastWord(id: AgentId, agent: Agent, { reason, saying, time }: LastWord): Promise<void> {
    const { counts, timeoutMs } = this.#options;
    try {
      time.isUp = !(await this.#within(saying));
      if (time.isUp) {
        counts.forcedDeactivations += 1;
        const bound = `${timeoutMs} ms (deactivationTimeoutMs)`;
        this.#warn(id, `did not end onDeactivate (${reason}) within ${bound}. It is dropped, and nothing is saved.`);
      }
    } catch (error) {
      this.#failLastWord(id, reason, error);
    }
    this.#leave(agent);
  }

  #leave(agent: Agent): void {
    this.#options.states?.drop(agent);
    // Its last word may have started one.
    this.#options.timers.end(agent);
  }

  /** Returns false when the time is up first. A late failure is dropped then. */
  async #within(work: PromiseLike<unknown>): Promise<boolean> {
    const { clock, timeoutMs } = this.#options;
    const promise = Promise.resolve(work);
    promise.catch(() => undefined);
    return new Promise<boolean>((resolve, reject) => {
      const timer = clock.setTimer(timeoutMs, () => resolve(false), { keepAlive: true });
      promise.then(() => resolve(true), reject).finally(() => timer.cancel());
    });
  }

  #failLastWord(id: AgentId, reason: DeactivationReason, error: unknown): void {
    this.#fail(id, `failed in onDeactivate (${reason}). What it has changed there is not saved`, error);
  }

  #warn(id: AgentId, what: string): void {
    this.#options.logger?.warn(
      loggableText(`${id} ${what}`),
      undefined,
      `An agent of type ${id.type} did not end in time`,
    );
  }

  #fail(id: AgentId, what: string, error: unknown): void {
    this.#options.logger?.error(
      loggableText(`${id} ${what}: ${errorText(error)}`),
      { agent: loggableText(id.toString()), error: loggableError(error) },
      `An agent of type ${id.type} failed at its end`,
    );
  }
}
