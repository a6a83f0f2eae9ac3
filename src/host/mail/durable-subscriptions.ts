import type { AgentName, Expected, StateStore } from "../../core/internal.ts";
import { isSamePattern, type WirePattern } from "../../protocol/internal.ts";
import { FairShare } from "../../transport/internal.ts";
import type { HeldStore } from "../held-store.ts";
import { limits } from "../limits.ts";
import { ownRecordPrefix, topicOf } from "../registry/name-checks.ts";
import { TopicIndex } from "../registry/topic-index.ts";

/** A durable subscription that the host keeps. */
interface KeptPattern {
  readonly pattern: WirePattern;
  /** The peer address of the worker that has added it; empty if that was before this opening of the store. */
  readonly party: string;
}

/** The outcome of a change. `full`: a bound is reached. `failed`: the store does not take it. */
export type DurableOutcome =
  | { readonly at: "done" }
  | { readonly at: "full"; readonly reason: string }
  | { readonly at: "failed"; readonly reason: string };

const done: DurableOutcome = { at: "done" };
/** The agent type of the records in the store, one for each agent type with subscriptions. No agent type has such a name. */
const recordType = `${ownRecordPrefix}topics`;
const json = "application/json";

export interface DurableSubscriptionsOptions {
  /** Whether other hosts write to the same store. Default: false. */
  readonly isShared?: boolean;
}

// protocol.md §11.18
/**
 * The durable subscriptions of agent types. They stay when their workers leave and when the host restarts, until a worker removes them.
 * The store has a record for each agent type.
 */
export class DurableSubscriptions {
  readonly #held: HeldStore;
  readonly #isShared: boolean;
  readonly #topics = new TopicIndex();
  /** By agent type. */
  readonly #kept = new Map<string, readonly KeptPattern[]>();
  readonly #share = new FairShare(limits.durableSubscriptionBytes);
  /** The last change of each agent type that has one. */
  readonly #last = new Map<string, Promise<unknown>>();
  /** The number of the opening whose records were read. */
  #readOf = 0;
  #reading: Promise<void> | undefined;
  /** A reading that begins when the present one has ended. */
  #next: Promise<void> | undefined;
  /** The versions of the records that were read, by agent type. */
  readonly #eTags = new Map<string, string>();

  constructor(held: HeldStore, { isShared = false }: DurableSubscriptionsOptions = {}) {
    this.#held = held;
    this.#isShared = isShared;
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
  add(pattern: WirePattern, party: string): Promise<DurableOutcome> {
    const { agentType } = pattern;
    return this.#change(agentType, (kept) => {
      if (kept.some((one) => isSamePattern(one.pattern, pattern))) return undefined;
      const full = `Agent type ${agentType} has ${limits.durablePatterns} durable subscriptions, and takes no more.`;
      if (kept.length >= limits.durablePatterns) return full;
      if (!this.#share.mayAdd(party, costOf(pattern))) {
        return "The durable subscriptions of this host, or of this address, take as many bytes as they may. Remove some.";
      }
      return [...kept, { pattern, party }];
    });
  }

  /** Keeps a subscription no more. Resolves when it has gone from the store. Never rejects. */
  remove(pattern: WirePattern): Promise<DurableOutcome> {
    return this.#change(pattern.agentType, (kept) => {
      const left = kept.filter((one) => !isSamePattern(one.pattern, pattern));
      return left.length === kept.length ? undefined : left;
    });
  }

  /** Changes the subscriptions of a type, one change after the other. `change` returns a text if it refuses, nothing if all stays. */
  #change(
    agentType: string,
    change: (kept: readonly KeptPattern[]) => readonly KeptPattern[] | string | undefined,
  ): Promise<DurableOutcome> {
    const task = async (): Promise<DurableOutcome> => {
      try {
        await this.ready();
        const before = this.#kept.get(agentType) ?? [];
        const after = change(before);
        if (after === undefined) return done;
        if (typeof after === "string") return { at: "full", reason: after };
        const isWritten = await this.#write(agentType, after);
        // Another host has written meanwhile.
        if (!isWritten) return await task();
        this.#enter(agentType, before, after);
        return done;
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
  async #write(agentType: string, kept: readonly KeptPattern[]): Promise<boolean> {
    const eTag = this.#eTags.get(agentType);
    const known: Expected = eTag === undefined ? { at: "nothing" } : { at: "version", eTag };
    const expected: Expected = this.#isShared ? known : { at: "anything" };
    const data = new TextEncoder().encode(JSON.stringify({ topics: kept.map(({ pattern }) => toRecord(pattern)) }));
    const [outcome] = await this.#held.readable.commit([
      {
        ...{ agent: nameOf(agentType), epoch: undefined, expected },
        write: kept.length === 0 ? { at: "delete" } : { at: "put", contentType: json, schemaVersion: 1, data },
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
      this.#enter(agentType, this.#kept.get(agentType) ?? [], []);
    }
    this.#readOf = incarnation;
  }

  /** A record that an operator has damaged keeps back no other. */
  #enterRecord(agentType: string, data: Uint8Array): void {
    try {
      const kept = patternsIn(agentType, data).map((pattern) => ({ pattern, party: "" }));
      this.#enter(agentType, this.#kept.get(agentType) ?? [], kept);
    } catch (error) {
      this.#held.failed(error, `the durable subscriptions of ${agentType} can't be read`);
    }
  }

  /** Brings the index to what is kept now. */
  #enter(agentType: string, before: readonly KeptPattern[], after: readonly KeptPattern[]): void {
    for (const { pattern, party } of before) {
      this.#topics.remove(pattern);
      this.#share.remove(party, costOf(pattern));
    }
    for (const { pattern, party } of after) {
      this.#topics.add(pattern);
      this.#share.add(party, costOf(pattern));
    }
    if (after.length === 0) this.#kept.delete(agentType);
    else this.#kept.set(agentType, after);
  }
}

/** Memory of a subscription: its objects, its places in two tables, and its texts. */
function costOf(pattern: WirePattern): number {
  return 400 + 2 * (topicOf(pattern).length + pattern.agentType.length);
}

function nameOf(agentType: string): AgentName {
  return { type: recordType, key: agentType };
}

function toRecord(pattern: WirePattern): object {
  return pattern.kind === "type" ? { type: pattern.topicType } : { prefix: pattern.topicTypePrefix };
}

function patternsIn(agentType: string, data: Uint8Array): readonly WirePattern[] {
  // What `#write` has written.
  const { topics } = JSON.parse(new TextDecoder().decode(data)) as {
    readonly topics: readonly { readonly type?: string; readonly prefix?: string }[];
  };
  return topics.map(({ type, prefix = "" }): WirePattern => {
    return type === undefined
      ? { kind: "prefix", topicTypePrefix: prefix, agentType }
      : { kind: "type", topicType: type, agentType };
  });
}
