import { type Clock, PendingCalls, UndeliverableException } from "../../core/internal.ts";
import type { Frame, WireSubscription } from "../../protocol/internal.ts";
import type { Outbox, UndeliverableReason } from "../connection/outbox.ts";
import type { HostRegistry } from "./host-registry.ts";
import { legacySubscriptionRefusalError, legacyTypeRefusalError } from "./refusal.ts";

type Ack = Extract<Frame, { readonly kind: "ack" }>;

export interface ChannelRegistryOptions {
  readonly outbox: Outbox;
  readonly nextRequestNumber: () => number;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Registers in the data channel of a generation 1 host. Such a host makes its own ids, and can't remove or list subscriptions. */
// protocol.md §1.6
export class ChannelRegistry implements HostRegistry {
  readonly #options: ChannelRegistryOptions;
  readonly #pending: PendingCalls<Ack>;

  constructor(options: ChannelRegistryOptions) {
    this.#options = options;
    this.#pending = new PendingCalls({ clock: options.clock });
  }

  /** Number of registrations that wait for their acknowledgement. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  async registerType(agentType: string, signal?: AbortSignal): Promise<void> {
    const requestId = String(this.#options.nextRequestNumber());
    const refusal = refusalIn(await this.#ask({ kind: "register-type", requestId, agentType }, signal));
    if (refusal !== undefined) throw legacyTypeRefusalError(agentType, refusal);
  }

  async addSubscription(subscription: WireSubscription, signal?: AbortSignal): Promise<void> {
    const { pattern } = subscription;
    const requestId = String(this.#options.nextRequestNumber());
    const refusal = refusalIn(await this.#ask({ kind: "subscribe", requestId, pattern }, signal));
    if (refusal !== undefined) throw legacySubscriptionRefusalError(subscription, refusal);
  }

  async removeSubscription(): Promise<void> {}

  async subscriptions(): Promise<undefined> {}

  /** Takes an acknowledgement. Returns false when no registration waits for it. */
  onAck(ack: Ack): boolean {
    return this.#pending.resolve(ack.requestId, ack);
  }

  close(reason: UndeliverableReason): void {
    this.#pending.rejectAll(() => new UndeliverableException(reason.text, { code: reason.code }));
  }

  #ask(
    frame: Extract<Frame, { readonly kind: "register-type" | "subscribe" }>,
    signal: AbortSignal | undefined,
  ): Promise<Ack> {
    const { outbox, timeoutMs } = this.#options;
    outbox.send(frame);
    return this.#pending.open(frame.requestId, { timeoutMs, signal, timedOut: lateText });
  }
}

/** Returns the text of a refusal. Like Python's worker it reads a non-empty error as a refusal; it also reads `success`. */
function refusalIn({ error = "", success }: Ack): string | undefined {
  if (error !== "") return error;
  return success ? undefined : "no reason was given.";
}

function lateText(ms: number | undefined): string {
  return `The host did not confirm the registration within ${ms} ms (the worker's option registrationTimeoutMs).`;
}
