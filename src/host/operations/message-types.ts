import { errorText } from "../../core/internal.ts";
import { readToldMessages, type ToldMessage } from "../../protocol/internal.ts";
import type { ControlSession } from "../control/control-session.ts";
import type { HostAsks } from "../control/host-asks.ts";
import { limits } from "../limits.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { PeerTable } from "../sessions/peer.ts";
import { encodeJson, fieldsIn } from "./host-status.ts";

export interface MessageTypesParts {
  readonly owners: TypeOwners;
  readonly peers: PeerTable;
  readonly controlSessions: { of(clientId: string): ControlSession | undefined };
  readonly asks: HostAsks;
}

/** The message types of an agent type. `untold`: a worker serves it and does not tell them. `unserved`: no worker serves it. */
export type MessagesOfType =
  | { readonly at: "told"; readonly messages: readonly ToldMessage[] }
  | { readonly at: "untold"; readonly reason: string }
  | { readonly at: "unserved" };

/** Bytes of what another host tells. A text of JSON within JSON may be twice as long. */
const longestAnswer = 1024 * 1024;

/** Asks the workers of agent types which messages their agents take. No agent is made for it. */
export class MessageTypes {
  readonly #parts: MessageTypesParts;

  constructor(parts: MessageTypesParts) {
    this.#parts = parts;
  }

  /** The message types of an agent type that a worker of this host serves. Rejects with the reason of `signal`. */
  async of(agentType: string, signal: AbortSignal): Promise<MessagesOfType> {
    const { owners, peers, controlSessions, asks } = this.#parts;
    let reason: string | undefined;
    for (const clientId of owners.owners(agentType)) {
      const peer = peers.of(clientId);
      const session = peer?.traits.isAnnounced === true ? controlSessions.of(clientId) : undefined;
      reason ??= peer?.traits.isAnnounced === false ? stockText : silentText;
      if (session === undefined) continue;
      const agentId = { type: agentType, key: "" };
      const request = { kind: "metadata-request", agentId, onlyIfServed: true } as const;
      try {
        const answer = await asks.ask(session, request, { timeoutMs: limits.hostStatusMs, signal });
        const told = answer.kind === "metadata-response" ? answer.messages : undefined;
        const messages = told === undefined ? undefined : readToldMessages(told);
        if (messages !== undefined) return { at: "told", messages };
        reason = "Its worker is of an older version, which does not tell them.";
      } catch (error) {
        signal.throwIfAborted();
        reason = errorText(error);
      }
      // Another worker of the type would tell the same.
      break;
    }
    return reason === undefined ? { at: "unserved" } : { at: "untold", reason };
  }
}

const stockText = "Its worker is one of AutoGen's, which does not tell them.";
const silentText = "Its worker has no control channel now.";

export function encodeMessages(told: MessagesOfType): Uint8Array {
  return encodeJson(told.at === "told" ? { at: told.at, messages: JSON.stringify(told.messages) } : told);
}

/** Undefined: it can't be read. */
export function readMessages(bytes: Uint8Array): MessagesOfType | undefined {
  const { at, messages, reason } = fieldsIn(bytes, longestAnswer) ?? {};
  if (at === "unserved") return { at };
  if (at === "untold" && typeof reason === "string") return { at, reason: reason.slice(0, limits.errorChars) };
  const told = at === "told" && typeof messages === "string" ? readToldMessages(messages) : undefined;
  return told && { at: "told", messages: told };
}
