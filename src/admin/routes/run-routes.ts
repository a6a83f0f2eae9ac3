import {
  type AgentName,
  decodeChunk,
  decodeOutcome,
  decodeStart,
  type EncodedText,
  encodeOutcome,
  type RunName,
  type RunPage,
  type RunState,
  type StateStore,
  type StoredRun,
  storeLimits,
  TroupeError,
} from "../../core/internal.ts";
import { HttpProblem, type RequestAccount, type RequestQuery } from "../../http/internal.ts";
import type { AdminHost } from "../admin-host.ts";
import type { AdminRoute } from "../admin-route.ts";
import { agentOf, agentParameters, isAgentName } from "../agent-names.ts";
import { cursorOf, formatCursor, limitOf, type Page, pageParameters } from "../pages.ts";
import type { PayloadAudit } from "../payload-audit.ts";
import { nameOf } from "../stored-states.ts";

/** Bytes of chunks that the store reads for one answer. */
const pageBytes = 256 * 1024;
/** Characters of a message that are shown. */
const shownCharacters = 64 * 1024;
/** Copies of a run that are in memory while it is shown: as it is stored, as texts, as JSON and on its way. */
const copies = 4;

/** A kept run in a list. */
export interface RunRow {
  readonly type: string;
  readonly key: string;
  readonly id: string;
  readonly status: RunState;
  /** The principal that started it. Null: the host knew none. */
  readonly principal: string | null;
  /** The text that its start gave. Empty: none. */
  readonly owner: string;
  readonly startedAt: string;
  readonly updatedAt: string;
  /** When it has to end. Null: it has no limit. */
  readonly deadlineAt: string | null;
  /** The offset of the first chunk that is kept. */
  readonly first: number;
  /** The offset of the next chunk. */
  readonly next: number;
  /** Bytes of the chunks that are kept. */
  readonly bytes: number;
  /** Workers in a row that have begun it or gone on with it, since a step was saved. */
  readonly takeovers: number;
}

/** A message of a run as people read it. */
export interface RunText {
  readonly messageType: string;
  readonly contentType: string;
  readonly text: string;
  /** True: only the first 65,536 characters are shown. */
  readonly isCut: boolean;
}

/** A kept run with some of its chunks. */
export interface RunDetail extends RunRow {
  /** The message with which it began. Null: it can't be read, or the request leaves it out (`message=none`). */
  readonly message: RunText | null;
  /** The chunks from the offset on that was asked for. `message` null: it can't be read. */
  readonly chunks: readonly { readonly offset: number; readonly message: RunText | null }[];
  /** The offset from which to ask for more. */
  readonly from: number;
  /** Null: the run is not completed, or chunks follow these. */
  readonly answer: RunText | null;
  /** Null: the run has not failed and was not cancelled, or chunks follow these. */
  readonly error: { readonly code: string; readonly text: string } | null;
}

/** The outcome of a cancellation. */
export interface CancelledRun {
  readonly type: string;
  readonly key: string;
  readonly id: string;
  readonly status: RunState;
  /** False: it had ended before. */
  readonly isCancelled: boolean;
}

const states: readonly RunState[] = ["working", "completed", "failed", "cancelled"];

/** Shows and cancels the runs that the store of the host keeps. */
export function runRoutes(host: AdminHost, audit: PayloadAudit): readonly AdminRoute[] {
  return [
    {
      ...{ method: "GET", path: "/v1/runs", need: "rows" },
      parameters: [...agentParameters, "status", "owner", ...pageParameters],
      handle: ({ query }) => listed(host.store, query),
    },
    {
      ...{ method: "GET", path: "/v1/run", parameters: [...agentParameters, "id", "from", "message"], need: "nothing" },
      check: ({ query, rights }) => {
        rights.assertMay("see", query.required("type"));
        rights.assertMay("read-state", query.required("type"));
      },
      handle: async ({ query, rights, account }) => {
        const run = runOf(query);
        const from = query.whole("from", { from: 0, to: Number.MAX_SAFE_INTEGER }) ?? 0;
        takeSpace(account, 2 * pageBytes);
        // A reader that asks again and again needs it once.
        const message = query.text("message") !== "none";
        const page = await host.store.readRun(run, { from, message, maxBytes: pageBytes });
        if (page === undefined) throw notFound(run);
        takeSpace(account, Math.max(0, bytesOf(page) - 2 * pageBytes));
        const detail = detailOf(page);
        audit.note(rights, "runs");
        return detail;
      },
    },
    {
      ...{
        method: "POST",
        path: "/v1/run/cancel",
        parameters: [...agentParameters, "id", "reason"],
        need: "administer",
      },
      handle: async ({ query }) => cancel(await host.openStore(), runOf(query), query.text("reason") ?? ""),
    },
  ];
}

