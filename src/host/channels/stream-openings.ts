import {
  type CallContext,
  createUncountedAccount,
  type MemoryAccount,
  type ServerStreamReceiver,
} from "../../transport/internal.ts";
import { type Admission, type Admitted, PendingAdmission } from "../sessions/admission.ts";
import { AwaitedStream } from "../sessions/awaited-stream.ts";
import type { StreamOwner } from "../sessions/session.ts";

export type CreateReceiver = (principal: Admitted) => ServerStreamReceiver;

/** Something that an admitted stream waits for. */
export interface Held {
  /** Rejects with the `RpcError` that refuses the stream. */
  readonly outcome: Promise<Admitted>;
  /** The stream has ended. */
  cancel(): void;
}

export interface OpenOptions {
  /** Learns of an admission that is not decided. */
  readonly onPending?: (outcome: Promise<Admitted>) => void;
  /** Says what an admitted stream still waits for. Undefined: nothing. */
  readonly hold?: ((principal: Admitted) => Held | undefined) | undefined;
}

/** Opens each stream once it is admitted. Until then it holds the frames that come on it. */
export class StreamOpenings {
  readonly #admission: Admission;
  readonly #uncounted = createUncountedAccount();

  constructor(admission: Admission) {
    this.#admission = admission;
  }

  /** Returns the account of the connection that a stream is on. */
  accountOf(call: CallContext): MemoryAccount {
    return call.account ?? this.#uncounted;
  }

  /** Opens a stream once it is admitted, and once `hold` lets it go. */
  open(call: CallContext, createReceiver: CreateReceiver, { onPending, hold }: OpenOptions = {}): ServerStreamReceiver {
    const admitted = this.#admission.admit(call);
    const pending = admitted instanceof PendingAdmission ? admitted : undefined;
    if (pending !== undefined) onPending?.(pending.outcome);
    const own = admitted instanceof PendingAdmission ? admitted.outcome : admitted;
    if (!(own instanceof Promise) && hold === undefined) return createReceiver(own);
    let held: Held | undefined;
    const heldBack = async (): Promise<Admitted> => {
      const principal = await own;
      held = hold?.(principal);
      return held === undefined ? principal : held.outcome;
    };
    const onGone = (): void => {
      pending?.cancel();
      held?.cancel();
    };
    return new AwaitedStream({
      admitted: hold === undefined ? Promise.resolve(own) : heldBack(),
      account: this.accountOf(call),
      ...{ createReceiver, onGone },
    });
  }
}

export function ownerOf(call: CallContext, clientId: string, principal: Admitted): StreamOwner {
  return { clientId, address: call.peer, userAgent: call.metadata["user-agent"] ?? "", principal };
}
