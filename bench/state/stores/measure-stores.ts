import { compare } from "../../support/comparing.ts";
import { type PartOptions, planArgs } from "../../support/part-options.ts";
import { StoreContender } from "./contenders.ts";
import { KvContender } from "./kv-contender.ts";
import { PlainPgContender, PostgresContender } from "./postgres-contenders.ts";
import type { StoreLoad } from "./savers.ts";

const loads: readonly StoreLoad[] = [1, 16, 64, 256].map((savers) => ({ savers }));

/** Measures commits to the state stores: compare-and-set of 512 bytes, each saver with an agent of its own and one commit under way. */
export async function measureStores(options: PartOptions): Promise<void> {
  await compare({
    benchmark: "state-stores",
    title: "commits to a state store, each of 512 bytes",
    unit: "commits/s",
    contenders: [
      new StoreContender("SQLite, full", { kind: "sqlite", synchronous: "full" }),
      new StoreContender("SQLite, normal", { kind: "sqlite", synchronous: "normal" }),
      new StoreContender("SQLite, full, in the main thread", { kind: "sqlite", synchronous: "full", thread: false }),
      new StoreContender("memory", { kind: "memory" }),
      new PostgresContender(),
      new PlainPgContender(),
      new KvContender(),
    ],
    baseline: "SQLite, full, in the main thread",
    loads,
    loadText: ({ savers }) => `${savers} savers`,
    ...{ rounds: 3, seconds: 0.5, warmUpSeconds: 0.5 },
    args: planArgs(options),
  });
}
