import type { DurableLog, StateStore } from "../../../core/internal.ts";
import { letterCases } from "../durable-log/letter-cases.ts";
import { type DurableLogAdapter, LogLab, type TestedLogOptions } from "../durable-log/log-case.ts";
import { mailboxCases as logMailboxCases } from "../durable-log/mailbox-cases.ts";
import { mailBoundCases } from "./mail-bound-cases.ts";
import { mailboxCases } from "./mailbox-cases.ts";
import type { StateStoreAdapter, StoreCase } from "./store-case.ts";

/** The log of mailboxes, of stores that have one: the suite of `DurableLog`, and what commits write. */
export function logCases(adapter: StateStoreAdapter): readonly StoreCase[] {
  const ofLog = [...logMailboxCases, ...letterCases].map(({ promise, tryIt }): StoreCase => {
    return {
      promise,
      tryIt: async (stores) => {
        // A store without a log passes these cases without being asked.
        if ((await stores.create()).log === undefined) return;
        const lab = new LogLab(adapterOfLogs(adapter));
        try {
          await tryIt(lab);
        } finally {
          await lab.closeAll();
        }
      },
    };
  });
  return [...ofLog, ...mailboxCases, ...mailBoundCases];
}

/** Opens the logs of stores. */
function adapterOfLogs(adapter: StateStoreAdapter): DurableLogAdapter {
  const stores = new Map<DurableLog, StateStore>();
  const storeOf = (log: DurableLog): StateStore => {
    const store = stores.get(log);
    if (store === undefined) throw new Error("It is another log.");
    return store;
  };
  const opened = async (store: StateStore): Promise<DurableLog> => {
    await store.open();
    if (store.log === undefined) throw new Error("This store has no log.");
    stores.set(store.log, store);
    return store.log;
  };
  return {
    create: async ({ clock }: TestedLogOptions) => opened(await adapter.create({ clock })),
    reopen: async (log, { clock }) => opened(await adapter.reopen(storeOf(log), { clock })),
    close: (log) => storeOf(log).close(),
  };
}
