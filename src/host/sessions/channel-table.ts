import { FairCount, type FairCountOptions, type Place } from "../../transport/internal.ts";

interface Channel {
  readonly id: string;
  readonly account: { readonly party: string };
}

export interface ChannelTableOptions<C> extends FairCountOptions {
  /** Others needed the place of a channel: it must end, in a later turn. */
  readonly giveWay: (channel: C) => void;
}

// protocol.md §2.1
/** The current channel of each client id. The newest channel counts; the end of an older one changes nothing. */
export class ChannelTable<C extends Channel> {
  readonly #channels = new Map<string, C>();
  readonly #places = new Map<C, Place>();
  readonly #count: FairCount;
  readonly #giveWay: (channel: C) => void;

  constructor(options: ChannelTableOptions<C>) {
    this.#count = new FairCount(options);
    this.#giveWay = options.giveWay;
  }

  get size(): number {
    return this.#channels.size;
  }

  of(clientId: string): C | undefined {
    return this.#channels.get(clientId);
  }

  /** Returns whether a client of the party may open one channel more. The newest of another party may have to give way for that. */
  mayEnter(party: string): boolean {
    return this.#count.mayTake(party);
  }

  /** Enters a channel, whatever the bound; returns the channel that it replaces. */
  enter(channel: C): C | undefined {
    const before = this.#channels.get(channel.id);
    if (before !== undefined) this.#giveBack(before);
    this.#channels.set(channel.id, channel);
    this.#places.set(
      channel,
      this.#count.take(channel.account.party, () => this.#giveWay(channel)),
    );
    return before;
  }

  /** Removes a channel. False: another channel has replaced it. */
  leave(channel: C): boolean {
    this.#giveBack(channel);
    return this.#channels.get(channel.id) === channel && this.#channels.delete(channel.id);
  }

  /** The channels as they are when each is asked for; others may come and go meanwhile. */
  values(): Iterable<C> {
    return this.#channels.values();
  }

  all(): readonly C[] {
    return [...this.#channels.values()];
  }

  #giveBack(channel: C): void {
    this.#places.get(channel)?.leave();
    this.#places.delete(channel);
  }
}
