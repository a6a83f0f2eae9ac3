import type { AgentName, Expected, StateStore } from "../../core/internal.ts";
import { isSamePattern, type WirePattern } from "../../protocol/internal.ts";
import { FairShare } from "../../transport/internal.ts";
import type { HeldStore } from "../held-store.ts";
import { limits } from "../limits.ts";
import { ownRecordPrefix, topicOf } from "../registry/name-checks.ts";
import { TopicIndex } from "../registry/subscriptions/topic-index.ts";

/** A durable subscription that the host keeps. */
interface KeptPattern {
  readonly pattern: WirePattern;
  /** The peer address of the worker that has added it. Empty: an older version has stored it. */
  readonly party: string;
}

/** The durable subscriptions of an agent type. */
interface KeptType {
  /** The name of the principal that they belong to. Undefined: to callers without one. */
  readonly principal: string | undefined;
  readonly patterns: readonly KeptPattern[];
}

/** The client that changes the durable subscriptions of an agent type. */
export interface DurableChanger {
  readonly principal: string | undefined;
  readonly party: string;
  /** Returns whose workers serve the type at this moment. */
  readonly servedBy: () => "own principal" | "another principal" | "nobody";
}

/** Which durable subscriptions to list. */
export interface DurableQuery {
  /** Default: of all agent types. */
  readonly type?: string | undefined;
  /** The agent type with which the last page ended. Default: from the first one. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** A durable subscription as an operator sees it. */
export interface DurableRow {
  readonly agentType: string;
  /** The topic type, or the beginning of topic types with `*` behind it. */
  readonly topic: string;
  readonly principal?: string | undefined;
}

export interface DurablePage {
  readonly rows: readonly DurableRow[];
  readonly next: string | undefined;
}

/** The outcome of a change. `changed`: the subscriptions that were added or removed. */
export type DurableOutcome = { readonly at: "done"; readonly changed: number } | DurableRefusal;

/** A change that was not made. `full`: a bound is reached. `foreign`: another principal decides. `failed`: the store does not take it. */
export interface DurableRefusal {
  readonly at: "full" | "foreign" | "failed";
  readonly reason: string;
}

const nothingKept: KeptType = { principal: undefined, patterns: [] };
/** The agent type of the records in the store, one for each agent type with subscriptions. No agent type has such a name. */
const recordType = `${ownRecordPrefix}topics`;
const json = "application/json";

export interface DurableSubscriptionsOptions {
  /** Whether other hosts write to the same store. Default: false. */
  readonly isShared?: boolean;
  /** Whether workers serve an agent type now. Default: none is served. */
  readonly isServed?: (agentType: string) => boolean;
}

// protocol.md §11.18
/**
 * The durable subscriptions of agent types. They stay when their workers leave and when the host restarts, until a worker removes them.
 * The store has a record for each agent type.
 */
export class DurableSubscriptions {
  readonly #held: HeldStore;
  readonly #isShared: boolean;
  readonly #isServed: (agentType: string) => boolean;
  readonly #topics = new TopicIndex();
  /** By agent type. */
  readonly #kept = new Map<string, KeptType>();
  readonly #share = new FairShare(limits.durableSubscriptionBytes);
  /** Types that no worker served when an address added a subscription, by address. Some may be served by now. */
  readonly #unserved = new Map<string, Set<string>>();
  /** The last change of each agent type that has one. */
  readonly #last = new Map<string, Promise<unknown>>();
  /** The number of the opening whose records were read. */
  #readOf = 0;
  #reading: Promise<void> | undefined;
  /** A reading that begins when the present one has ended. */
  #next: Promise<void> | undefined;
  /** The versions of the records that were read, by agent type. */
  readonly #eTags = new Map<string, string>();

  constructor(held: HeldStore, { isShared = false, isServed = () => false }: DurableSubscriptionsOptions = {}) {
    this.#held = held;
    this.#isShared = isShared;
    this.#isServed = isServed;
  }

