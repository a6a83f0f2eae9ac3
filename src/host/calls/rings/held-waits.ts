import type { Clock, Timer } from "../../../core/internal.ts";
import { parsePath, peekFrame } from "../../../protocol/internal.ts";
import type { BatchRunner } from "../../batch-runner.ts";
import { limits } from "../../limits.ts";
import type { MovingAgent } from "../../placement/moving-agent.ts";
import type { Workers } from "../../placement/workers.ts";
import { keptText, type PendingCall } from "../../sessions/pending-call.ts";
import type { CallTable } from "../call-table.ts";
import type { CallRings } from "./call-rings.ts";

export interface HeldWaitsParts {
  readonly clock: Clock;
  readonly batches: BatchRunner;
  readonly calls: Pick<CallTable, "has" | "named" | "idTextOf">;
  readonly workers: Pick<Workers, "peersOf" | "peerOf">;
  readonly rings: Pick<CallRings, "reportHeld" | "forget">;
}

/** A call that is held, with its request. */
export interface Held {
  readonly call: PendingCall;
  readonly frame: Uint8Array;
}

interface Waiting extends Held {
  readonly agent: MovingAgent;
  readonly dueMs: number;
  /** The worker that the agent leaves, once the call is due. */
  workerId: string | undefined;
}

/** Calls of a worker that one task looks at. */
const callsAtOnce = 200;

// protocol.md §11.13, §11.17
/**
 * Reports the calls that wait long for an agent to leave its worker, if turns of other agents wait for them. Such a call waits for all calls
 * that the agent still has there, and no worker knows of it. So the host reports it to the search for rings.
 */
export class HeldWaits {
  readonly #parts: HeldWaitsParts;
  /** Those that are not looked at yet. */
  readonly #waiting = new Map<PendingCall, Waiting>();
  /** Those of them that are not due, in the order in which they will be. */
  readonly #young = new Set<Waiting>();
  /** Those that are due, by the worker through whose calls a task looks. */
  readonly #due = new Map<string, Set<Waiting>>();
  #timer: Timer | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(parts: HeldWaitsParts) {
    this.#parts = parts;
  }

  /** A call is held for an agent. One without a path is fine: no turn waits for it. */
  add({ call, frame }: Held, agent: MovingAgent): void {
    const request = peekFrame(frame);
    if (request.kind !== "request" || !request.hasPath) return;
    const { clock } = this.#parts;
    const waiting: Waiting = { call, frame, agent, dueMs: clock.now() + limits.heldStuckMs, workerId: undefined };
    this.#waiting.set(call, waiting);
    this.#young.add(waiting);
    this.#arm();
  }

  /** The call is not held any more; an unknown one is fine. */
  forget(call: PendingCall): void {
    const waiting = this.#waiting.get(call);
    if (waiting === undefined) return this.#parts.rings.forget(call);
    this.#waiting.delete(call);
    this.#young.delete(waiting);
    if (waiting.workerId !== undefined) this.#due.get(waiting.workerId)?.delete(waiting);
    if (this.#young.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    if (this.#timer !== undefined) return;
    const [first] = this.#young;
    if (first === undefined) return;
    const { clock } = this.#parts;
    // Each look goes through all calls of a worker, so that callers must not choose how often there is one.
    const atMs = Math.max(first.dueMs, this.#lookedMs + limits.heldStuckMs / 2);
    this.#timer = clock.setTimer(Math.max(0, atMs - clock.now()), () => this.#onTime());
  }

  #onTime(): void {
    this.#timer = undefined;
    const now = this.#parts.clock.now();
    this.#lookedMs = now;
    const unseen = new Set<string>();
    for (const waiting of this.#young) {
      if (waiting.dueMs > now) break;
      this.#young.delete(waiting);
      const { workerId } = waiting.agent.claim;
      waiting.workerId = workerId;
      const others = this.#due.get(workerId);
      if (others !== undefined) others.add(waiting);
      else {
        this.#due.set(workerId, new Set([waiting]));
        unseen.add(workerId);
      }
    }
    const { batches, workers } = this.#parts;
    for (const workerId of unseen) {
      const party = workers.peerOf(workerId)?.account.party;
      batches.add(`held ${workerId}`, this.#looks(workerId), party);
    }
    this.#arm();
  }

  /** Looks through the calls of a worker. Those that are due meanwhile have the next look together. */
  *#looks(workerId: string): Iterable<() => void> {
    for (let due = this.#takeDue(workerId); due.length > 0; due = this.#takeDue(workerId)) {
      yield* this.#reports(workerId, due);
    }
    this.#due.delete(workerId);
  }

  #takeDue(workerId: string): readonly Waiting[] {
    const due = [...(this.#due.get(workerId) ?? [])];
    this.#due.get(workerId)?.clear();
    for (const { call } of due) this.#waiting.delete(call);
    return due;
  }

  /** Looks once through the calls of a worker, for all that wait for agents of it. */
  *#reports(workerId: string, due: readonly Waiting[]): Iterable<() => void> {
    const { workers } = this.#parts;
    const behind = new Map<MovingAgent, string[]>(due.map(({ agent }) => [agent, []]));
    const agents = new Map(
      [...behind].map(([agent, tokens]) => [nameOf(agent.type.name, keptText(agent.key)), tokens]),
    );
    const running = workers.peersOf(workerId).flatMap(({ incomingCalls }) => incomingCalls.all());
    for (let at = 0; at < running.length; at += callsAtOnce) {
      yield () => {
        for (const call of running.slice(at, at + callsAtOnce)) {
          const tokens = agents.get(nameOf(call.targetType, call.targetKey));
          if (tokens !== undefined && tokens.length < limits.stuckBehind) tokens.push(this.#parts.calls.idTextOf(call));
        }
      };
    }
    for (const waiting of due) yield () => this.#report(waiting, workerId, behind.get(waiting.agent) ?? []);
  }

  #report({ call, frame, agent }: Waiting, workerId: string, behind: readonly string[]): void {
    const { rings, calls } = this.#parts;
    const isHeld = calls.has(call) && call.target === undefined && agent.at === "leaving";
    const request = peekFrame(frame);
    if (!isHeld || behind.length === 0 || request.kind !== "request") return;
    const path = parsePath(request.path);
    // No worker says that such a turn has ended.
    const stillRuns = (token: string): boolean => calls.named(token)?.target?.worker.id === workerId;
    if (path.length > 0) rings.reportHeld(call, { path, behind, stillRuns });
  }
}

function nameOf(type: string, key: string): string {
  return `${type}/${key}`;
}
