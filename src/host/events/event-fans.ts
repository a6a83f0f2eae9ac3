import { type PeekedEvent, topicSourceOf } from "../../protocol/internal.ts";
import { FairShare } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import type { PlaceVersions } from "../placement/place-versions.ts";
import type { SharedType } from "../registry/shared-type.ts";
import type { TopicIndex } from "../registry/subscriptions/topic-index.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { Peer } from "../sessions/peer.ts";

export interface EventFansParts {
  readonly owners: TypeOwners;
  readonly topics: TopicIndex;
  readonly versions: PlaceVersions;
}

/** A worker, and its agents as frames name them. */
export interface NamedWorker {
  readonly peer: Peer;
  readonly names: Uint8Array;
}

/** A shared type whose agent the router searches for with each event. `isPaid`: its publisher pays for the claim. */
export interface SoughtType {
  readonly type: SharedType;
  readonly isPaid: boolean;
}

/** Where the events of one topic go. */
export interface FanContent {
  /** The owners of exclusive types. */
  readonly clientIds: readonly string[];
  readonly named: readonly NamedWorker[];
  /** The types of agents that move, that no worker has, or that are in a stock worker. */
  readonly sought: readonly SoughtType[];
  /** Agents for whose names there is no space. */
  readonly unnamed: number;
}

/** The versions of all that a fan was made from; it holds while these are the same. */
interface Versions {
  readonly topics: number;
  readonly owners: number;
  readonly slot: number;
  readonly places: number;
}

interface Fan extends FanContent {
  readonly topicType: string;
  readonly key: string;
  readonly versions: Versions;
  /** The address of its publisher, which shares the bound. */
  readonly party: string;
  readonly byteLength: number;
}

// protocol.md §11.14
/**
 * Remembers where the events of a topic go that many shared types subscribe to, with the names of their agents as bytes. So the next event
 * costs no search for each type. A fan holds as long as the subscriptions, the owners, and the agents with its key are what they were.
 */
export class EventFans {
  readonly #parts: EventFansParts;
  /** By topic type and key. */
  readonly #fans = new Map<string, Map<string, Fan>>();
  /** By the address of the publisher; those that were used last are the last. */
  readonly #parties = new Map<string, Set<Fan>>();
  #share = new FairShare(limits.fanBytes);

  constructor(parts: EventFansParts) {
    this.#parts = parts;
    parts.versions.onChangedAll = () => this.#clear();
  }

  get byteLength(): number {
    return this.#share.size;
  }

  find(event: PeekedEvent): FanContent | undefined {
    // Most hosts have none, and most topics of the others.
    const ofTopic = this.#fans.size > 0 ? this.#fans.get(event.topicType) : undefined;
    const fan = ofTopic?.get(topicSourceOf(event));
    if (fan === undefined) return undefined;
    if (!isSame(fan.versions, this.versionsOf(fan.key))) {
      this.#drop(fan);
      return undefined;
    }
    const ofParty = this.#parties.get(fan.party);
    ofParty?.delete(fan);
    ofParty?.add(fan);
    return fan;
  }

  /** Returns what a fan for the key is made from now. */
  versionsOf(key: string): Versions {
    const { owners, topics, versions } = this.#parts;
    const slot = versions.slotOf(key);
    return { topics: topics.version, owners: owners.version, slot, places: versions.versionOf(slot) };
  }

  /** Remembers a fan, unless what it is made from has changed meanwhile. */
  keep(event: PeekedEvent, from: Peer, made: Versions, content: FanContent): void {
    const key = topicSourceOf(event);
    if (!isSame(made, this.versionsOf(key))) return;
    const { topicType } = event;
    const { party } = from.account;
    const byteLength = costOf(topicType, key, content);
    if (!this.#makeSpace(party, byteLength)) return;
    // Short names are a part of a larger buffer: a copy keeps nothing else in memory.
    const named = content.named.map(({ peer, names }) => ({ peer, names: new Uint8Array(names) }));
    const fan: Fan = { ...content, named, topicType, key, versions: made, party, byteLength };
    const ofTopic = this.#fans.get(topicType) ?? new Map<string, Fan>();
    this.#fans.set(topicType, ofTopic.set(key, fan));
    const ofParty = this.#parties.get(party) ?? new Set<Fan>();
    this.#parties.set(party, ofParty.add(fan));
    this.#share.add(party, fan.byteLength);
  }

  /** Drops the oldest fans of an address until it may have more; those of others only if it has none. */
  #makeSpace(party: string, bytes: number): boolean {
    if (bytes > limits.fanBytes / 4) return false;
    while (!this.#share.mayAdd(party, bytes)) {
      const [oldest] = this.#parties.get(party) ?? this.#largest();
      if (oldest === undefined) return false;
      this.#drop(oldest);
    }
    return true;
  }

  #largest(): Iterable<Fan> {
    let largest: ReadonlySet<Fan> = new Set();
    for (const ofParty of this.#parties.values()) if (ofParty.size > largest.size) largest = ofParty;
    return largest;
  }

  #drop(fan: Fan): void {
    const ofTopic = this.#fans.get(fan.topicType);
    ofTopic?.delete(fan.key);
    if (ofTopic?.size === 0) this.#fans.delete(fan.topicType);
    const ofParty = this.#parties.get(fan.party);
    ofParty?.delete(fan);
    if (ofParty?.size === 0) this.#parties.delete(fan.party);
    this.#share.remove(fan.party, fan.byteLength);
  }

  /** A fan that is remembered on holds workers that are gone. */
  #clear(): void {
    if (this.#fans.size === 0) return;
    this.#fans.clear();
    this.#parties.clear();
    this.#share = new FairShare(limits.fanBytes);
  }
}

function isSame(a: Versions, b: Versions): boolean {
  return a.topics === b.topics && a.owners === b.owners && a.places === b.places;
}

/** Memory of a fan: its objects, entries of tables, and texts. */
function costOf(topicType: string, key: string, { clientIds, named, sought }: FanContent): number {
  const names = named.reduce((sum, { names }) => sum + names.length + workerBytes, 0);
  return fanBytes + 2 * (topicType.length + key.length) + 8 * clientIds.length + names + soughtBytes * sought.length;
}

const fanBytes = 800;
const workerBytes = 200;
const soughtBytes = 40;
