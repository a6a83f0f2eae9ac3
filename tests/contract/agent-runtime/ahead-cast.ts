import { expect } from "vitest";
import { type RegisterOptions, TroupeError } from "../../../src/core/index.ts";
import { type CommitOutcome, StoreError } from "../../../src/storage/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { WatchedStore } from "../../support/watched-store.ts";
import { add, type Body, type Cast, openCast } from "./keepers.ts";
import type { Suite } from "./world.ts";

/** A store whose first commit waits until the test lets it go. */
export class SlowStore extends WatchedStore {
  readonly asked = new Gate();
  readonly go = new Gate();
  /** The outcome of the first commit: what it throws, or what it returns. */
  first: () => CommitOutcome | undefined = () => undefined;
  #commits = 0;

  constructor() {
    super();
    this.beforeCommit = async () => {
      this.#commits += 1;
      if (this.#commits > 1) return;
      this.asked.open();
      await this.go.opened;
      this.decide = () => {
        this.decide = () => undefined;
        return this.first();
      };
    };
  }
}

export interface AheadCast extends Cast {
  readonly slow: SlowStore;
  /** What bodies have begun with, in order. */
  readonly begun: Inbox<string>;
}

export async function openAhead(
  suite: Suite,
  { body = add, register }: { readonly body?: Body; readonly register?: RegisterOptions } = {},
): Promise<AheadCast> {
  const slow = new SlowStore();
  const begun = new Inbox<string>();
  const noted: Body = (text, agent, context) => {
    begun.put(text);
    return body(text, agent, context);
  };
  const cast = await openCast(suite, noted, { store: slow, register: { runAhead: 100, ...register } });
  return { ...cast, slow, begun };
}

/** Asks one after the other, and waits until all have begun, while the first one's commit waits. */
export async function askAhead(cast: AheadCast, texts: readonly string[]): Promise<Promise<string>[]> {
  const calls = texts.map((text) => cast.ask(text));
  for (const call of calls) call.catch(() => undefined);
  await cast.slow.asked.opened;
  for (const text of texts) expect(await cast.begun.take()).toBe(text);
  return calls;
}

export function outcomesOf(calls: readonly Promise<string>[]): Promise<readonly string[]> {
  return Promise.all(calls.map((call) => call.catch((error: unknown) => TroupeError.from(error).code)));
}

export const unavailable = (): never => {
  throw new StoreError("unavailable", "The disk is gone.");
};
