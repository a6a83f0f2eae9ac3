import type { MakeId } from "../../core/internal.ts";
import { encodeFrame, type WirePattern } from "../../protocol/internal.ts";
import type { Session } from "../sessions/session.ts";
import type { Registry } from "./registry.ts";

/**
 * Generation 1's registration inside the data channel (protocol.md §1.6). Its answers go to nobody but the channel that
 * asked, since later generations don't know them.
 */
export class ChannelRegistration {
  readonly #registry: Registry;
  readonly #makeId: MakeId;

  constructor(registry: Registry, makeId: MakeId) {
    this.#registry = registry;
    this.#makeId = makeId;
  }

  registerType(session: Session, requestId: string, agentType: string): void {
    const outcome = this.#registry.registerType(session.clientId, agentType);
    switch (outcome.at) {
      case "registered":
        return acknowledge(session, "register-type", requestId, undefined);
      case "taken":
        return acknowledge(session, "register-type", requestId, `Agent type ${agentType} already registered.`);
      case "invalid":
      case "full":
        return acknowledge(session, "register-type", requestId, outcome.reason);
    }
  }

  /** Generation 1 knows no subscription ids: the host makes one and tells nobody. */
  subscribe(session: Session, requestId: string, pattern: WirePattern | undefined): void {
    const outcome = this.#registry.addSubscription(session.clientId, { id: this.#makeId(), pattern });
    switch (outcome.at) {
      case "added":
        return acknowledge(session, "subscribe", requestId, undefined);
      case "exists":
        return acknowledge(session, "subscribe", requestId, "Subscription already exists");
      case "invalid":
      case "full":
        return acknowledge(session, "subscribe", requestId, outcome.reason);
    }
  }
}

function acknowledge(
  session: Session,
  of: "register-type" | "subscribe",
  requestId: string,
  error: string | undefined,
): void {
  session.send(encodeFrame({ kind: "ack", of, requestId, success: error === undefined, error }), "answer");
}
