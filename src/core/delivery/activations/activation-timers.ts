import type { Agent } from "../../agents/agent.ts";
import type { AgentId } from "../../agents/agent-id.ts";
import type { TimerStart } from "../../agents/agent-life.ts";
import { type Clock, longestTimerMs, type Timer } from "../../clock.ts";
import { TroupeError } from "../../errors.ts";
import type { TraceCarrier } from "../../tracing.ts";
import type { HandlerContext } from "../handler-context.ts";

/** The outcome of a message that the runtime itself gave to an agent. */
export type OwnOutcome = { readonly answer: unknown } | { readonly error: unknown };

/** The message of a timer, or of a run, on its way to its agent. */
export interface TimerMessage {
  readonly agentId: AgentId;
  readonly message: unknown;
  /** Default: a new one, for a message of the agent itself. */
  readonly context?: HandlerContext | undefined;
  /** The trace context that came with the message. Default: none. */
  readonly link?: TraceCarrier | undefined;
  /** Called when the turn has ended, with its outcome. Undefined: a worker did not begin it. A turn that was given up may end later. */
  readonly onEnd: (outcome?: OwnOutcome) => void;
  /** Called when the runtime within one process drops the message. Default: nothing is done. */
  readonly onDropped?: (() => void) | undefined;
}

export interface ActivationTimersOptions {
  readonly clock: Clock;
  /** Whether the agent is live, or is just being activated. */
  readonly isActive: (agent: Agent) => boolean;
  /** Delivers the message as a turn of the agent. */
  readonly deliver: (message: TimerMessage) => void;
}

/** Timers of one activation that may be pending at a time. */
const mostTimers = 1_000;

/** The timers that agents have started. They end with the activation. */
export class ActivationTimers {
  readonly #options: ActivationTimersOptions;
  readonly #byAgent = new Map<Agent, Set<Timer>>();

  constructor(options: ActivationTimersOptions) {
    this.#options = options;
  }

  start(agent: Agent, { delayMs, message, repeats }: TimerStart): Timer {
    const { clock, isActive, deliver } = this.#options;
    const { id } = agent;
    assertDelay(delayMs, repeats, id);
    if (!isActive(agent)) {
      const text = `${id} can't start a timer: its activation has ended, or has not begun. Start timers in onActivate or in a handler.`;
      throw new TroupeError("wrong-state", text);
    }
    const own = this.#byAgent.get(agent) ?? new Set<Timer>();
    if (own.size >= mostTimers) {
      const text = `${own.size} timers of ${id} are pending, and an activation can have no more. Cancel those that it does not need.`;
      throw new TroupeError("overloaded", text);
    }
    this.#byAgent.set(agent, own);
    const fire = () => {
      if (repeats) deliver({ agentId: id, message, onEnd: rearm });
      else {
        this.#remove(agent, timer);
        deliver({ agentId: id, message, onEnd: () => undefined });
      }
    };
    const rearm = () => {
      if (own.has(timer)) pending = clock.setTimer(delayMs, fire);
    };
    let pending = clock.setTimer(delayMs, fire);
    const timer: Timer = {
      cancel: () => {
        pending.cancel();
        this.#remove(agent, timer);
      },
    };
    own.add(timer);
    return timer;
  }

  /** Ends all timers of an activation. */
  end(agent: Agent): void {
    for (const timer of [...(this.#byAgent.get(agent) ?? [])]) timer.cancel();
  }

  #remove(agent: Agent, timer: Timer): void {
    const own = this.#byAgent.get(agent);
    if (own?.delete(timer) === true && own.size === 0 && this.#byAgent.get(agent) === own) this.#byAgent.delete(agent);
  }
}

function assertDelay(delayMs: number, repeats: boolean, id: AgentId): void {
  const least = repeats ? 1 : 0;
  if (typeof delayMs === "number" && delayMs >= least && delayMs <= longestTimerMs) return;
  const text = `A timer of ${id} needs a delay from ${least} to ${longestTimerMs} ms, not ${String(delayMs)}.`;
  throw new TroupeError("invalid-argument", text);
}
