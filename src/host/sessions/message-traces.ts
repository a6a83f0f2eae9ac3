import type { HostTracing, OpenSpan } from "../../core/internal.ts";
import { type PeekedEvent, type PeekedRequest, type PeekedTrace, sampledTraceOf } from "../../protocol/internal.ts";
import { FairShare } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import type { Peer } from "./peer.ts";

/** Spans of deliveries of one event. */
const mostDeliveries = 32;

/**
 * The way of one call through the host as spans: `receive` from its arrival to its outcome. Inside it are `route` or `place` until its worker is known,
 * `queue` until its frame has left for the network, and `deliver` until the outcome.
 */
export class CallTrace {
  readonly #root: OpenSpan;
  readonly #onEnd: () => void;
  #phase: OpenSpan | undefined;
  /** Counts the workers that the call was sent to. */
  #sendings = 0;

  constructor(root: OpenSpan, phase: "route" | "place", onEnd: () => void) {
    this.#root = root;
    this.#onEnd = onEnd;
    this.#phase = root.begin(`troupe ${phase}`);
  }

  /** The call waits in the queue for a worker. */
  sent(target: Peer): void {
    this.#begin("troupe queue")?.note({ "troupe.client_id": target.id });
    this.#sendings += 1;
    const sending = this.#sendings;
    const left = target.flushed?.();
    if (left === undefined) this.#left();
    else
      void left.then(() => {
        if (sending === this.#sendings) this.#left();
      });
  }

  /** The worker has given the call back. */
  returned(): void {
    this.#sendings += 1;
    this.#begin("troupe place");
  }

  /** The call has its outcome. You may call it twice. `chunks`: those of its answer; undefined if its caller reads none. */
  end(outcome: string, code: string | undefined, chunks?: number): void {
    if (this.#phase === undefined) return;
    this.#sendings += 1;
    this.#phase.end();
    this.#phase = undefined;
    this.#root.note({ "troupe.outcome": outcome });
    if (chunks !== undefined) this.#root.note({ "troupe.chunks": chunks });
    this.#root.end(outcome === "answered" ? undefined : (code ?? outcome));
    this.#onEnd();
  }

  #left(): void {
    this.#begin("troupe deliver");
  }

  /** Undefined: the call has its outcome. */
  #begin(name: string): OpenSpan | undefined {
    if (this.#phase === undefined) return undefined;
    this.#phase.end();
    this.#phase = this.#root.begin(name);
    return this.#phase;
  }
}

/** The way of one event through the host: `receive` until it is routed, and inside it `queue` for each worker until its frame has left. */
export class EventTrace {
  readonly #root: OpenSpan;
  readonly #onEnd: () => void;
  #deliveries = 0;

  constructor(root: OpenSpan, onEnd: () => void) {
    this.#root = root;
    this.#onEnd = onEnd;
  }

  /** The event waits in the queue for a worker. */
  sent(target: Peer): void {
    if (this.#deliveries >= mostDeliveries) return;
    this.#deliveries += 1;
    const queue = this.#root.begin("troupe queue");
    queue.note({ "troupe.client_id": target.id });
    const left = target.flushed?.();
    if (left === undefined) queue.end();
    else void left.then(() => queue.end());
  }

  routed(workers: number): void {
    this.#root.note({ "troupe.workers": workers });
    this.#root.end();
    this.#onEnd();
  }
}

/** Makes the traces of calls and events. Their number is bounded, and shared between the addresses of the senders. */
export class MessageTraces {
  readonly #tracing: HostTracing;
  readonly #share = new FairShare(limits.openTraces);

  constructor(tracing: HostTracing) {
    this.#tracing = tracing;
  }

  /** Undefined: the call is not traced. */
  call(caller: Peer, request: PeekedRequest, phase: "route" | "place"): CallTrace | undefined {
    const trace = sampledTraceOf(request);
    if (trace === undefined) return undefined;
    const { targetType = "", targetKey } = request;
    const root = this.#begin(caller, trace, `${targetType}.(${targetKey})-A`);
    return root && new CallTrace(root, phase, () => this.#share.remove(caller.account.party));
  }

  /** Undefined: the event is not traced. */
  event(from: Peer, event: PeekedEvent): EventTrace | undefined {
    const trace = sampledTraceOf(event);
    const root = trace && this.#begin(from, trace, event.topicType);
    return root && new EventTrace(root, () => this.#share.remove(from.account.party));
  }

  #begin(from: Peer, trace: PeekedTrace, destination: string): OpenSpan | undefined {
    const { party } = from.account;
    if (!this.#share.mayAdd(party)) return undefined;
    const root = this.#tracing.begin(`troupe receive ${destination.slice(0, limits.spanNameChars)}`, { ...trace });
    if (root === undefined) return undefined;
    this.#share.add(party);
    root.note({ "troupe.client_id": from.id });
    return root;
  }
}
