import type { ControlEnvelope, ControlRequest } from "../../protocol/internal.ts";
import type { MemoryAccount } from "../../transport/internal.ts";
import type { Placed } from "../placement/located.ts";
import type { HeldMessage, MovingAgent, SeekingPlace } from "../placement/moving-agent.ts";
import type { ControlPeer } from "./control-peer.ts";
import { costOf, withoutState } from "./control-waits.ts";

/** A control request as it came. */
export interface CameRequest {
  readonly from: ControlPeer;
  readonly envelope: ControlEnvelope;
  readonly request: ControlRequest;
  readonly bytes: Uint8Array;
  /** Times that another host was asked in vain: the agent was not there any more. */
  readonly tries: number;
  /** When it began to wait for the place of its type, by the host's clock. Undefined: it has not waited. */
  readonly gatedSinceMs?: number | undefined;
}

/** The bytes may be a part of what came together with them: a copy keeps nothing else in memory. A state to load is kept as bytes alone. */
export function ownRequest(came: CameRequest): CameRequest {
  const request = withoutState(came.request);
  return { ...came, envelope: { ...came.envelope, body: request }, request, bytes: new Uint8Array(came.bytes) };
}

/** Holds messages for agents that move, within its bounds. */
export interface MessageHolder {
  hold(agent: MovingAgent, message: HeldMessage): boolean;
  forget(message: HeldMessage): void;
}

/** A control request that waits for its agent. */
class HeldRequest implements HeldMessage {
  readonly came: CameRequest;
  readonly caller = undefined;
  readonly payer: { readonly account: MemoryAccount };
  readonly isUnfit = false;
  readonly opensRoutes = false;
  readonly seeking: SeekingPlace;
  /** The bytes, and the names that were read from them. */
  readonly byteLength: number;
  readonly place: (placed: Placed | undefined) => void;
  queue: HeldMessage["queue"];

  constructor(came: CameRequest, place: (held: HeldRequest, placed: Placed | undefined) => void) {
    this.came = came;
    this.payer = came.from;
    const { isElsewhere } = came.from;
    this.seeking = { looksUp: isElsewhere || came.tries > 0, isForWorkerHere: isElsewhere };
    this.byteLength = came.bytes.length + costOf(came.envelope);
    this.place = (placed) => place(this, placed);
  }

  get account(): MemoryAccount {
    return this.came.from.account;
  }
}

// protocol.md §11.17
/** Control requests about agents that move. Each waits for its agent, and then goes to the worker that gets the agent. */
export class HeldRequests {
  readonly #holder: MessageHolder;
  readonly #onPlaced: (came: CameRequest, placed: Placed | undefined) => void;
  readonly #byAsker = new Map<ControlPeer, Set<HeldRequest>>();

  constructor(holder: MessageHolder, onPlaced: (came: CameRequest, placed: Placed | undefined) => void) {
    this.#holder = holder;
    this.#onPlaced = onPlaced;
  }

  /** False: there is no space for it. */
  hold(agent: MovingAgent, came: CameRequest): boolean {
    const held = new HeldRequest(ownRequest(came), (one, placed) => {
      this.#drop(one);
      this.#onPlaced(one.came, placed);
    });
    if (!this.#holder.hold(agent, held)) return false;
    const ofAsker = this.#byAsker.get(came.from);
    if (ofAsker === undefined) this.#byAsker.set(came.from, new Set([held]));
    else ofAsker.add(held);
    return true;
  }

  /** The channel of the asker has ended: the host holds its requests no more. */
  askerEnded(session: ControlPeer): void {
    const ofAsker = this.#byAsker.get(session);
    this.#byAsker.delete(session);
    for (const held of ofAsker ?? []) this.#holder.forget(held);
  }

  #drop(held: HeldRequest): void {
    const { from } = held.came;
    const ofAsker = this.#byAsker.get(from);
    ofAsker?.delete(held);
    if (ofAsker?.size === 0) this.#byAsker.delete(from);
  }
}
