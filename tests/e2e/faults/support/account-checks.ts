import { setTimeout } from "node:timers/promises";
import { AgentId, type AgentRuntime, UndeliverableException } from "troupe";
import { Read } from "../programs/account-messages.ts";
import type { AccountBook, AccountCalls } from "./account-calls.ts";

/** All that an account, its auditor and its watcher have written. */
interface Histories {
  readonly account: readonly string[];
  readonly auditor: readonly string[];
  readonly watcher: readonly string[];
}

/** What is wrong with what agents have written, compared with what the callers were told. Empty: every promise was kept. */
export async function faultsOf(loads: readonly AccountCalls[], runtime: AgentRuntime): Promise<readonly string[]> {
  const accounts = new Map<string, AccountBook[]>();
  for (const { books } of loads) {
    for (const [account, book] of books) accounts.set(account, [...(accounts.get(account) ?? []), book]);
  }
  const faults: string[] = [];
  for (const [account, books] of accounts) {
    const found = faultsOfAccount(books, await settledHistories(runtime, account, books));
    faults.push(...found.slice(0, 5).map((fault) => `${account}: ${fault}`));
  }
  return faults;
}

/** The lines of an agent. Of one that gets no messages for a time, because three lost workers had calls for it, those after that time. */
export async function linesOf(runtime: AgentRuntime, type: string, key: string): Promise<readonly string[]> {
  for (;;) {
    try {
      const { lines } = await runtime.sendMessage(Read({}), new AgentId(type, key), {
        ...{ waitForTarget: 30_000, timeoutMs: 30_000 },
      });
      return lines;
    } catch (error) {
      const [, seconds] = (error instanceof UndeliverableException && quarantine.exec(error.message)) || [];
      if (seconds === undefined) throw error;
      await setTimeout(1_000 * Number(seconds));
    }
  }
}

/** How the host says for how long an agent gets no messages. */
const quarantine = /It gets no messages for (\d+) s/;

/** Reads until each told message was handled and each reminder has fired; the test's own time limit is the end. */
async function settledHistories(
  runtime: AgentRuntime,
  account: string,
  books: readonly AccountBook[],
): Promise<Histories> {
  for (;;) {
    const [own, auditor, watcher] = await Promise.all(
      ["account", "auditor", "watcher"].map((type) => linesOf(runtime, type, account)),
    );
    if (own === undefined || auditor === undefined || watcher === undefined) throw new Error("unreachable");
    const entries = new Set(own.map(entryOf));
    const added = [...entries].filter(isAdded);
    const isFired = added.every(
      (entry) => !books.some(({ reminded }) => reminded.has(entry)) || entries.has(dueOf(entry)),
    );
    if (isFired && auditor.filter((line) => isAdded(entryOf(line))).length >= toldOf(added, books).length)
      return { account: own, auditor, watcher };
  }
}

function faultsOfAccount(books: readonly AccountBook[], { account, auditor, watcher }: Histories): string[] {
  const entries = account.map(entryOf);
  const places = new Map(entries.map((entry, at) => [entry, at + 1]));
  const added = entries.filter(isAdded);
  const watched = watcher.map(entryOf).filter(isAdded);
  const faults = [
    ...repeated(entries).map((entry) => `${entry} is there twice`),
    ...repeated(activationsOf(account)).map((by) => `${by} has written after another activation has`),
    ...repeated(activationsOf(auditor)).map((by) => `${by} has noted after another activation has`),
    ...repeated(activationsOf(watcher)).map((by) => `${by} has watched after another activation has`),
    ...repeated(watched).map((entry) => `the event of ${entry} was handled twice`),
    ...watched
      .filter((entry) => !places.has(entry))
      .map((entry) => `the event of ${entry} came, and the entry is not there`),
  ];
  const [heard, told] = [auditor.map(entryOf).filter(isAdded), toldOf(added, books)];
  const differs = heard.findIndex((entry, at) => entry !== told[at]);
  if (heard.length !== told.length || differs >= 0) {
    const [from, to] = [Math.max(0, differs - 2), differs + 8];
    const parts = `heard ${heard.slice(from, to)}, told ${told.slice(from, to)}`;
    faults.push(`what was told is not what was added, in its order: at ${differs} ${parts}`);
  }
  const known = new Set<string>();
  for (const { answered, refused, undecided } of books) {
    for (const [entry, place] of answered) {
      known.add(entry);
      if (places.get(entry) !== place) faults.push(`${entry} was answered at ${place} and is at ${places.get(entry)}`);
    }
    for (const [entry, error] of refused)
      if (places.has(entry)) faults.push(`${entry} is there though its call failed: ${error}`);
    for (const entry of undecided) known.add(entry);
  }
  faults.push(
    ...added.filter((entry) => !known.has(entry)).map((entry) => `${entry} is there, and nobody has added it`),
  );
  return faults;
}

function toldOf(entries: readonly string[], books: readonly AccountBook[]): string[] {
  return entries.filter((entry) => books.some(({ told }) => told.has(entry)));
}

function entryOf(line: string): string {
  return line.split("@")[0] ?? "";
}

function dueOf(entry: string): string {
  return `due ${entry}`;
}

/** Whether a caller has added it: neither a reminder nor a migration. */
function isAdded(entry: string): boolean {
  return !entry.startsWith("due ") && entry !== "migrated";
}

/** The activations in the order of their turns, each once for all that it has written in a row. */
function activationsOf(lines: readonly string[]): string[] {
  const all = lines.map((line) => line.split("@")[1] ?? "");
  return all.filter((activation, at) => activation !== all[at - 1]);
}

function repeated(items: readonly string[]): string[] {
  return items.filter((item, at) => items.indexOf(item) < at);
}
