import { type ControlEnvelope, type ControlRequest, isControlRequest } from "../../protocol/internal.ts";
import { limits } from "../limits.ts";
import type { ControlSession } from "./control-session.ts";

/** A control request that the host passed on and that has no answer yet. */
export interface ControlWait {
  readonly asker: ControlSession;
  readonly envelope: ControlEnvelope;
  readonly request: ControlRequest;
}

interface CountedWait extends ControlWait {
  readonly bytes: number;
}

/** About what a wait occupies beside its names: two entries of maps, the envelope and the request. */
const waitBytes = 600;

/**
 * The requests that each control channel has not answered, so that the host can tell their senders when the channel ends. The
 * host sets no timeout here: senders have their own. Bounded per channel, the oldest goes first, and by the sender's account.
 */
export class ControlWaits {
  readonly #waits = new Map<ControlSession, Map<string, CountedWait>>();

  /** Undefined: the sender may wait for the answer to this. Otherwise why not. Ask before the request goes to its target. */
  whyFull(asker: ControlSession, envelope: ControlEnvelope): string | undefined {
    const bytes = costOf(envelope);
    return bytes === 0 || asker.account.mayTake(bytes) ? undefined : asker.account.whyNot(bytes);
  }

  /** Notes a request that went to `target`; ignores everything else. */
  passed(target: ControlSession, asker: ControlSession, envelope: ControlEnvelope): void {
    const { body, respondTo, rpcId } = envelope;
    const bytes = costOf(envelope);
    if (bytes === 0 || !isControlRequest(body) || !respondTo) return;
    const waits = this.#waits.get(target) ?? new Map<string, CountedWait>();
    this.#waits.set(target, waits);
    const name = nameOf(rpcId, respondTo);
    forget(waits, name);
    // A state to load may be long, and the host's answer for the target needs none of it.
    const request = body.kind === "load-request" ? { ...body, state: "" } : body;
    asker.account.add(bytes);
    waits.set(name, { asker, envelope: { ...envelope, body: undefined }, request, bytes });
    if (waits.size <= limits.controlWaitsPerChannel) return;
    const oldest = waits.keys().next();
    if (!oldest.done) forget(waits, oldest.value);
  }

  /** Removes the request that an answer from `target` belongs to. False: the host knows of no such request. */
  answered(target: ControlSession, { rpcId, destination, respondTo }: ControlEnvelope): boolean {
    const waits = this.#waits.get(target);
    return respondTo === "" && waits !== undefined && forget(waits, nameOf(rpcId, destination));
  }

  /** The channel has ended: returns the requests that it will not answer any more. */
  release(target: ControlSession): readonly ControlWait[] {
    const waits = [...(this.#waits.get(target)?.values() ?? [])];
    for (const { asker, bytes } of waits) asker.account.release(bytes);
    this.#waits.delete(target);
    return waits;
  }
}

/** Takes a request out. False: there is none of this name. */
function forget(waits: Map<string, CountedWait>, name: string): boolean {
  const wait = waits.get(name);
  if (wait === undefined) return false;
  wait.asker.account.release(wait.bytes);
  return waits.delete(name);
}

/** Memory of a wait for the answer; 0: the host does not remember the envelope. */
function costOf({ body, respondTo, rpcId, destination }: ControlEnvelope): number {
  if (!isControlRequest(body) || !respondTo) return 0;
  const { type, key } = body.agentId ?? { type: "", key: "" };
  const chars = rpcId.length + respondTo.length + destination.length + type.length + key.length;
  return chars > limits.controlNameChars ? 0 : waitBytes + 4 * chars;
}

/** An rpc id is unique together with the destination of the answer. */
function nameOf(rpcId: string, respondTo: string): string {
  return `${rpcId.length}:${rpcId}${respondTo}`;
}
