import { type ControlEnvelope, type ControlRequest, isControlRequest } from "../../protocol/internal.ts";
import { FairShare } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import type { ControlPeer } from "./control-peer.ts";

/** A control request that the host passed on and that has no answer yet. */
export interface ControlWait {
  readonly asker: ControlPeer;
  readonly target: ControlPeer;
  readonly name: string;
  readonly envelope: ControlEnvelope;
  readonly request: ControlRequest;
  readonly bytes: number;
  /** All that its asker waits for. */
  readonly asked: Asked;
}

/** The waits of one asker, and the bytes of their names. */
interface Asked {
  readonly waits: Set<ControlWait>;
  bytes: number;
  /** The asker has left: its waits count for nothing, and are still to be removed. */
  isOver: boolean;
}

function createAsked(): Asked {
  return { waits: new Set(), bytes: 0, isOver: false };
}

/** What waits for another host, shared between the addresses of the askers. */
interface LinkShare {
  readonly places: FairShare;
  readonly bytes: FairShare;
}

function createLinkShare(): LinkShare {
  const { controlWaitsPerAsker, controlWaitBytesPerAsker } = limits;
  return { places: new FairShare(controlWaitsPerAsker), bytes: new FairShare(controlWaitBytesPerAsker) };
}

function mayAsk({ places, bytes }: LinkShare, { account }: ControlPeer, more: number): boolean {
  return places.mayAdd(account.party) && bytes.mayAdd(account.party, more);
}

/** About what a wait occupies beside its names: two entries of maps, the envelope and the request. */
const waitBytes = 600;

/**
 * The requests that each control channel has not answered. By them the host tells senders that the channel has ended, and knows
 * a true answer. The host sets no timeout here: senders have their own. It forgets no request while both ends are there: the bounds
 * are those of each asker, and one more request of that asker is refused.
 */
export class ControlWaits {
  readonly #byTarget = new Map<ControlPeer, Map<string, ControlWait>>();
  /** By client id, since a client may open its channel anew; those of another host by its link. */
  readonly #byAsker = new Map<string | ControlPeer, Asked>();
  /** What waits for each other host, which takes all of it as from one asker. */
  readonly #byLink = new Map<ControlPeer, LinkShare>();

  /** Returns why the host can't remember one more request of this asker; undefined: it can, or need not. Call it before `passed`. */
  whyFull(asker: ControlPeer, envelope: ControlEnvelope, target: ControlPeer | undefined): string | undefined {
    if (!isAwaited(envelope)) return undefined;
    // protocol.md §12.4
    const share = target && this.#byLink.get(target);
    if (share !== undefined && !mayAsk(share, asker, costOf(envelope)))
      return "Too many control requests wait for the host of this destination. The clients of one address have two thirds: try again later.";
    const { waits, bytes } = this.#byAsker.get(keyOf(asker)) ?? createAsked();
    const { controlWaitsPerAsker, controlWaitBytesPerAsker } = limits;
    if (waits.size >= controlWaitsPerAsker)
      return `${waits.size} control requests of this client wait for an answer. The host takes no more: wait for answers first.`;
    const own = costOf(envelope);
    const charged = chargeOf(own);
    if (bytes + own <= controlWaitBytesPerAsker) {
      return asker.account.mayTake(charged) ? undefined : asker.account.whyNot(charged);
    }
    return bytes === 0
      ? `The names in this control request have ${own} bytes. The host takes ${controlWaitBytesPerAsker}: use a shorter agent key.`
      : `The control requests of this client that wait hold ${bytes} bytes. The host takes ${controlWaitBytesPerAsker}: wait for answers first.`;
  }

  /** Notes a request that went to `target`; ignores everything else. */
  passed(target: ControlPeer, asker: ControlPeer, envelope: ControlEnvelope): void {
    const { body, respondTo } = envelope;
    if (!isControlRequest(body) || !respondTo) return;
    const name = nameOf(envelope.rpcId, respondTo);
    this.#forget(this.#byTarget.get(target)?.get(name));
    const waits = this.#byTarget.get(target) ?? new Map<string, ControlWait>();
    this.#byTarget.set(target, waits);
    const request = withoutState(body);
    const bytes = costOf(envelope);
    const asked = this.#byAsker.get(keyOf(asker)) ?? createAsked();
    this.#byAsker.set(keyOf(asker), asked);
    const wait = { asker, target, name, envelope: { ...envelope, body: undefined }, request, bytes, asked };
    waits.set(name, wait);
    asked.waits.add(wait);
    asked.bytes += bytes;
    asker.account.add(chargeOf(bytes));
    if (!target.isElsewhere) return;
    const share = this.#byLink.get(target) ?? createLinkShare();
    this.#byLink.set(target, share);
    share.places.add(asker.account.party);
    share.bytes.add(asker.account.party, bytes);
  }

