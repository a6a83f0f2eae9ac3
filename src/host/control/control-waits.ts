import { type ControlEnvelope, type ControlRequest, isControlRequest } from "../../protocol/internal.ts";
import { limits } from "../limits.ts";
import type { ControlSession } from "./control-session.ts";

/** A control request that the host passed on and that has no answer yet. */
export interface ControlWait {
  readonly asker: ControlSession;
  readonly envelope: ControlEnvelope;
  readonly request: ControlRequest;
}

/**
 * The requests that each control channel has not answered, so that the host can tell their senders when the channel ends. The
 * host sets no timeout here: senders have their own. Bounded per channel; the oldest goes first.
 */
export class ControlWaits {
  readonly #waits = new Map<ControlSession, Map<string, ControlWait>>();

  /** Notes a request that went to `target`; ignores everything else. */
  passed(target: ControlSession, asker: ControlSession, envelope: ControlEnvelope): void {
    const { body, respondTo } = envelope;
    if (!isControlRequest(body) || !respondTo) return;
    if (envelope.rpcId.length + respondTo.length + envelope.destination.length > limits.controlNameChars) return;
    const waits = this.#waits.get(target) ?? new Map<string, ControlWait>();
    this.#waits.set(target, waits);
    // A state to load may be long, and the host's answer for the target needs none of it.
    const request = body.kind === "load-request" ? { ...body, state: "" } : body;
    waits.set(nameOf(envelope.rpcId, respondTo), { asker, envelope: { ...envelope, body: undefined }, request });
    if (waits.size <= limits.controlWaitsPerChannel) return;
    const oldest = waits.keys().next();
    if (!oldest.done) waits.delete(oldest.value);
  }

  /** Removes the request that an answer from `target` belongs to. False: the host knows of no such request. */
  answered(target: ControlSession, { rpcId, destination, respondTo }: ControlEnvelope): boolean {
    return respondTo === "" && this.#waits.get(target)?.delete(nameOf(rpcId, destination)) === true;
  }

  /** The channel has ended: returns the requests that it will not answer any more. */
  release(target: ControlSession): readonly ControlWait[] {
    const waits = [...(this.#waits.get(target)?.values() ?? [])];
    this.#waits.delete(target);
    return waits;
  }
}

/** An rpc id is unique together with the destination of the answer. */
function nameOf(rpcId: string, respondTo: string): string {
  return `${rpcId.length}:${rpcId}${respondTo}`;
}
