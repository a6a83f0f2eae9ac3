import type { MemoryAccount } from "../../transport/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import type { SharedType } from "../registry/shared-type.ts";
import {
  costOfMoving,
  countHeld,
  type HeldMessage,
  type HeldMessages,
  type MovingAgent,
  movingAgent,
  noClaim,
} from "./moving-agent.ts";
import type { PlaceVersions } from "./place-versions.ts";

export interface MovingLaneParts {
  readonly messages: HeldMessages;
  /** Sends messages that waited in turns with other work. */
  readonly batches: BatchRunner;
  readonly versions: PlaceVersions;
  /** Takes the next message of an agent at `placing`, or gives the agent another state. */
  readonly placeNext: (agent: MovingAgent) => void;
}

/** Agents for which messages wait, and the way on which these leave in their order. */
export class MovingLane {
  readonly #parts: MovingLaneParts;
  readonly #agents = new Map<SharedType, Map<string, MovingAgent>>();
  #count = 0;

  constructor(parts: MovingLaneParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#count;
  }

  find(type: SharedType, key: string): MovingAgent | undefined {
    return this.#agents.get(type)?.get(key);
  }

  of(type: SharedType): Iterable<MovingAgent> {
    return this.#agents.get(type)?.values() ?? [];
  }

  has(agent: MovingAgent): boolean {
    return this.find(agent.type, agent.key) === agent;
  }

  /** Enters an agent. Its account has paid for it. */
  enter(agent: MovingAgent): void {
    const ofType = this.#agents.get(agent.type) ?? new Map<string, MovingAgent>();
    this.#agents.set(agent.type, ofType.set(agent.key, agent));
    agent.lane = this;
    this.#count += 1;
  }

  /** Enters an agent of which nothing is known. Undefined: the account has no space for it. */
  open(type: SharedType, key: string, account: MemoryAccount): MovingAgent | undefined {
    if (!account.take(costOfMoving(type, key))) return undefined;
    const claim = noClaim(type.name, key);
    const agent = movingAgent(type, key, account, { at: "placing", claim, reason: "asked", newest: 0 });
    this.enter(agent);
    this.#parts.versions.changed(key);
    return agent;
  }

  /** Holds a message for an agent. False: there is no space for it. */
  hold(agent: MovingAgent, message: HeldMessage): boolean {
    const { messages } = this.#parts;
    const isHeld = messages.mayAdd(agent, message) && messages.add(agent, agent.held, message);
    if (agent.at === "placing" && !agent.isBeingPlaced) this.resume(agent);
    return isHeld;
  }

  /** Sends what waits for an agent, as far as it has a place. */
  resume(agent: MovingAgent): void {
    agent.at = "placing";
    if (agent.isBeingPlaced) return;
    agent.isBeingPlaced = true;
    this.#parts.batches.add(agent, this.#placements(agent), agent.account.party);
  }

  /** Nothing waits for the agent any more. */
  end(agent: MovingAgent): void {
    const ofType = this.#agents.get(agent.type);
    if (ofType?.get(agent.key) !== agent) return;
    ofType.delete(agent.key);
    if (ofType.size === 0) this.#agents.delete(agent.type);
    this.#count -= 1;
    this.#parts.versions.changed(agent.key);
    agent.account.release(costOfMoving(agent.type, agent.key));
  }

  *#placements(agent: MovingAgent): Iterable<() => void> {
    while (agent.at === "placing" && countHeld(agent) > 0) {
      yield () => {
        if (agent.at === "placing") this.#parts.placeNext(agent);
      };
    }
    agent.isBeingPlaced = false;
    if (agent.at === "placing") this.end(agent);
  }
}
