import { type Clock, PendingCalls, UndeliverableException } from "../../core/internal.ts";
import type { Frame, WireSubscription } from "../../protocol/internal.ts";
import type { Outbox, UndeliverableReason } from "../connection/outbox.ts";
import type { HostRegistry } from "./host-registry.ts";
import { legacyRefusalError } from "./refusal.ts";

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

  async registerType(agentType: string): Promise<void> {
    const requestId = String(this.#options.nextRequestNumber());
    const ack = await this.#ask({ kind: "register-type", requestId, agentType });
    refuse(ack, `register the agent type "${agentType}"`);
  }

  async addSubscription({ pattern }: WireSubscription): Promise<void> {
    const requestId = String(this.#options.nextRequestNumber());
    const ack = await this.#ask({ kind: "subscribe", requestId, pattern });
    refuse(ack, "add the subscription");
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

  #ask(frame: Extract<Frame, { readonly kind: "register-type" | "subscribe" }>): Promise<Ack> {
    const { outbox, timeoutMs } = this.#options;
    outbox.send(frame);
    return this.#pending.open(frame.requestId, { timeoutMs, recipient: "the host" });
  }
}

/** Throws the refusal in an acknowledgement. Like Python's worker it reads a non-empty error as a refusal, and it reads `success`, too. */
function refuse(ack: Ack, what: string): void {
  const error = ack.error ?? "";
  if (error !== "") throw legacyRefusalError(what, error);
  if (!ack.success) throw legacyRefusalError(what, "no reason was given.");
}