  /** Whether an event may have subscribers. False only if what is kept was read, and is nothing. */
  get mayHaveAny(): boolean {
    return this.#isShared || this.#kept.size > 0 || this.#readOf === 0;
  }

  /** Opens the store and reads what it keeps. Rejects as the store does; the next call tries again. */
  async ready(): Promise<void> {
    const store = await this.#held.open();
    if (this.#isShared) return await this.#readFresh(store);
    if (this.#readOf === this.#held.incarnation) return;
    await this.#begin(store);
  }

  #begin(store: StateStore): Promise<void> {
    this.#reading ??= this.#read(store).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** Reads what all hosts have written before the call. Calls that come together share a reading. */
  #readFresh(store: StateStore): Promise<void> {
    if (this.#reading === undefined) return this.#begin(store);
    const next = () => {
      this.#next = undefined;
      return this.#begin(store);
    };
    this.#next ??= this.#reading.then(next, next);
    return this.#next;
  }

  /** Returns the agent types that keep the events of a topic type. */
  typesOf(topicType: string): readonly string[] {
    const types = new Set<string>();
    this.#topics.visit(topicType, (agentType) => types.add(agentType));
    return [...types];
  }

  /** Keeps a subscription. Resolves when the store has it. Never rejects. */
  add(pattern: WirePattern, by: DurableChanger): Promise<DurableOutcome> {
    const { agentType } = pattern;
    return this.#change(agentType, (kept) => {
      const foreign = whyForeign(agentType, kept, by);
      if (foreign !== undefined) return foreign;
      const { principal, party } = by;
      const { patterns } = kept;
      if (patterns.some((one) => isSamePattern(one.pattern, pattern))) {
        return kept.principal === principal ? kept : { principal, patterns };
      }
      const full = `Agent type ${agentType} has ${limits.durablePatterns} durable subscriptions, and takes no more.`;
      if (patterns.length >= limits.durablePatterns) return { at: "full", reason: full };
      if (!this.#share.mayAdd(party, costOf(pattern))) {
        const reason = "The durable subscriptions of this host, or of this address, take as many bytes as they may.";
        return { at: "full", reason: `${reason} Remove some: troupe subscriptions remove.` };
      }
      if (by.servedBy() === "nobody" && !this.#mayAddUnserved(agentType, party)) {
        const reason = `This address has durable subscriptions of ${limits.unservedDurableTypes} agent types that no worker serves.`;
        return {
          at: "full",
          reason: `${reason} Register the type first, or remove some: troupe subscriptions remove.`,
        };
      }
      return { principal, patterns: [...patterns, { pattern, party }] };
    });
  }

