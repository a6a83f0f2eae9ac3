import {
  decodeFrame,
  type FrameBytes,
  joinFrame,
  type ResponseFrame,
  type WorkerIdentity,
} from "../../protocol/internal.ts";
import type { MemoryAccount, MemoryAccountant } from "../../transport/internal.ts";
import type { AccessCheck } from "../access/access-check.ts";
import { type CallFailure, callFailure } from "../calls/call-failures.ts";
import type { Principal } from "../principal.ts";
import type { CallerQuota, QuotaCheck } from "../quotas/quota-check.ts";
import type { Peer, PeerTraits, SendOutcome } from "../sessions/peer.ts";
import { createIncomingCalls, createOutgoingCalls } from "../sessions/pending-call.ts";

/** A sender of messages that is not a worker. */
export interface Publisher {
  /** Undefined: the operator of this machine, whom no rule holds. */
  readonly principal: Principal | undefined;
  readonly address: string;
  /** The party of its address, for quotas. */
  readonly party: string;
}

/** The rules and quotas for senders that are no workers. Undefined: the host has none. */
export interface SenderBounds {
  readonly access: AccessCheck | undefined;
  readonly quotas: QuotaCheck | undefined;
}

/** A message that such a sender wants to send. `resource`: the agent type, or the type of the topic. */
interface Sending {
  readonly action: "call" | "publish";
  readonly resource: string;
  readonly bytes: number;
}

/** Returns the failure of a message that its sender may not send. It asks the quota, then the rules: messages that the rules refuse count, too. */
export function whyNotFrom(
  { principal, address }: Publisher,
  {
    clientId,
    quota,
    access,
  }: { readonly clientId: string; readonly quota: CallerQuota | undefined } & Pick<SenderBounds, "access">,
  { action, resource, bytes }: Sending,
): CallFailure | undefined {
  const overuse = quota?.whyNotMessages(1, bytes, { clientId });
  if (overuse !== undefined) return callFailure.overQuota(overuse);
  if (principal === undefined) return undefined;
  const text = access?.whyNot({ clientId, principal, address }, { action, resource });
  return text === undefined ? undefined : callFailure.denied(text);
}

export interface OutsideSenderParts {
  readonly accountant: Pick<MemoryAccountant, "openAccount">;
  /** No other sender has it. */
  readonly id: string;
  /** The name of its account, for the log. */
  readonly name: string;
  readonly traits: Pick<PeerTraits, "capabilities" | "maxFrameBytes">;
  readonly quota?: CallerQuota | undefined;
  /** Takes the answer to its message. */
  readonly onAnswer: (answer: ResponseFrame, bytes: number) => SendOutcome;
}

/** The sender of one message that is not a worker. It has no channel: the answer comes back in this process. */
export class OutsideSender implements Peer {
  readonly id: string;
  readonly traits: PeerTraits;
  readonly worker: WorkerIdentity;
  readonly dotnet = undefined;
  readonly principal: string | undefined;
  readonly quota: CallerQuota | undefined;
  readonly account: MemoryAccount;
  readonly outgoingCalls = createOutgoingCalls();
  readonly incomingCalls = createIncomingCalls();
  lastEvent = 0;
  readonly #onAnswer: OutsideSenderParts["onAnswer"];
  #isOpen = true;

  constructor({ principal, party }: Publisher, parts: OutsideSenderParts) {
    const { accountant, id, name, traits, quota, onAnswer } = parts;
    // No metadata of a client can carry an arrow.
    this.id = `http → ${id}`;
    this.traits = { takesJsonEvents: true, isAnnounced: true, reconnectGraceMs: 0, ...traits };
    this.worker = { id: this.id, name: this.id, version: undefined, labels: {} };
    this.principal = principal?.name;
    this.quota = quota;
    this.#onAnswer = onAnswer;
    this.account = accountant.openAccount({
      // What the operator of this machine has the host keep takes nothing from the workers on it.
      ...{ party: principal === undefined ? "the host" : party, name },
      // The host can't let go of a message that it gives to its store or to a worker.
      giveWay: undefined,
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Gives all that it has taken back. What still comes for it is dropped. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.account.close();
    this.quota?.settle();
  }

  send(bytes: FrameBytes): SendOutcome {
    if (!this.#isOpen) return "closed";
    if (bytes.byteLength > this.traits.maxFrameBytes) return "too-large";
    const frame = decodeFrame(joinFrame(bytes));
    return frame.kind === "response" ? this.#onAnswer(frame, bytes.byteLength) : "queued";
  }

  notify(): SendOutcome {
    return "queued";
  }
}
