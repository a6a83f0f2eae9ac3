interface Channel {
  readonly id: string;
}

// protocol.md §2.1
/** The current channel of each client id. The newest channel counts; the end of an older one changes nothing. */
export class ChannelTable<C extends Channel> {
  readonly #channels = new Map<string, C>();

  get size(): number {
    return this.#channels.size;
  }

  of(clientId: string): C | undefined {
    return this.#channels.get(clientId);
  }

  /** Enters a channel; returns the channel that it replaces. */
  enter(channel: C): C | undefined {
    const before = this.#channels.get(channel.id);
    this.#channels.set(channel.id, channel);
    return before;
  }

  /** Removes a channel. False: another channel has replaced it. */
  leave(channel: C): boolean {
    return this.#channels.get(channel.id) === channel && this.#channels.delete(channel.id);
  }

  /** The channels as they are when each is asked for; others may come and go meanwhile. */
  values(): Iterable<C> {
    return this.#channels.values();
  }

  all(): readonly C[] {
    return [...this.#channels.values()];
  }
}
