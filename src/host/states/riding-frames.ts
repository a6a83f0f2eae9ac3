import { type CommitAsk, type PeekedEvent, type PeekedResponse, peekFrame } from "../../protocol/internal.ts";
import type { CallFailure } from "../calls/call-failures.ts";
import type { CallRouter } from "../calls/call-router.ts";
import type { SenderCheck } from "../calls/sender-check.ts";
import type { EventRouter } from "../events/event-router.ts";
import type { EventSpreader, SpreadEvent } from "../events/spread-event.ts";
import type { Peer } from "../sessions/peer.ts";
import type { PendingCall } from "../sessions/pending-call.ts";

/** The routers of the data channel. */
export interface FrameRouters {
  readonly calls: CallRouter;
  readonly events: EventRouter;
  /** Finds the agents that keep durable events. */
  readonly spreader: EventSpreader;
}

/** The answers and events of one commit. They leave when it is written, as if they had come on the worker's data channel. */
export class RidingFrames {
  readonly #from: Peer;
  readonly #answers: readonly PeekedResponse[];
  readonly #events: readonly PeekedEvent[];
  /** The calls whose answers ride; the call router keeps them until they are released. */
  #kept: readonly PendingCall[] = [];
  /** Where those of the events go that the host keeps. */
  #spread: ReadonlyMap<PeekedEvent, SpreadEvent> = noSpread;

  private constructor(from: Peer, answers: readonly PeekedResponse[], events: readonly PeekedEvent[]) {
    this.#from = from;
    this.#answers = answers;
    this.#events = events;
  }

  /** Reads the frames. Returns a text if one of them is not what it should be. */
  static read(from: Peer, ask: Pick<CommitAsk, "answers" | "events">): RidingFrames | string {
    const answers: PeekedResponse[] = [];
    for (const bytes of ask.answers) {
      const frame = peekFrame(bytes);
      if (frame.kind !== "response") return "A message among the answers of the commit is not an answer.";
      answers.push(frame);
    }
    const events: PeekedEvent[] = [];
    for (const bytes of ask.events) {
      const frame = peekFrame(bytes);
      if (frame.kind !== "event") return "A message among the events of the commit is not an event.";
      events.push(frame);
    }
    return new RidingFrames(from, answers, events);
  }

  /** From now on only the outcome of the commit ends the calls whose answers ride. */
  keepCalls({ calls }: FrameRouters): void {
    const kept: PendingCall[] = [];
    for (const answer of this.#answers) {
      const call = calls.commits.keep(this.#from, answer);
      if (call !== undefined) kept.push(call);
    }
    this.#kept = kept;
  }

  /** The events among them that the host keeps. */
  durableOf({ spreader }: FrameRouters): readonly PeekedEvent[] {
    if (this.#events.length === 0) return noEvents;
    return this.#events.filter((event) => spreader.isKept(this.#from, event));
  }

  /** Notes where these events go. */
  spread(durable: readonly PeekedEvent[], spread: readonly SpreadEvent[]): void {
    this.#spread = new Map(
      spread.flatMap((one, index) => (durable[index] === undefined ? [] : [[durable[index], one]])),
    );
  }

  /** The failure of the first event that the worker may not send. Undefined: it may send all. */
  whyNotSent(senders: SenderCheck): CallFailure | undefined {
    for (const event of this.#events) {
      const failure = senders.whyNot(this.#from, event);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  /** How many there are. */
  get count(): number {
    return this.#answers.length + this.#events.length;
  }

  /** The commit is written: all frames leave. */
  leave(routers: FrameRouters): void {
    if (this.#events.length === 0) {
      for (const answer of this.#answers) routers.calls.answer(this.#from, answer);
      this.#release(routers.calls, undefined);
    } else for (const task of this.leaving(routers)) task();
  }

  /** The same for a commit with many: with each task one frame leaves. An event for many workers takes several tasks. */
  *leaving({ calls, events, spreader }: FrameRouters): Iterable<() => void> {
    for (const answer of this.#answers) yield () => calls.answer(this.#from, answer);
    yield () => this.#release(calls, undefined);
    let targets = 0;
    for (const event of this.#events) {
      const spread = this.#spread.get(event);
      yield () => {
        targets = spread === undefined ? events.route(this.#from, event) : spreader.routeRest(this.#from, spread);
      };
      for (let left = targets; left > targetsPerTask; left -= targetsPerTask) yield doNothing;
    }
  }

  /** The commit is not written. `failure`: for callers whose worker can't answer them any more. */
  drop({ calls }: FrameRouters, failure: ((agentType: string) => CallFailure) | undefined): void {
    this.#release(calls, failure);
  }

  #release(calls: CallRouter, failure: ((agentType: string) => CallFailure) | undefined): void {
    for (const call of this.#kept) calls.commits.release(call, failure);
    this.#kept = [];
  }
}

const noEvents: readonly PeekedEvent[] = [];
const noSpread: ReadonlyMap<PeekedEvent, SpreadEvent> = new Map();
/** Workers that get an event for the time of one task. */
const targetsPerTask = 4;
const doNothing = (): void => undefined;
