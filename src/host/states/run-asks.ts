import type { StateStore } from "../../core/internal.ts";
import type { RunAnswer, RunAsk, RunsAnswer, RunsAsk, WireRun } from "../../protocol/internal.ts";

/** Bytes of the chunks of one answer, and runs of one list. */
const pageBytes = 256 * 1024;
const listedRuns = 500;

// protocol.md §11.24
/** Reads a part of a run. */
export async function readRun(store: StateStore, ask: RunAsk): Promise<RunAnswer> {
  const { seq, agent, id, from, message, maxBytes } = ask;
  const most = maxBytes > 0 ? Math.min(maxBytes, pageBytes) : pageBytes;
  const page = await store.readRun({ agent, id }, { from, message, maxBytes: most });
  if (page === undefined) return { kind: "run", seq, outcome: { at: "nothing" } };
  return { kind: "run", seq, outcome: { at: "found", ...page, run: withoutAgent(page.run) } };
}

/** Lists runs of an agent. */
export async function listRuns(store: StateStore, { seq, agent, status, after, limit }: RunsAsk): Promise<RunsAnswer> {
  const most = limit > 0 ? Math.min(limit, listedRuns) : listedRuns;
  const behind = after === "" ? undefined : { agent, id: after };
  const { runs, isLast } = await store.listRuns({ agent, status, after: behind, limit: most });
  return { kind: "runs", seq, outcome: { at: "listed", runs: runs.map(withoutAgent), isLast } };
}

/** The worker knows for which agent it asks. */
function withoutAgent({ agent: _, ...run }: WireRun & { readonly agent: unknown }): WireRun {
  return run;
}
