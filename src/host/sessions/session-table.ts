import type { ControlSession } from "../control/control-session.ts";
import type { Session } from "./session.ts";

interface Channel {
  readonly clientId: string;
}

/** Which channel is a client's current one. The newest with an id counts; the end of an older one changes nothing (protocol.md §2.1). */
class Current<C extends Channel> {
  readonly #channels = new Map<string, C>();

  get size(): number {
    return this.#channels.size;
  }

  of(clientId: string): C | undefined {
    return this.#channels.get(clientId);
  }

  /** Returns the channel that this one replaces. */
  enter(channel: C): C | undefined {
    const before = this.#channels.get(channel.clientId);
    this.#channels.set(channel.clientId, channel);
    return before;
  }

  /** False: it was not the current one any more. */
  leave(channel: C): boolean {
    return this.#channels.get(channel.clientId) === channel && this.#channels.delete(channel.clientId);
  }

  all(): readonly C[] {
    return [...this.#channels.values()];
  }
}

/** The open channels of all clients. */
export class SessionTable {
  readonly data = new Current<Session>();
  readonly control = new Current<ControlSession>();
}
