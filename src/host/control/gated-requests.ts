import { parseControlDestination } from "../../protocol/internal.ts";
import type { MemoryAccount } from "../../transport/internal.ts";
import type { GatedMessage, PlaceGates } from "../peers/places/place-gates.ts";
import type { ControlPeer } from "./control-peer.ts";
import { costOf } from "./control-waits.ts";
import { type CameRequest, ownRequest } from "./held-requests.ts";

/** A control request that waits for the place of its agent type. */
class GatedRequest implements GatedMessage {
  readonly came: CameRequest;
  readonly byteLength: number;
  readonly agentTypes: readonly string[];
  sinceMs: number | undefined;
  readonly #owner: GatedRequests;

  constructor(came: CameRequest, owner: GatedRequests) {
    this.came = came;
    this.byteLength = came.bytes.length + costOf(came.envelope);
    const at = parseControlDestination(came.envelope.destination);
    this.agentTypes = at?.kind === "agent" ? [at.type] : [];
    this.sinceMs = came.gatedSinceMs;
    this.#owner = owner;
  }

  get account(): MemoryAccount {
    return this.came.from.account;
  }

  place(unserved: string | undefined): void {
    this.#owner.placed(this, unserved !== undefined && this.agentTypes.includes(unserved));
  }

  expire(): void {
    this.#owner.expired(this);
  }
}

export interface GatedRequestsParts {
  readonly gates: PlaceGates;
  /** More is known of the place. `isUnserved`: no host serves the type. */
  readonly onPlaced: (came: CameRequest, isUnserved: boolean) => void;
  /** It has waited as long as it may. */
  readonly onExpired: (came: CameRequest) => void;
}

// protocol.md §12.4
/** Control requests for exclusive types whose place in the cluster is not known, or changes. They wait with the messages for the type. */
export class GatedRequests {
  readonly #parts: GatedRequestsParts;
  readonly #byAsker = new Map<ControlPeer, Set<GatedRequest>>();

  constructor(parts: GatedRequestsParts) {
    this.#parts = parts;
  }

  /** False: there is no space for it. */
  hold(gate: string, came: CameRequest): boolean {
    const request = new GatedRequest(ownRequest(came), this);
    if (!this.#parts.gates.hold(gate, request)) return false;
    this.#byAsker.set(came.from, (this.#byAsker.get(came.from) ?? new Set()).add(request));
    return true;
  }

  placed(request: GatedRequest, isUnserved: boolean): void {
    this.#drop(request);
    this.#parts.onPlaced({ ...request.came, gatedSinceMs: request.sinceMs }, isUnserved);
  }

  expired(request: GatedRequest): void {
    this.#drop(request);
    this.#parts.onExpired(request.came);
  }

  /** The channel of the asker has ended: the host holds its requests no more. */
  askerEnded(asker: ControlPeer): void {
    const ofAsker = this.#byAsker.get(asker);
    this.#byAsker.delete(asker);
    for (const request of ofAsker ?? []) this.#parts.gates.forget(request);
  }

  #drop(request: GatedRequest): void {
    const { from } = request.came;
    const ofAsker = this.#byAsker.get(from);
    ofAsker?.delete(request);
    if (ofAsker?.size === 0) this.#byAsker.delete(from);
  }
}
