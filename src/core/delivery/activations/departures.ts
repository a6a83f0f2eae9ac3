import type { Agent } from "../../agents/agent.ts";
import type { AgentId } from "../../agents/agent-id.ts";
import type { DeactivationReason } from "../../agents/agent-life.ts";
import type { Clock } from "../../clock.ts";
import { type TroupeError, UndeliverableException } from "../../errors.ts";
import type { RuntimeLog } from "../../limited-log.ts";
import type { HandlerContext } from "../handler-context.ts";
import { loggableText } from "../loggable.ts";
import type { ActivationStates, PlacedAgents } from "./activation-ports.ts";
import type { AgentKind } from "./agent-kind.ts";
import type { Deactivations } from "./deactivations.ts";

export interface DeparturesOptions {
  readonly ends: Deactivations;
  readonly clock: Clock;
  readonly logger: RuntimeLog | undefined;
  readonly states: ActivationStates | undefined;
  readonly placed: PlacedAgents | undefined;
  /** Returns the contexts of the messages that an agent handles, or that wait for their turn there. */
  readonly contextsAt: (id: AgentId) => readonly HandlerContext[];
  /** Begins the next activation of an agent. */
  readonly begin: (kind: AgentKind, id: AgentId) => Promise<Agent>;
  /** Called when an agent of the type is live no more. */
  readonly onGone: (kind: AgentKind) => void;
}

/** A handler that runs so long while its agent is to end may wait for that end itself. */
const longMs = 10_000;

/** The wish of a caller that an agent ends, until the host takes the agent back. */
interface Wish {
  reason: DeactivationReason;
  readonly promise: Promise<boolean>;
  readonly settle: (ended: boolean | Promise<boolean>) => void;
}

/**
 * Lets activations end in order: the turns that run end first. An agent that a host has placed ends only when the host takes it back. Its
 * messages then go to the next worker, and none of them to the next activation here.
 */
export class Departures {
  readonly #options: DeparturesOptions;
  /** Agents that leave when their turns have ended. */
  readonly #leaving = new Map<Agent, Promise<boolean>>();
  /** Agents for which a caller waits until the host takes them back. */
  readonly #wishes = new Map<Agent, Wish>();
  /** Ends the waits for turns. */
  readonly #onClose = new Set<() => void>();
  /** The number of closes. */
  #closes = 0;

  constructor(options: DeparturesOptions) {
    this.#options = options;
  }