  /** Keeps a subscription no more. Resolves when it has gone from the store. Never rejects. */
  remove(pattern: WirePattern, by: DurableChanger): Promise<DurableOutcome> {
    const { agentType } = pattern;
    return this.#change(agentType, (kept) => {
      const patterns = kept.patterns.filter((one) => !isSamePattern(one.pattern, pattern));
      if (patterns.length === kept.patterns.length) return kept;
      return whyForeign(agentType, kept, by) ?? { principal: kept.principal, patterns };
    });
  }

  /** Removes what an operator names: the subscriptions of a type to one topic, or all of them. Never rejects. */
  removeFor(agentType: string, topic: string | undefined): Promise<DurableOutcome> {
    return this.#change(agentType, ({ principal, patterns }) => ({
      principal,
      patterns: topic === undefined ? [] : patterns.filter(({ pattern }) => topicText(pattern) !== topic),
    }));
  }

  /** Returns subscriptions in the order of their types, `limit` or more: of a type all. `next`: the type with which the page ends. */
  async list({ after = "", type, limit }: DurableQuery): Promise<DurablePage> {
    await this.ready();
    const types = type === undefined ? [...this.#kept.keys()].filter((one) => one > after).sort() : [type];
    const rows: DurableRow[] = [];
    for (const [at, agentType] of types.entries()) {
      const { principal, patterns } = this.#kept.get(agentType) ?? nothingKept;
      for (const { pattern } of patterns) rows.push({ agentType, topic: topicText(pattern), principal });
      if (rows.length >= limit && at < types.length - 1) return { rows, next: agentType };
    }
    return { rows, next: undefined };
  }

  /** Notes a type that no worker serves, unless its address has as many of them as it may. */
  #mayAddUnserved(agentType: string, party: string): boolean {
    const types = this.#unserved.get(party) ?? new Set<string>();
    if (!types.has(agentType) && types.size >= limits.unservedDurableTypes) {
      for (const type of types) if (this.#isServed(type) || !this.#kept.has(type)) types.delete(type);
    }
    if (!types.has(agentType) && types.size >= limits.unservedDurableTypes) return false;
    this.#noteUnserved(agentType, party);
    return true;
  }

  #noteUnserved(agentType: string, party: string): void {
    if (party === "") return;
    const types = this.#unserved.get(party) ?? new Set<string>();
    this.#unserved.set(party, types.add(agentType));
  }

  /** Changes the subscriptions of a type, one change after the other. `change` returns what was kept before if all stays. */
  #change(agentType: string, change: (kept: KeptType) => KeptType | DurableOutcome): Promise<DurableOutcome> {
    const task = async (): Promise<DurableOutcome> => {
      try {
        await this.ready();
        const before = this.#kept.get(agentType) ?? nothingKept;
        const after = change(before);
        if ("at" in after) return after;
        if (after !== before && (after.patterns.length > 0 || before.patterns.length > 0)) {
          // Another host may have written meanwhile.
          if (!(await this.#write(agentType, after))) return await task();
          this.#enter(agentType, before, after);
        }
        return { at: "done", changed: Math.abs(after.patterns.length - before.patterns.length) };
      } catch (error) {
        return { at: "failed", reason: this.#held.failed(error, "a durable subscription could not be written").text };
      }
    };
    const changed = (this.#last.get(agentType) ?? Promise.resolve()).then(task);
    this.#last.set(agentType, changed);
    void changed.then(() => {
      if (this.#last.get(agentType) === changed) this.#last.delete(agentType);
    });
    return changed;
  }

  /** False: another host has written the record since it was read. */
  async #write(agentType: string, { principal, patterns }: KeptType): Promise<boolean> {
    const eTag = this.#eTags.get(agentType);
    const known: Expected = eTag === undefined ? { at: "nothing" } : { at: "version", eTag };
    const expected: Expected = this.#isShared ? known : { at: "anything" };
    const record = { principal, topics: patterns.map(toRecord) };
    const data = new TextEncoder().encode(JSON.stringify(record));
    const [outcome] = await this.#held.readable.commit([
      {
        ...{ agent: nameOf(agentType), epoch: undefined, expected },
        write: patterns.length === 0 ? { at: "delete" } : { at: "put", contentType: json, schemaVersion: 1, data },
        ...{ reminders: [], mail: [], remembered: [] },
      },
    ]);
    if (outcome?.at === "conflict") return false;
    if (outcome?.at !== "committed") throw new Error(`The store has not written it: ${JSON.stringify(outcome)}`);
    if (outcome.eTag === "") this.#eTags.delete(agentType);
    else this.#eTags.set(agentType, outcome.eTag);
    return true;
  }

  async #read(store: StateStore): Promise<void> {
    const { incarnation } = this.#held;
    const gone = new Set(this.#eTags.keys());
    for (let after: AgentName | undefined; ; ) {
      const page = await store.list({ type: recordType, after });
      for (const { agent, eTag } of page.records) {
        gone.delete(agent.key);
        if (this.#eTags.get(agent.key) === eTag) continue;
        const record = await store.load(agent);
        if (record === undefined || record === "unchanged") continue;
        this.#eTags.set(agent.key, record.eTag);
        this.#enterRecord(agent.key, record.data);
      }
      if (page.isLast) break;
      after = page.records.at(-1)?.agent;
    }
    for (const agentType of gone) {
      this.#eTags.delete(agentType);
      this.#enter(agentType, this.#kept.get(agentType) ?? nothingKept, nothingKept);
    }
    this.#readOf = incarnation;
  }

  /** A record that an operator has damaged keeps back no other. */
  #enterRecord(agentType: string, data: Uint8Array): void {
    try {
      const kept = readRecord(agentType, data);
      this.#enter(agentType, this.#kept.get(agentType) ?? nothingKept, kept);
      // One that is served by now counts until its address has as many as it may.
      if (!this.#isServed(agentType)) for (const { party } of kept.patterns) this.#noteUnserved(agentType, party);
    } catch (error) {
      this.#held.failed(error, `the durable subscriptions of ${agentType} can't be read`);
    }
  }

  /** Brings the index to what is kept now. */
  #enter(agentType: string, before: KeptType, after: KeptType): void {
    for (const { pattern, party } of before.patterns) {
      this.#topics.remove(pattern);
      this.#share.remove(party, costOf(pattern));
    }
    for (const { pattern, party } of after.patterns) {
      this.#topics.add(pattern);
      this.#share.add(party, costOf(pattern));
    }
    if (after.patterns.length === 0) {
      this.#kept.delete(agentType);
      for (const { party } of before.patterns) this.#forgetUnserved(agentType, party);
    } else this.#kept.set(agentType, after);
  }

  #forgetUnserved(agentType: string, party: string): void {
    const types = this.#unserved.get(party);
    types?.delete(agentType);
    if (types?.size === 0) this.#unserved.delete(party);
  }
}