async function listed(store: StateStore, query: RequestQuery): Promise<Page<RunRow>> {
  const type = query.text("type");
  const agent = query.text("key") === undefined ? undefined : agentOf(query);
  const status = query.text("status");
  if (status !== undefined && !isState(status))
    throw invalid(`The parameter status must be one of ${states.join(", ")}.`);
  const owner = query.text("owner");
  const which = agent === undefined ? { type } : { agent };
  const page = await store.listRuns({ ...which, status, after: cursorOf(query, isPlace), limit: limitOf(query) });
  const last = page.runs.at(-1);
  const wanted = owner === undefined ? page.runs : page.runs.filter((run) => run.owner === owner);
  const next = page.isLast || last === undefined ? null : formatCursor({ agent: last.agent, id: last.id });
  return { rows: wanted.map(rowOf), next };
}

function isState(text: string): text is RunState {
  return states.some((state) => state === text);
}

function isPlace(value: unknown): value is RunName {
  if (typeof value !== "object" || value === null || !("agent" in value) || !("id" in value)) return false;
  return typeof value.id === "string" && isAgentName(value.agent);
}

function runOf(query: RequestQuery): RunName {
  const id = query.required("id");
  if (id.length > storeLimits.runIdCharacters)
    throw invalid(`The id of a run has at most ${storeLimits.runIdCharacters} characters.`);
  return { agent: agentOf(query), id };
}

function takeSpace(account: RequestAccount, bytes: number): void {
  if (!account.take(copies * bytes)) throw new HttpProblem(503, "overloaded", account.whyNot(copies * bytes));
}

function bytesOf({ message, chunks, outcome }: RunPage): number {
  return chunks.reduce((sum, { length }) => sum + length, (message?.length ?? 0) + (outcome?.length ?? 0));
}

function detailOf(page: RunPage): RunDetail {
  const { outcome } = page;
  const { status } = page.run;
  const end =
    status === "working" || outcome === undefined ? undefined : readable(() => decodeOutcome(status, outcome));
  return {
    ...rowOf(page.run),
    message: page.message === undefined ? null : textOf(page.message, (bytes) => decodeStart(bytes).message),
    chunks: page.chunks.map((chunk, at) => ({ offset: page.from + at, message: textOf(chunk, decodeChunk) })),
    from: page.from + page.chunks.length,
    answer: end?.status === "completed" ? shown(end.answer) : null,
    error: end === undefined || end.status === "completed" ? null : { code: end.code, text: end.text },
  };
}

async function cancel(store: StateStore, run: RunName, reason: string): Promise<CancelledRun> {
  const { agent, id } = run;
  const text = reason === "" ? "An operator has cancelled the run." : `An operator has cancelled the run: ${reason}`;
  const outcome = encodeOutcome({ status: "cancelled", code: "cancelled", text: text.slice(0, shownCharacters) });
  const nothingElse = { epoch: undefined, reminders: [], mail: [], remembered: [] };
  const [decided] = await store.commit([
    {
      ...{ agent, expected: { at: "anything" }, write: { at: "keep" } },
      ...{ runs: [{ at: "end", id, status: "cancelled", outcome }], ...nothingElse },
    },
  ]);
  if (decided?.at === "committed") return { ...agent, id, status: "cancelled", isCancelled: true };
  const page = await store.readRun(run, { from: Number.MAX_SAFE_INTEGER });
  if (page === undefined) throw notFound(run);
  const { status } = page.run;
  if (status !== "working") return { ...agent, id, status, isCancelled: false };
  throw new TroupeError("state-conflict", `${nameOf(agent)} was written meanwhile. Nothing has changed; try again.`);
}

function notFound({ agent }: { readonly agent: AgentName }): TroupeError {
  return new TroupeError("not-found", `${nameOf(agent)} has no such kept run. See troupe runs list ${nameOf(agent)}.`);
}

function rowOf({ agent, startedAtMs, updatedAtMs, deadlineMs, ...run }: StoredRun): RunRow {
  const { id, status, principal, owner, first, next, bytes, takeovers } = run;
  return {
    ...{ type: agent.type, key: agent.key, id, status, principal: principal === "" ? null : principal, owner },
    ...{ startedAt: timeText(startedAtMs), updatedAt: timeText(updatedAtMs) },
    deadlineAt: deadlineMs === undefined ? null : timeText(deadlineMs),
    ...{ first, next, bytes, takeovers },
  };
}

/** A worker may write any number. */
function timeText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : "never";
}

function textOf(bytes: Uint8Array, decode: (bytes: Uint8Array) => EncodedText): RunText | null {
  return readable(() => shown(decode(bytes))) ?? null;
}

/** Undefined: the bytes are of another version, or a worker has written them that is not ours. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function shown({ typeName: messageType, contentType, text }: EncodedText): RunText {
  const isCut = text.length > shownCharacters;
  return { messageType, contentType, text: isCut ? text.slice(0, shownCharacters) : text, isCut };
}

function invalid(detail: string): HttpProblem {
  return new HttpProblem(400, "invalid-argument", detail);
}