  /**
   * Ends an agent's activation when its running turns have ended, and resolves when it has ended. What comes for a sequential agent
   * meanwhile goes to the next activation. Other agents take messages as long as a turn runs. Does nothing for an agent that is not live.
   * `destroyed` rejects with `shutting-down` if the runtime ends before the state is deleted.
   */
  async deactivate(kind: AgentKind, id: AgentId, reason: DeactivationReason): Promise<void> {
    const { key } = id;
    const closes = this.#closes;
    for (;;) {
      if (reason === "destroyed" && closes !== this.#closes) throw notDestroyed(id);
      const agent = kind.live.get(key);
      const ending = kind.ending.get(key) ?? (agent && this.#leaving.get(agent));
      if (agent !== undefined && ending === undefined) {
        const isPlaced = this.#options.placed?.has(id) === true;
        const left = isPlaced ? this.#whenTakenBack(id, agent, reason) : this.#leave(kind, id, agent, reason);
        // One that has lost its state meanwhile is not destroyed: its next activation may have written another one.
        if ((await left) || reason !== "destroyed") return;
        continue;
      }
      const pending = ending ?? kind.making.get(key);
      if (pending === undefined) return reason === "destroyed" ? this.#destroyAbsent(kind, id) : undefined;
      await pending.catch(() => undefined);
      if (ending !== undefined && reason !== "destroyed") return;
    }
  }

  /**
   * Ends every activation of an agent that its host takes back, also one that is just beginning. Resolves when the last commit is decided
   * and the agent is closed. Never rejects. `isCurrent`: whether the host has not placed the agent here anew meanwhile.
   */
  async release(kind: AgentKind, id: AgentId, reason: DeactivationReason, isCurrent: () => boolean): Promise<void> {
    const { key } = id;
    while (isCurrent()) {
      const agent = kind.live.get(key);
      const ending = kind.ending.get(key) ?? (agent && this.#leaving.get(agent));
      if (agent !== undefined && ending === undefined) await this.#releaseLive(kind, id, agent, reason);
      else {
        const pending = ending ?? kind.making.get(key);
        if (pending === undefined) return;
        await pending.catch(() => undefined);
      }
    }
  }

  /** The activation of an agent has ended in another way. */
  lost(agent: Agent): void {
    this.#wishes.get(agent)?.settle(false);
    this.#wishes.delete(agent);
  }

  /** Ends an activation without turns. Until it has ended, messages wait for the next one. */
  end(kind: AgentKind, id: AgentId, agent: Agent, reason: DeactivationReason): Promise<void> {
    const { ends, states, begin } = this.#options;
    const { key } = id;
    const isPlaced = this.#options.placed?.has(id) === true;
    kind.live.delete(key);
    this.#options.onGone(kind);
    const over = this.#markEnding(kind, key);
    const next = () => (isPlaced ? Promise.reject(movedError(id)) : (kind.making.get(key) ?? begin(kind, id)));
    kind.turns?.move(agent, next);
    const ended = ends.end(id, agent, reason);
    const gone = reason === "destroyed" ? ended.then(() => states?.destroy(id)) : ended;
    gone.then(over, over);
    return gone;
  }

  /** The runtime ends: the waits for turns and for the host end. */
  close(): void {
    this.#closes += 1;
    for (const onClose of this.#onClose) onClose();
    this.#onClose.clear();
    for (const agent of [...this.#wishes.keys()]) this.lost(agent);
  }

  #whenTakenBack(id: AgentId, agent: Agent, reason: DeactivationReason): Promise<boolean> {
    const known = this.#wishes.get(agent);
    if (known !== undefined) {
      if (reason === "destroyed") known.reason = reason;
      return known.promise;
    }
    let settle!: Wish["settle"];
    const promise = new Promise<boolean>((resolve) => {
      settle = resolve;
    });
    this.#wishes.set(agent, { reason, promise, settle });
    this.#options.placed?.ask(id, "asked");
    return promise;
  }

  async #releaseLive(kind: AgentKind, id: AgentId, agent: Agent, reason: DeactivationReason): Promise<void> {
    const wish = this.#wishes.get(agent);
    this.#wishes.delete(agent);
    const left = this.#leave(kind, id, agent, wish?.reason ?? reason);
    wish?.settle(left);
    // The caller who has asked for the end hears of a failure.
    await left.catch(() => undefined);
  }

  #leave(kind: AgentKind, id: AgentId, agent: Agent, reason: DeactivationReason): Promise<boolean> {
    const left = this.#leaveWhenFree(kind, id, agent, reason);
    this.#leaving.set(agent, left);
    const forget = () => this.#leaving.delete(agent);
    left.then(forget, forget);
    return left;
  }

  /** No runtime can tell a handler that waits for itself from one that takes its time. */
  #warn(id: AgentId): void {
    const waits = `${id} is to end its activation, and has waited for 10 s for a handler that runs. Messages for it wait meanwhile.`;
    const advice = `If the handler awaits deactivateAgent or destroyAgent for its own agent, it waits without end: leave out the await there.`;
    const kind = "An activation waits for a handler before it ends";
    this.#options.logger?.warn(loggableText(`${waits} ${advice}`), undefined, kind);
  }

  /** Returns false if the activation has ended in another way before its turns had ended. */
  async #leaveWhenFree(kind: AgentKind, id: AgentId, agent: Agent, reason: DeactivationReason): Promise<boolean> {
    kind.turns?.hold(agent);
    while (kind.live.get(id.key) === agent) {
      const running = this.#options.contextsAt(id).filter((context) => isRunning(kind, context));
      if (running.length === 0) {
        await this.end(kind, id, agent, reason);
        return true;
      }
      const timer = this.#options.clock.setTimer(longMs, () => this.#warn(id));
      await turnsEnded(running, this.#onClose);
      timer.cancel();
    }
    // The runtime has ended, or the agent has lost its state.
    kind.turns?.forget(agent);
    return false;
  }

  async #destroyAbsent(kind: AgentKind, id: AgentId): Promise<void> {
    const destroying = this.#options.states?.destroy(id);
    if (destroying === undefined) return;
    const over = this.#markEnding(kind, id.key);
    await destroying.finally(over);
  }

  /** From now on messages for the agent wait. Returns what ends that. */
  #markEnding({ ending }: AgentKind, key: string): () => void {
    let resolve!: () => void;
    const ended = new Promise<void>((settle) => {
      resolve = settle;
    });
    ending.set(key, ended);
    return () => {
      ending.delete(key);
      resolve();
    };
  }
}

/** Whether the message has its turn. One that waits at a sequential agent goes to the next activation. */
function isRunning({ turns }: AgentKind, context: HandlerContext): boolean {
  return !context.hasEnded && (turns === undefined || context.turn !== undefined || context.isInterleaving);
}

/** Resolves when the handlers have ended, or the runtime ends and calls what is in `onClose`. */
function turnsEnded(contexts: readonly HandlerContext[], onClose: Set<() => void>): Promise<void> {
  return new Promise((resolve) => {
    let left = contexts.length;
    const end = () => {
      onClose.delete(end);
      for (const context of contexts) context.onEnded = undefined;
      resolve();
    };
    onClose.add(end);
    for (const context of contexts) {
      context.onEnded = () => {
        context.onEnded = undefined;
        left -= 1;
        if (left === 0) end();
      };
    }
  });
}

function notDestroyed(id: AgentId): UndeliverableException {
  const text = `The runtime ended before ${id} was destroyed, and its state is still there. Destroy it again.`;
  return new UndeliverableException(text, { code: "shutting-down", notHandled: true });
}

/** Makes the error for what waits for an agent that goes to another worker. */
export function movedError(id: AgentId): TroupeError {
  const text = `${id} leaves this worker, and its host places it anew. Ask again.`;
  return new UndeliverableException(text, { code: "shutting-down", notHandled: true });
}

/** Makes the error for what had not begun when the runtime ended. */
export function endedBefore(what: string): UndeliverableException {
  return new UndeliverableException(`${what} had not begun when the runtime ended.`, {
    code: "shutting-down",
    notHandled: true,
  });
}