/** Memory of a subscription: its objects, its places in two tables, and its texts. */
function costOf(pattern: WirePattern): number {
  return 400 + 2 * (topicOf(pattern).length + pattern.agentType.length);
}

function nameOf(agentType: string): AgentName {
  return { type: recordType, key: agentType };
}

function toRecord({ pattern, party }: KeptPattern): object {
  const topic = pattern.kind === "type" ? { type: pattern.topicType } : { prefix: pattern.topicTypePrefix };
  return party === "" ? topic : { ...topic, addedBy: party };
}

function readRecord(agentType: string, data: Uint8Array): KeptType {
  // What `#write` has written.
  const { principal, topics } = JSON.parse(new TextDecoder().decode(data)) as {
    readonly principal?: string;
    readonly topics: readonly { readonly type?: string; readonly prefix?: string; readonly addedBy?: string }[];
  };
  const patterns = topics.map(({ type, prefix = "", addedBy = "" }): KeptPattern => {
    const pattern: WirePattern =
      type === undefined
        ? { kind: "prefix", topicTypePrefix: prefix, agentType }
        : { kind: "type", topicType: type, agentType };
    return { pattern, party: addedBy };
  });
  return { principal, patterns };
}

/**
 * Returns the refusal of a change that another principal would have to make. While workers serve the type, their principal decides. Otherwise
 * the one decides whose subscriptions are kept.
 */
function whyForeign(agentType: string, kept: KeptType, by: DurableChanger): DurableRefusal | undefined {
  const servedBy = by.servedBy();
  if (servedBy === "own principal") return undefined;
  if (servedBy === "another principal") {
    const reason = `Agent type ${agentType} is served by a worker of another principal, which alone may change its durable subscriptions.`;
    return { at: "foreign", reason };
  }
  if (kept.patterns.length === 0 || kept.principal === by.principal) return undefined;
  const reason = `The durable subscriptions of agent type ${agentType} belong to another principal. Register the type first, or have an operator remove them (troupe subscriptions remove).`;
  return { at: "foreign", reason };
}

function topicText(pattern: WirePattern): string {
  return pattern.kind === "type" ? pattern.topicType : `${pattern.topicTypePrefix}*`;
}
