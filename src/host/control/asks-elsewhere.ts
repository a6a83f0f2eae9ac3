import type { RpcError } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import type { ControlPeer } from "./control-peer.ts";
import { costOf } from "./control-waits.ts";
import type { CameRequest } from "./held-requests.ts";

/** About what an ask occupies beside the bytes of its request: an entry, a promise and what ends it. */
const askBytes = 600;

// protocol.md §12.4
/**
 * Requests that other hosts answer for clients of this one. The host keeps each of them until then, to send it again if the agent has moved.
 * The account of its client pays for it.
 */
export class AsksElsewhere {
  readonly #byAsker = new Map<ControlPeer, Set<AbortController>>();

  /** Returns why the host can't keep one more request of this client. Undefined: it can. */
  whyFull({ from, bytes, envelope }: CameRequest): string | undefined {
    const count = this.#byAsker.get(from)?.size ?? 0;
    if (count >= limits.controlWaitsPerAsker)
      return `${count} control requests of this client wait for other hosts. The host takes no more: wait for answers first.`;
    const charged = askBytes + bytes.length + costOf(envelope);
    return from.account.mayTake(charged) ? undefined : from.account.whyNot(charged);
  }

  /** Asks another host. Resolves to its answer, or to the reason why it has not answered; never rejects. Call `whyFull` first. */
  async ask(
    ask: NonNullable<ControlPeer["ask"]>,
    { from, bytes, envelope }: CameRequest,
  ): Promise<Uint8Array | RpcError> {
    const ending = new AbortController();
    const ofAsker = this.#byAsker.get(from) ?? new Set();
    this.#byAsker.set(from, ofAsker.add(ending));
    const charged = askBytes + bytes.length + costOf(envelope);
    from.account.add(charged);
    const answer = await ask(bytes, from, ending.signal);
    from.account.release(charged);
    ofAsker.delete(ending);
    if (ofAsker.size === 0 && this.#byAsker.get(from) === ofAsker) this.#byAsker.delete(from);
    return answer;
  }

  /** The client has no control channel any more. */
  askerEnded(asker: ControlPeer): void {
    const ofAsker = this.#byAsker.get(asker);
    this.#byAsker.delete(asker);
    for (const ending of ofAsker ?? []) ending.abort();
  }
}