  /** Removes the request that an answer from `target` belongs to. Returns its asker; undefined: the host knows of no such request. */
  answered(target: ControlPeer, { rpcId, destination, respondTo }: ControlEnvelope): ControlPeer | undefined {
    if (respondTo !== "") return undefined;
    const wait = this.#byTarget.get(target)?.get(nameOf(rpcId, destination));
    this.#forget(wait);
    return wait === undefined || wait.asked.isOver ? undefined : wait.asker;
  }

  /**
   * The channel has ended: returns the requests that it will not answer any more. Call `forget` for each; until then they count. The
   * host may forget one earlier, when its asker leaves.
   */
  release(target: ControlPeer): Iterable<ControlWait> {
    const waits = this.#byTarget.get(target);
    this.#byTarget.delete(target);
    return waits?.values() ?? [];
  }

  /** False: no caller waits for the answer any more. */
  forget(wait: ControlWait): boolean {
    const { waits, isOver } = wait.asked;
    const isAwaited = waits.has(wait) && !isOver;
    this.#forget(wait);
    return isAwaited;
  }

  /**
   * The client has no control channel any more, or the link of another host has ended: no caller waits for the answers to what it asked.
   * Returns the requests; call `forget` for each.
   */
  releaseAsker(asker: ControlPeer): Iterable<ControlWait> {
    const asked = this.#byAsker.get(keyOf(asker));
    if (asked === undefined) return [];
    this.#byAsker.delete(keyOf(asker));
    asked.isOver = true;
    return asked.waits;
  }

  #leaveLink(target: ControlPeer, party: string, bytes: number): void {
    const share = this.#byLink.get(target);
    share?.places.remove(party);
    share?.bytes.remove(party, bytes);
    if (share?.places.size === 0) this.#byLink.delete(target);
  }

  #forget(wait: ControlWait | undefined): void {
    if (wait === undefined) return;
    const { asker, target, name, bytes, asked } = wait;
    if (!asked.waits.delete(wait)) return;
    const waits = this.#byTarget.get(target);
    if (waits?.get(name) === wait) waits.delete(name);
    if (waits?.size === 0) this.#byTarget.delete(target);
    asked.bytes -= bytes;
    asker.account.release(chargeOf(bytes));
    this.#leaveLink(target, asker.account.party, bytes);
    if (asked.waits.size === 0 && !asked.isOver) this.#byAsker.delete(keyOf(asker));
  }
}

function keyOf(asker: ControlPeer): string | ControlPeer {
  return asker.isElsewhere ? asker : asker.id;
}

function isAwaited({ body, respondTo }: ControlEnvelope): boolean {
  return isControlRequest(body) && Boolean(respondTo);
}

/** A state to load may be long, and the host's answer for the target needs none of it. */
export function withoutState(request: ControlRequest): ControlRequest {
  return request.kind === "load-request" ? { ...request, state: "" } : request;
}

/** The bytes that the names of a request hold while it waits. */
export function costOf({ body, rpcId, destination, respondTo }: ControlEnvelope): number {
  const { type, key } = (isControlRequest(body) ? body.agentId : undefined) ?? { type: "", key: "" };
  const chars = rpcId.length + destination.length + (respondTo?.length ?? 0) + type.length + key.length;
  return 2 * chars;
}

/** Memory of a wait for the answer. The names stand in the envelope, and again in the name of the wait. */
function chargeOf(nameBytes: number): number {
  return waitBytes + 2 * nameBytes;
}

/** An rpc id is unique together with the destination of the answer. */
function nameOf(rpcId: string, respondTo: string): string {
  return `${rpcId.length}:${rpcId}${respondTo}`;
}
