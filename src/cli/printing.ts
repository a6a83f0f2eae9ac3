import process from "node:process";
import { InvalidArgumentError } from "commander";
import type { AgentName } from "../core/internal.ts";
import type { AdminClient, AdminParameters, AskOptions } from "./admin/admin-client.ts";
import { type AnswerOfHosts, UnansweredHosts } from "./admin/hosts-of-rows.ts";
import { wholeNumber } from "./whole-number.ts";

/** Flags of every command that prints something. */
export interface PrintFlags {
  readonly json: boolean;
}

/** Flags of a list. */
export interface ListFlags extends PrintFlags {
  readonly limit: number;
  readonly after?: string;
}

/** A list as far as it was read. `next`: the `--after` of what follows; null if nothing does. */
export interface Listed<Row> {
  readonly rows: readonly Row[];
  readonly next: string | null;
}

/** Rows that a list asks for at once. */
const pageRows = 500;

/** Reads how many rows a list may have. */
export const rowCount = wholeNumber(1, 999_999_999);

/** Prints a value as JSON, or as text. */
export function print<T>({ json }: PrintFlags, value: T, toText: (value: T) => string): void {
  process.stdout.write(`${json ? formatJson(value) : toText(value)}\n`);
}

/** Prints a list; a line on standard error says how to go on where there is more. */
export function printList<Row>(flags: PrintFlags, listed: Listed<Row>, toText: (rows: readonly Row[]) => string): void {
  print(flags, listed, ({ rows }) => toText(rows));
  if (listed.next !== null)
    process.stderr.write(`There are more: raise --limit, or go on with --after ${listed.next}\n`);
}

interface ReadingOptions<More> {
  readonly onPage?: (page: More) => void;
  /** Rows that the host gives in a page at most. */
  readonly most?: number;
}

/** Reads a list of a host, page after page. `More`: what the host says beside the rows, as the last page has it. */
export async function readList<Row, More extends object = object>(
  client: AdminClient,
  path: string,
  parameters: AdminParameters,
  { limit, after }: Pick<ListFlags, "limit" | "after">,
  { onPage, most = pageRows, ...options }: AskOptions & ReadingOptions<More> = {},
): Promise<Listed<Row> & More> {
  const rows: Row[] = [];
  let next: string | null = after ?? null;
  for (;;) {
    const asked = { ...parameters, after: next ?? undefined, limit: Math.min(limit - rows.length, most) };
    const page: Listed<Row> & More = await client.ask("GET", path, asked, options);
    rows.push(...page.rows);
    onPage?.(page);
    next = page.next;
    if (next === null || rows.length >= limit) return { ...page, rows };
  }
}

/** Reads a list of all hosts of a cluster, page after page, and collects the hosts that have not answered. */
export async function readListOfHosts<Row>(
  client: AdminClient,
  path: string,
  parameters: AdminParameters,
  page: Pick<ListFlags, "limit" | "after">,
): Promise<Listed<Row> & AnswerOfHosts> {
  const hosts = new UnansweredHosts();
  const listed = await readList<Row, AnswerOfHosts>(client, path, parameters, page, {
    onPage: (one) => hosts.note(one),
  });
  return { ...listed, unanswered: hosts.all };
}

/** Formats JSON whose texts have no control characters, so that a terminal shows them and does nothing else. */
export function formatJson(value: unknown): string {
  return withoutControl(JSON.stringify(value, undefined, 2));
}

/** The same on one line. */
export function formatJsonLine(value: unknown): string {
  return withoutControl(JSON.stringify(value));
}

function withoutControl(json: string): string {
  // Outside texts, JSON has no such character but the line feed.
  return json.replace(/[^\P{C}\n]|[\u2028\u2029]/gu, (character) =>
    Array.from({ length: character.length }, (_, at) => escapeOf(character.charCodeAt(at))).join(""),
  );
}

/** Makes a text of several lines safe for a terminal. */
export function formatText(text: string): string {
  return text.replace(/[^\P{C}\n\t]/gu, (character) => escapeOf(character.codePointAt(0) ?? 0));
}

function escapeOf(code: number): string {
  return `\\u${code.toString(16).padStart(4, "0")}`;
}

/** Reads `type/key`. */
export function parseAgent(text: string): AgentName {
  const slash = text.indexOf("/");
  if (slash > 0) return { type: text.slice(0, slash), key: text.slice(slash + 1) };
  throw new InvalidArgumentError("Not an agent: write type/key, such as counter/7.");
}

/** Returns a number with the word for what it counts: `1 agent`, `2 agents`. */
export function counted(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? "" : "s"}`;
}
