import { type ControlEnvelope, type ControlRequest, isControlRequest } from "../../protocol/internal.ts";
import { limits } from "../limits.ts";
import type { ControlSession } from "./control-session.ts";

/** A control request that was passed on and has not been answered. */
export interface ControlWait {
  readonly asker: ControlSession;
  readonly envelope: ControlEnvelope;
  readonly request: ControlRequest;
}

/**
 * What each control channel has been asked, so that the askers can be told when it ends. The host sets no time limit here:
 * askers have their own. Bounded per channel; the oldest is forgotten first.
 */
export class ControlWaits {
  readonly #waits = new Map<ControlSession, Map<string, ControlWait>>();

  /** A request has gone to `target`; others than requests are not noted. */
  passed(target: ControlSession, asker: ControlSession, envelope: ControlEnvelope): void {
    const { body, respondTo } = envelope;
    if (!isControlRequest(body) || !respondTo) return;
    if (envelope.rpcId.length + respondTo.length + envelope.destination.length > limits.controlNameChars) return;
    const waits = this.#waits.get(target) ?? new Map<string, ControlWait>();
    this.#waits.set(target, waits);
    // A state to load may be long, and the answer in the target's stead needs none of it.
    const request = body.kind === "load-request" ? { ...body, state: "" } : body;
    waits.set(nameOf(envelope.rpcId, respondTo), { asker, envelope: { ...envelope, body: undefined }, request });
    if (waits.size <= limits.controlWaitsPerChannel) return;
    const oldest = waits.keys().next();
    if (!oldest.done) waits.delete(oldest.value);
  }

  /** An answer has come from `target`. */
  answered(target: ControlSession, { rpcId, destination, respondTo }: ControlEnvelope): void {
    if (respondTo === "") this.#waits.get(target)?.delete(nameOf(rpcId, destination));
  }

  /** The channel has ended: hands out what it will not answer any more. */
  release(target: ControlSession): readonly ControlWait[] {
    const waits = [...(this.#waits.get(target)?.values() ?? [])];
    this.#waits.delete(target);
    return waits;
  }
}

/** An rpc id is the asker's own; together with where the answer goes it is unique. */
function nameOf(rpcId: string, respondTo: string): string {
  return `${rpcId.length}:${rpcId}${respondTo}`;
}
